"""Speed of detection: one image through the SavedModel, training, folder inference."""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.bench.classification import compare_folder, write_photographs
from tests.bench.measure import Result

APP = "apps.vision.detection.app:DetectApp"
NAMES = [f"class {index}" for index in range(80)]
# Forward pass alone of a network of 3.2 million parameters and 8.7 GFLOP (640 pixels) in
# PyTorch on two such cores, in milliseconds.
REFERENCE = {320: 15.9, 640: 53.5}


def exported_nano(folder: Path, image_size: int) -> Path:
    """The SavedModel of `untrained_nano`."""
    from shared.engine.saved_model.export import export

    app, run, model = untrained_nano(folder, image_size)
    return export(app, run, model, folder / "saved_models", name="bench")[""]


def untrained_nano(folder: Path, image_size: int):
    """A nano detector that finds some hundred boxes all the same: (app, run, model)."""
    from shared.common import config as configs
    from shared.engine.load_app import load_app
    from shared.engine.run import Run

    app = load_app(APP)
    folder.mkdir(parents=True, exist_ok=True)
    overrides = {"preset": "nano", "model.image_size": image_size}
    config = configs.resolve(app.config_class, overrides)
    run = Run(config, folder, {"class_names": NAMES})
    app.images = []
    configs.save(run.config, folder / "config.yaml")
    model = app.build(run)
    _raise_scores(model)
    return app, run, model


def latency_320() -> Result:
    return _latency(320)


def latency_640() -> Result:
    return _latency(640)


def _latency(image_size: int) -> Result:
    """One JPEG at a time: decoding, letterbox, forward pass, boxes, NMS."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as name:
        model = tf.saved_model.load(str(exported_nano(Path(name) / "run", image_size)))
        write_photographs(Path(name) / "images", 8, (500, 375))
        files = [path.read_bytes() for path in sorted((Path(name) / "images").iterdir())]
        serve = model.signatures["serving_default"]
        times, found = [], []
        for index in range(80):
            image = tf.constant([files[index % len(files)]])
            started = time.perf_counter()
            found.append(int(serve(image_bytes=image)["num_detections"][0]))
            times.append(1e3 * (time.perf_counter() - started))
    warm = times[20:]
    return Result(
        f"nano detector, {image_size} pixels, batch 1, JPEG to boxes",
        statistics.median(warm),
        unit=" ms",
        details=f"fastest {min(warm):.1f} ms, {statistics.mean(found):.0f} boxes an image; "
        f"reference for a forward pass alone {REFERENCE[image_size]} ms",
    )


def training() -> Result:
    """Steps of nano at 320 pixels, batch 16, with all augmentation: what waits for data."""
    from shared.common import config as configs
    from shared.engine.distribution import strategy as strategies
    from shared.engine.load_app import load_app
    from shared.engine.run import Run
    from shared.engine.training.train_step import build_train_step, prepare_optimizer

    warm, steps = 4, 20
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_annotated(folder / "data", 64)
        app = load_app(APP)
        overrides = {"preset": "nano", "data": (str(folder / "data"),), "model.image_size": 320}
        config = configs.resolve(app.config_class, overrides)
        run = Run(config, folder / "run", strategy=strategies.set_up(config))
        run.folder.mkdir()
        app.prepare(run)
        run.steps_per_epoch = app.steps_per_epoch(run)
        model = app.build(run)
        prepare_optimizer(model)
        batches = iter(app.batches(run, "train"))
        step = build_train_step(
            model, run.strategy, config.optimization, batch_spec=batches.element_spec
        )
        waited = worked = 0.0
        for number in range(warm + steps):
            started = time.perf_counter()
            batch = next(batches)
            between = time.perf_counter()
            float(step(batch)["loss"][0])
            if number >= warm:
                waited += between - started
                worked += time.perf_counter() - between
    rate = steps * config.batch_size / (waited + worked)
    return Result(
        "detector's training, share of the time that waits for data",
        waited / (waited + worked),
        ceiling=0.1,
        details=f"{rate:.1f} images/s, nano, 320 pixels, batch {config.batch_size}, mosaic",
    )


def write_annotated(folder: Path, count: int) -> None:
    """Photographs with ten boxes each in YOLO's format."""
    generator = np.random.default_rng(0)
    write_photographs(folder / "images", count, (640, 480))
    (folder / "labels").mkdir()
    for index in range(count):
        rows = [
            f"{generator.integers(3)} {x:.4f} {y:.4f} 0.1 0.15"
            for x, y in generator.uniform(0.1, 0.9, (10, 2))
        ]
        (folder / "labels" / f"{index:05}.txt").write_text("\n".join(rows) + "\n")
    (folder / "data.yaml").write_text("path: .\ntrain: images\nnames: [a, b, c]\n")


def folder_inference() -> Result:
    """Nano at 320 pixels on a folder of JPEGs against the bare model with NMS."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = exported_nano(folder / "run", 320)
        images = tf.random.uniform((32, 320, 320, 3), maxval=255.0)
        return compare_folder("nano detector", APP, model, bare_model(320), images, folder)


def bare_model(image_size: int):
    """The same network and suppression as a compiled function of ready tensors."""
    import tensorflow as tf

    from apps.vision.detection.config import DetectConfig
    from apps.vision.detection.detectors.yolo.yolo import build_yolo

    model = build_yolo("nano", len(NAMES))
    _raise_scores(model)
    thresholds = DetectConfig().thresholds
    own = thresholds.confidence, thresholds.iou, thresholds.max_detections

    @tf.function
    def call(images):
        return model.detections(model(images, training=False), image_size, image_size, *own)

    return call


def _raise_scores(model) -> None:
    """Larger weights of an untrained head let some scores over the threshold: NMS has work."""
    import keras

    for layer in model.layers:
        if layer.name.startswith("class") and isinstance(layer, keras.layers.Dense):
            layer.kernel.assign(layer.kernel * 2000.0)
