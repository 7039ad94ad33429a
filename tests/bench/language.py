"""Speed of language models against the same networks in PyTorch: training steps and writing.

The references are plain PyTorch networks with a cache of keys and values, or the state of an
LSTM, measured beside ours; without PyTorch these rows are skipped.
"""

import string
import tempfile
from pathlib import Path

import numpy as np

from tests.bench.classification import peak_of_prediction
from tests.bench.measure import Result, in_turn, median_seconds
from tests.bench.pytorch import beside, need_pytorch

APP = "apps.language.app:LanguageApp"
# As many characters as stand in Shakespeare.
ALPHABET = string.ascii_letters + "\n !$&',-.3:;?"
SHAPES = {
    "transformer": {"num_layers": 4, "hidden_dim": 128, "num_heads": 4},  # char-transformer
    "lstm": {"num_layers": 2, "hidden_dim": 256},
}
TRAINING_ROWS, WINDOW = 32, 64
BATCHES, PROMPT, WRITTEN = (1, 32), 64, 128
FASTER_TRAINING = {"transformer": 1.2, "lstm": 1.0}
FASTER_WRITING = 1.2


# === Training ===


def training_transformer() -> Result:
    return _training("transformer")


def training_lstm() -> Result:
    return _training("lstm")


def _training(architecture: str) -> Result:
    """Tokens a second of whole optimiser steps."""
    need_pytorch()
    rate, measured = beside(
        lambda: _training_rate(architecture),
        "language",
        task="training",
        batches=(TRAINING_ROWS,),
        **_reference(architecture, length=WINDOW),
    )
    return _ratio(
        f"training of a language model, {_described(architecture)}, "
        f"{TRAINING_ROWS} windows of {WINDOW}",
        rate,
        measured[str(TRAINING_ROWS)],
        FASTER_TRAINING[architecture],
    )


def _training_rate(architecture: str) -> float:
    import tensorflow as tf

    from shared.engine.load_app import load_app
    from shared.engine.run import Run
    from shared.engine.training.cpu_data_parallel import enable_cpu_data_parallel
    from shared.engine.training.train_step import build_train_step, prepare_optimizer

    app = load_app(APP)
    config = _config(architecture, **{"text.sequence_length": WINDOW})
    parallel = enable_cpu_data_parallel(config, app.independent_rows)
    run = Run(config, Path("."), {"vocabulary_size": _vocabulary()}, cpu_data_parallel=parallel)
    model = app.build(run)
    prepare_optimizer(model)
    spec = {"tokens": tf.TensorSpec([None, WINDOW + 1], tf.int32)}
    step = build_train_step(
        model, run.strategy, config.optimization, batch_spec=spec, cpu_data_parallel=parallel
    )
    generator = np.random.default_rng(0)
    tokens = generator.integers(4, _vocabulary(), (TRAINING_ROWS, WINDOW + 1))
    batch = {"tokens": tf.constant(tokens, tf.int32)}
    return TRAINING_ROWS * WINDOW / median_seconds(lambda: float(step(batch)["loss"][0]), runs=30)


# === Writing ===


def writing_transformer_1() -> Result:
    return _writing("transformer", 1)


def writing_transformer_32() -> Result:
    return _writing("transformer", 32)


def writing_lstm_1() -> Result:
    return _writing("lstm", 1)


def writing_lstm_32() -> Result:
    return _writing("lstm", 32)


def _writing(architecture: str, rows: int) -> Result:
    """Tokens a second from prompts to texts, as strings, through the exported SavedModel."""
    need_pytorch()
    with tempfile.TemporaryDirectory() as name:
        options = {"text.sequence_length": 2 * WRITTEN, "writing.max_tokens": WRITTEN}
        path = _exported(Path(name), _config(architecture, **options))
        rate, measured = beside(
            lambda: _writing_rate(path, rows),
            "language",
            task="writing",
            batches=(rows,),
            **_reference(architecture, length=PROMPT),
        )
    return _ratio(
        f"writing, {_described(architecture)}, {rows} x {WRITTEN} tokens, string to string",
        rate,
        measured[str(rows)],
        FASTER_WRITING,
    )


def _writing_rate(saved_model: Path, rows: int) -> float:
    import tensorflow as tf

    module = tf.saved_model.load(str(saved_model))
    serve = module.signatures["serving_default"]
    prompts = tf.constant(_prompts(rows, PROMPT))
    seeds = tf.range(rows, dtype=tf.int64)
    texts = serve(prompt=prompts, seed=seeds)["text"].numpy()
    assert all(len(text) == WRITTEN for text in texts), [len(text) for text in texts]
    return (
        rows
        * WRITTEN
        / median_seconds(lambda: serve(prompt=prompts, seed=seeds)["text"].numpy(), runs=15)
    )


def _exported(folder: Path, config) -> Path:
    """An untrained model whose texts never end before their last token."""
    from apps.language import language_model
    from apps.language.tokenizers.kinds import learn_tokenizer
    from shared.common import config as configs
    from shared.engine.load_app import load_app
    from shared.engine.run import Run
    from shared.engine.saved_model.export import export
    from shared.text.special_tokens import END

    app = load_app(APP)
    run = Run(config, folder / "run", {"vocabulary_size": _vocabulary()})
    run.folder.mkdir()
    configs.save(config, run.folder / "config.yaml")
    app.tokenizer = learn_tokenizer("char", iter([ALPHABET]), 99, run.folder)
    assert app.tokenizer.vocabulary_size == _vocabulary()
    language_model.NEVER = (*language_model.NEVER, END)
    return export(app, run, app.build(run), folder / "saved_models", name="bench")[""]


