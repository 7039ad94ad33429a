"""Speed of BERT on files of sentences: by length, against batches padded to the longest."""

import itertools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench.bert import SHAPES
from tests.bench.measure import Result, Skipped, data_folder, in_turn

APP = "apps.bert.finetuning.app:FinetuneApp"
BATCH = 32
FEW, MANY = 1, 3  # Copies of the file.


def bucketing() -> Result:
    """Sentences of SST-2 a second: `bert predict` against batches padded to `max_length`."""
    data = data_folder() / "sst2"
    if not (data / "dev.tsv").is_file():
        raise Skipped(f"there is no {data / 'dev.tsv'} (set KERASUITE_DATA)")
    with tempfile.TemporaryDirectory() as name:
        app, run, model = untrained(data, Path(name) / "run")
        texts = [example.text for example in app.validation_data(run)[0]]
        length = run.config.task_data.max_length
        calls = folder_calls(exported(app, run, model), data / "dev.tsv", Path(name))
        calls["padded"] = padded_call(app, model, length, texts)
        calls["padded"]()
        seconds = in_turn(calls, rounds=3)
    # Loading and tracing are in both folder runs; the difference is the steady rate.
    rate = (MANY - FEW) * len(texts) / (seconds["many"] - seconds["few"])
    padded_rate = len(texts) / seconds["padded"]
    return Result(
        f"BERT minilm, folder inference by length / padded to {length}",
        rate / padded_rate,
        floor=3.0,
        details=f"{rate:.0f} and {padded_rate:.0f} sentences/s of SST-2's development set, "
        f"batch {BATCH}",
    )


def untrained(data: Path, folder: Path):
    """(app, run, model) of a fine-tuning before its first step; its word pieces are learnt."""
    from shared.common import config as configs
    from shared.engine.load_app import load_app
    from shared.engine.run import Run

    app = load_app(APP)
    shape = {f"encoder.{name}": value for name, value in SHAPES["minilm"].items()}
    run = Run(configs.resolve(app.config_class, {"data": (str(data),), **shape}), folder)
    folder.mkdir()
    configs.save(run.config, folder / "config.yaml")
    app.prepare(run)
    return app, run, app.build(run)


def exported(app, run, model) -> Path:
    from shared.engine.saved_model.export import export

    return export(app, run, model, run.folder / "saved_models", name="bench")[""]


def folder_calls(saved_model: Path, sentences: Path, folder: Path) -> dict[str, Callable]:
    """Predictions of a folder with few copies of a file, and of one with many."""
    outputs = (folder / f"out-{number}" for number in itertools.count())
    calls = {}
    for name, copies in (("few", FEW), ("many", MANY)):
        inputs = folder / name
        inputs.mkdir()
        for number in range(copies):
            shutil.copy(sentences, inputs / f"{number}.tsv")
        calls[name] = lambda inputs=inputs: predict_folder(saved_model, inputs, next(outputs))
    return calls


def predict_folder(saved_model: Path, inputs: Path, output: Path) -> None:
    """Predicts as `kerasuite bert predict` does once it has started."""
    from shared.common.inputs import find_inputs
    from shared.engine.load_app import load_app
    from shared.engine.prediction.predict import predict

    predictor = load_app(APP).predictor(saved_model)
    sources = find_inputs([str(inputs)], predictor.suffixes, output=output)
    predict(saved_model, sources, predictor, output, batch_size=BATCH, threads=4)


def padded_call(app, model, length: int, texts: list[str]) -> Callable[[], None]:
    """The call of the same model on all texts, in their order, each padded to `length`."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def probabilities(texts):
        packed = app.tokenizer.pack(app.tokenizer(texts), None, length)
        missing = length - tf.shape(packed["token_ids"])[1]
        x = {name: tf.pad(rows, [[0, 0], [0, missing]]) for name, rows in packed.items()}
        return tf.nn.softmax(model(x, training=False))

    def call():
        for start in range(0, len(texts), BATCH):
            probabilities(tf.constant(texts[start : start + BATCH])).numpy()

    return call
