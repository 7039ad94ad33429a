"""Speed of exports: the network folded and not, what is around it, and ONNX Runtime."""

import importlib.util
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.bench.classification import write_photographs
from tests.bench.detection import APP, untrained_nano
from tests.bench.measure import Result, Skipped, in_turn
from tests.bench.pytorch import need_pytorch, reference

SIDE = 320
ROUNDS = 100


def folded_network() -> Result:
    """The network as exports hold it, against the live model's variables, one image."""
    import tensorflow as tf

    from shared.engine.saved_model.inference_network import InferenceNetwork

    spec = tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32)
    with tempfile.TemporaryDirectory() as name:
        _, _, model = untrained_nano(Path(name), SIDE)
        networks = {"plain": model, "export": InferenceNetwork(model, spec)}
        calls = {
            key: _loaded(network, model, spec, Path(name) / key)
            for key, network in networks.items()
        }
    image = tf.random.uniform((1, SIDE, SIDE, 3), maxval=255.0)
    seconds = _fastest_in_turn({key: lambda c=call: c(image) for key, call in calls.items()})
    return Result(
        f"network of the nano detector, {SIDE} pixels, as trained / as exported",
        seconds["plain"] / seconds["export"],
        floor=1.1,
        details=_milliseconds(seconds),
    )


def _loaded(network, model, spec, folder: Path):
    """A network alone, saved and loaded: function of images to the first output."""
    import tensorflow as tf

    call = tf.function(lambda images: {"y": tf.nest.flatten(network(images, training=False))[0]})
    holder = tf.Module()
    holder.used = [weight.value for weight in model.weights]
    tf.saved_model.save(holder, str(folder), signatures=call.get_concrete_function(spec))
    loaded = tf.saved_model.load(str(folder))
    return lambda images: loaded.signatures["serving_default"](images)["y"].numpy()


def around_the_network() -> Result:
    """Milliseconds from a JPEG to boxes beyond those of the network alone."""
    import tensorflow as tf

    from shared.engine.saved_model.export import export

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        app, run, model = untrained_nano(folder / "run", SIDE)
        module = app.serving(run, model)[""].for_inference()
        whole = tf.saved_model.load(str(export(app, run, model, folder / "saved_models")[""]))
        network = _loaded(module.network, model, module.image_spec, folder / "network")
        write_photographs(folder / "images", 8, (500, 375))
        files = [path.read_bytes() for path in sorted((folder / "images").iterdir())]
        image = tf.constant([files[0]])
        squares, _ = module.letterboxed(image)
        serve = whole.signatures["serving_default"]
        seconds = _fastest_in_turn(
            {
                "whole": lambda: serve(image_bytes=image)["num_detections"].numpy(),
                "network": lambda: network(squares),
            }
        )
    return Result(
        f"JPEG to boxes beyond the network, nano, {SIDE} pixels",
        1000 * (seconds["whole"] - seconds["network"]),
        unit=" ms",
        ceiling=4.0,
        details=_milliseconds(seconds),
    )


def onnx_network() -> Result:
    """Our ONNX file against the same network from PyTorch, both in ONNX Runtime, one image."""
    _need_onnx()
    need_pytorch()
    from shared.engine.network_export.onnx_format import OnnxFormat

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        equal = folder / "equal.onnx"
        measured = reference("detector", side=SIDE, batch=1, file=str(equal))
        _, run, model = untrained_nano(folder / "run", SIDE)
        ours = OnnxFormat().load(exported_onnx(folder, SIDE))
        theirs = OnnxFormat().load(equal)
    images = np.random.default_rng(0).uniform(0, 255, (1, SIDE, SIDE, 3)).astype("float32")
    channels_first = np.ascontiguousarray(images.transpose(0, 3, 1, 2) / 255)
    seconds = _fastest_in_turn(
        {"ours": lambda: ours(images), "equal": lambda: theirs(channels_first)}
    )
    return Result(
        f"ONNX Runtime, nano detector, {SIDE} pixels, our file / an equal network",
        seconds["ours"] / seconds["equal"],
        ceiling=1.1,
        details=f"{_milliseconds(seconds)}; PyTorch {1000 * measured['seconds']:.1f} ms, "
        f"{measured['parameters']:,} parameters, ours {model.count_params():,}",
    )


def onnx_folder() -> Result:
    """`detect predict` on a folder of 500x375 JPEGs: ONNX Runtime against TensorFlow."""
    _need_onnx()
    from shared.common.inputs import find_inputs
    from shared.engine.load_app import load_app
    from shared.engine.network_export.open_model import loader
    from shared.engine.prediction.predict import predict
    from shared.engine.saved_model.export import export

    few, many = 64, 256
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = {
            "savedmodel": export(*untrained_nano(folder / "run", SIDE), folder / "models")[""],
            "onnx": exported_onnx(folder, SIDE),
        }
        for count in (few, many):
            write_photographs(folder / str(count), count, (500, 375))
        outputs = iter(range(100))

        def predict_folder(model, count):
            app, output = load_app(APP), folder / f"out-{next(outputs)}"
            predictor = app.predictor(model)
            sources = find_inputs([str(folder / str(count))], predictor.suffixes, output=output)
            options = {"batch_size": 16, "threads": 4, "load": loader(app, model)}
            predict(model, sources, predictor, output, **options)

        seconds = in_turn(
            {
                f"{key} {count}": lambda model=model, count=count: predict_folder(model, count)
                for key, model in models.items()
                for count in (few, many)
            },
            rounds=3,
        )
    # Loading and tracing are in all runs; the difference is the sustained rate.
    rates = {
        key: (many - few) / (seconds[f"{key} {many}"] - seconds[f"{key} {few}"]) for key in models
    }
    return Result(
        f"detect predict, nano, {SIDE} pixels, ONNX Runtime / SavedModel",
        rates["onnx"] / rates["savedmodel"],
        floor=1.5,
        details=", ".join(f"{key} {rate:.1f} images/s" for key, rate in rates.items()),
    )


def exported_onnx(folder: Path, image_size: int) -> Path:
    """The ONNX file of `untrained_nano`."""
    from shared.engine.network_export.export_network import export_network

    app, run, model = untrained_nano(folder / "onnx-run", image_size)
    return export_network(app, run, model, folder / "exports", format="onnx")[""]


def _need_onnx() -> None:
    if not all(importlib.util.find_spec(name) for name in ("onnx", "tf2onnx", "onnxruntime")):
        raise Skipped("the extra `onnx` is not installed")


def _fastest_in_turn(calls) -> dict[str, float]:
    """Least seconds of each call, run in turn: what else the machine does adds to most of them."""
    seconds = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
    return seconds


def _milliseconds(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {1000 * value:.1f} ms" for name, value in seconds.items())