# === What does not grow ===


def prompt_length() -> Result:
    """Extra cost of a step behind a long prompt over one behind a short one, in attentions.

    The unit is the attention of one position to the long prompt, in all blocks, alone.
    """
    rows, short, long = 32, 32, 960
    with tempfile.TemporaryDirectory() as name:
        path = _exported(Path(name), _config("transformer", **{"text.sequence_length": 2048}))
        seconds = {length: _seconds_of_step(path, rows, length) for length in (short, long)}
    attention = _seconds_of_attention(rows, long - short)
    return Result(
        f"a step behind prompts of {long} tokens beyond one behind {short}, in attentions",
        (seconds[long] - seconds[short]) / attention,
        ceiling=1.5,
        details=f"{rows} texts, {_described('transformer')}: {1000 * seconds[short]:.2f} and "
        f"{1000 * seconds[long]:.2f} ms; attention alone {1000 * attention:.2f} ms",
    )


def _seconds_of_step(saved_model: Path, rows: int, length: int) -> float:
    """Seconds for a token more, whatever reading the prompt takes."""
    import tensorflow as tf

    module = tf.saved_model.load(str(saved_model))
    write = module.signatures["with_options"]
    prompts, seeds = tf.constant(_prompts(rows, length)), tf.range(rows, dtype=tf.int64)
    draws = {"temperature": tf.constant(0.8), "top_k": tf.constant(0), "top_p": tf.constant(1.0)}
    few, many = 8, 40

    def call(count: int):
        found = write(prompt=prompts, seed=seeds, max_tokens=tf.constant(count), **draws)
        return found["text"].numpy()

    calls = {count: lambda count=count: call(count) for count in (few, many)}
    for first in calls.values():
        first()
    seconds = in_turn(calls, rounds=5)
    return (seconds[many] - seconds[few]) / (many - few)


def _seconds_of_attention(rows: int, length: int) -> float:
    """Seconds of one position's attention to others in all blocks, each with its own cache."""
    import tensorflow as tf

    shape = SHAPES["transformer"]
    heads, size = shape["num_heads"], shape["hidden_dim"] // shape["num_heads"]
    caches = [
        [tf.random.normal((rows, heads, length, size)) for _ in range(2)]
        for _ in range(shape["num_layers"])
    ]

    @tf.function
    def attend(queries):
        for keys, values in caches:
            weights = tf.nn.softmax(tf.matmul(queries, keys, transpose_b=True))
            queries = tf.matmul(weights, values)
        return queries

    queries = tf.random.normal((rows, heads, 1, size))
    return median_seconds(lambda: attend(queries).numpy(), runs=20)


def memory() -> Result:
    """Peak memory of continuing 20,000 lines against 2,000."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = {"preset": "test", "writing.max_tokens": 4}
        model = _exported(folder, _config("transformer", **options))
        peaks = {}
        for count in (2_000, 20_000):
            lines = folder / f"{count}.txt"
            lines.write_text("To be, or not to be\n" * count)
            peaks[count] = peak_of_prediction(model, lines, folder / f"o{count}", task="lm")
    return Result(
        "peak memory of lm predict, 20,000 prompts / 2,000 prompts",
        peaks[20_000] / peaks[2_000],
        ceiling=1.1,
        details=", ".join(f"{count}: {peak / 1024:.0f} MiB" for count, peak in peaks.items()),
    )


# === Shared ===


def _config(architecture: str, **options):
    from apps.language.config import LanguageConfig
    from shared.common import config as configs

    network = {f"model.{name}": value for name, value in SHAPES[architecture].items()}
    return configs.resolve(LanguageConfig, {"model.architecture": architecture} | network | options)


def _vocabulary() -> int:
    from shared.text.special_tokens import END

    return END + 1 + len(ALPHABET)


def _reference(architecture: str, length: int) -> dict[str, object]:
    """Arguments of the reference's script: the same network, alphabet and lengths."""
    return {
        "architecture": architecture,
        "alphabet": "".join(sorted(ALPHABET)),
        "vocabulary": _vocabulary(),
        "length": length,
        "written": WRITTEN,
        **SHAPES[architecture],
    }


def _prompts(rows: int, length: int) -> list[str]:
    picked = np.random.default_rng(0).choice(list(ALPHABET), (rows, length))
    return ["".join(row) for row in picked]


def _described(architecture: str) -> str:
    shape = SHAPES[architecture]
    name = {"lstm": "LSTM", "transformer": "Transformer"}[architecture]
    return f"{name} {shape['num_layers']} x {shape['hidden_dim']}"


def _ratio(name: str, rate: float, theirs: float, floor: float) -> Result:
    return Result(
        f"{name}, suite / PyTorch",
        rate / theirs,
        floor=floor,
        details=f"{rate:.0f} and {theirs:.0f} tokens/s",
    )
