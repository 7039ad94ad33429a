"""Speed of classification: folder inference, memory, input pipeline."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.bench.measure import ROOT, Result, in_turn

APP = "apps.vision.classification.app:ClassifyApp"


def write_photographs(folder: Path, count: int, size: tuple[int, int]) -> None:
    """JPEGs with the detail of photographs: parts of scikit-learn's two."""
    from sklearn.datasets import load_sample_images

    generator = np.random.default_rng(0)
    sources = [Image.fromarray(image) for image in load_sample_images().images]
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        left, top = generator.integers(0, 200), generator.integers(0, 150)
        part = sources[index % 2].crop((left, top, left + 440, top + 277))
        part.resize(size).save(folder / f"{index:05}.jpg", quality=90)


def untrained_model(folder: Path, **overrides) -> Path:
    """Exports an untrained classifier of 1,000 classes."""
    from shared.common import config as configs
    from shared.engine.load_app import load_app
    from shared.engine.run import Run
    from shared.engine.saved_model.export import export

    app = load_app(APP)
    names = [f"class {index}" for index in range(1000)]
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(configs.resolve(app.config_class, overrides), folder, {"class_names": names})
    configs.save(run.config, folder / "config.yaml")
    return export(app, run, app.build(run), folder / "saved_models", name="bench")[""]


def folder_inference() -> Result:
    """ResNet-50 on a folder of 500x375 JPEGs against the bare model on ready tensors."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = untrained_model(folder / "run", **{"model.backbone": "resnet50"})
        images = tf.random.uniform((32, 224, 224, 3), maxval=255.0)
        return compare_folder("ResNet-50", APP, model, bare_model("resnet50"), images, folder)


def compare_folder(what: str, app: str, model: Path, bare, images, folder: Path) -> Result:
    """Prediction of a folder of 500x375 JPEGs against the bare model on ready tensors.

    Args:
        what: name of the model.
        app: import path of the application.
        model: its SavedModel.
        bare: compiled function of a batch.
        images: the batch for it.
        folder: for inputs and outputs.
    """
    from shared.common.inputs import find_inputs
    from shared.engine.load_app import load_app
    from shared.engine.prediction.predict import predict

    # Both with more than the 100 pictures of the page.
    batch, few, many = len(images), 128, 320
    for count in (few, many):
        write_photographs(folder / str(count), count, (500, 375))
    bare(images)
    runs = iter(range(100))

    def predict_folder(count):
        output = folder / f"out-{next(runs)}"
        predictor = load_app(app).predictor(model)
        sources = find_inputs([str(folder / str(count))], predictor.suffixes, output=output)
        predict(model, sources, predictor, output, batch_size=batch, threads=4)

    def run_bare():
        for _ in range((many - few) // batch):
            bare(images)

    seconds = in_turn(
        {
            "few": lambda: predict_folder(few),
            "many": lambda: predict_folder(many),
            "bare": run_bare,
        },
        rounds=3,
    )
    # Loading and tracing are in both folder runs; the difference is the sustained rate.
    folder_rate = (many - few) / (seconds["many"] - seconds["few"])
    bare_rate = (many - few) / seconds["bare"]
    return Result(
        f"{what} folder inference / bare model",
        folder_rate / bare_rate,
        floor=0.85,
        details=f"{folder_rate:.1f} and {bare_rate:.1f} images/s of 500x375, batch {batch}",
    )


def bare_model(backbone: str):
    """The same network as a compiled function of ready tensors."""
    import tensorflow as tf

    from apps.vision.classification.classifier import build_classifier
    from apps.vision.classification.config import ClassifyConfig
    from shared.common import config as configs

    config = configs.resolve(ClassifyConfig, {"model.backbone": backbone})
    model = build_classifier(config, 1000)
    return tf.function(lambda images: tf.nn.softmax(model(images, training=False)))


def memory() -> Result:
    """Peak memory of a prediction over 20,000 files against 2,000."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = untrained_model(
            folder / "run",
            **{"model.backbone": "resnet18", "model.width": 16, "model.image_size": 32},
        )
        image = folder / "one"
        write_photographs(image, 1, (64, 48))
        data = (image / "00000.jpg").read_bytes()
        peaks = {}
        for count in (2_000, 20_000):
            for index in range(count):
                path = folder / str(count) / f"{index // 1000:03}" / f"{index:06}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            peaks[count] = peak_of_prediction(model, folder / str(count), folder / f"o{count}")
    return Result(
        "peak memory, 20,000 files / 2,000 files",
        peaks[20_000] / peaks[2_000],
        ceiling=1.1,
        details=", ".join(f"{count}: {peak / 1024:.0f} MiB" for count, peak in peaks.items()),
    )


def peak_of_prediction(model: Path, inputs: Path, output: Path, task: str = "classify") -> int:
    """Peak resident memory in KiB of `kerasuite TASK predict` in a process of its own."""
    code = (
        "import resource, sys; sys.argv[0] = 'kerasuite'; import cli\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    words = [task, "predict", str(model), str(inputs), "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])


def input_pipeline() -> Result:
    """Training steps of ResNet-18 at 64 pixels: data from JPEG files against one ready batch."""
    from shared.common import config as configs
    from shared.engine.distribution import strategy as strategies
    from shared.engine.load_app import load_app
    from shared.engine.run import Run
    from shared.engine.training.train_step import build_train_step, prepare_optimizer

    steps = 8
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label in "ab":
            write_photographs(folder / "data" / label, 160, (96, 72))
        app = load_app(APP)
        overrides = {"data": (str(folder / "data"),), "batch_size": 64, "model.image_size": 64}
        overrides["data_options.cache"] = "off"
        config = configs.resolve(app.config_class, overrides)
        run = Run(config, folder / "run", strategy=strategies.set_up(config))
        app.prepare(run)
        run.steps_per_epoch = app.steps_per_epoch(run)
        model = app.build(run)
        prepare_optimizer(model)
        step = build_train_step(model, run.strategy, config.optimization)
        batches = iter(app.batches(run, "train"))
        ready = next(batches)

        def train(source):
            for _ in range(steps):
                value, _ = step(source())["loss"]
            return float(value)

        train(lambda: ready)
        # What was read ahead while nobody was waiting is used up before the measurement.
        train(lambda: next(batches))
        seconds = in_turn(
            {"real": lambda: train(lambda: next(batches)), "ready": lambda: train(lambda: ready)},
            rounds=5,
        )
    rates = {name: steps * config.batch_size / value for name, value in seconds.items()}
    return Result(
        "training step with JPEG files / with a ready batch",
        rates["real"] / rates["ready"],
        floor=0.9,
        details=f"{rates['real']:.0f} and {rates['ready']:.0f} images/s, ResNet-18, 64 pixels",
    )
