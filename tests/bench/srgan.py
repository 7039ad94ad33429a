"""Speed and memory of super-resolution: SRResNet x4, and a picture of 12 megapixels by tiles."""

import tempfile
import time
from pathlib import Path

from tests.bench.classification import peak_of_prediction, write_photographs
from tests.bench.measure import Result, in_turn
from tests.bench.pytorch import beside, compared

APP = "apps.generative.srgan.app:SrganApp"
SIDE, BATCH = 64, 16
CROP = 24  # low-resolution pixels; 96 enlarged
# Two idle cores, in milliseconds.
PLAIN_FORWARD, PLAIN_STEP = 66, 425
TORCH_FORWARD, TORCH_STEP = 71, 757
LARGE = (4000, 3000)
LIMIT = 3.0  # GiB


def plain_srresnet():
    """The paper's network as tutorials write it."""
    import keras
    import tensorflow as tf
    from keras import layers

    def prelu(x):
        return layers.PReLU(shared_axes=[1, 2])(x)

    images = keras.Input((None, None, 3))
    first = x = prelu(layers.Conv2D(64, 9, padding="same")(layers.Rescaling(1 / 255)(images)))
    for _ in range(16):
        branch = layers.BatchNormalization()(layers.Conv2D(64, 3, padding="same")(x))
        branch = layers.Conv2D(64, 3, padding="same")(prelu(branch))
        x = x + layers.BatchNormalization()(branch)
    x = first + layers.BatchNormalization()(layers.Conv2D(64, 3, padding="same")(x))
    for _ in range(2):
        x = layers.Conv2D(256, 3, padding="same")(x)
        x = prelu(layers.Lambda(lambda t: tf.nn.depth_to_space(t, 2))(x))
    x = layers.Conv2D(3, 9, padding="same")(x)
    return keras.Model(images, layers.Rescaling(127.5, 127.5)(x))


def suite_srresnet():
    """The model of the preset `srresnet`, compiled."""
    from apps.generative.srgan.app import SrganApp
    from apps.generative.srgan.config import SrganConfig
    from shared.common import config as configs
    from shared.engine.run import Run

    config = configs.resolve(SrganConfig, {"preset": "srresnet"})
    return SrganApp().build(Run(config, None)), config


def forward() -> Result:
    """Enlarging one picture of 64 pixels four times, suite against plain Keras."""
    import tensorflow as tf

    image = tf.random.uniform((1, SIDE, SIDE, 3), maxval=255.0)
    models = {"suite": suite_srresnet()[0], "plain": plain_srresnet()}
    calls = {name: tf.function(lambda x, m=m: m(x, training=False)) for name, m in models.items()}
    for call in calls.values():
        call(image)
    seconds, measured = beside(
        lambda: in_turn({name: lambda c=c: c(image).numpy() for name, c in calls.items()}, 15),
        "srresnet",
        task="forward",
        side=SIDE,
        batch=1,
    )
    shape = f"{SIDE} pixels (idle: {PLAIN_FORWARD} ms)"
    pytorch = compared(seconds["suite"], measured, TORCH_FORWARD / 1000)
    return _ratio("SRResNet x4 forward", seconds, f"{shape}; {pytorch}")


def training() -> Result:
    """A step of the engine on 16 crops of 24 to 96 pixels against a plain Keras step."""
    import keras
    import tensorflow as tf

    from shared.engine.training.train_step import build_train_step, prepare_optimizer

    low = tf.random.uniform((BATCH, CROP, CROP, 3), maxval=255.0)
    high = tf.random.uniform((BATCH, 4 * CROP, 4 * CROP, 3), maxval=255.0)
    suite, config = suite_srresnet()
    prepare_optimizer(suite)
    step = build_train_step(suite, tf.distribute.get_strategy(), config.optimization)
    plain = plain_srresnet()
    plain.compile(optimizer=keras.optimizers.Adam(1e-4), loss="mse")
    steps = {
        "suite": lambda: float(step((low, high))["loss"][0]),
        "plain": lambda: plain.train_on_batch(low, high),
    }
    for run in steps.values():
        run()
    seconds, measured = beside(
        lambda: in_turn(steps, rounds=7), "srresnet", task="training", side=CROP, batch=BATCH
    )
    shape = f"{BATCH} crops (idle: {PLAIN_STEP} ms)"
    pytorch = compared(seconds["suite"], measured, TORCH_STEP / 1000)
    return _ratio("SRResNet x4 training step", seconds, f"{shape}; {pytorch}")


def _ratio(name: str, seconds: dict[str, float], details: str) -> Result:
    times = f"{1000 * seconds['plain']:.0f} and {1000 * seconds['suite']:.0f} ms, {details}"
    return Result(
        f"{name}, plain Keras / suite",
        seconds["plain"] / seconds["suite"],
        floor=0.95,
        details=times,
    )


def memory() -> Result:
    """Peak memory of x4 on a picture of 4,000 x 3,000 pixels, by tiles as usual."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = untrained(folder / "run")
        write_photographs(folder / "images", 1, LARGE)
        started = time.perf_counter()
        peak = peak_of_prediction(model, folder / "images", folder / "out", task="srgan")
        seconds = time.perf_counter() - started
        written = next((folder / "out").glob("*.png")).stat().st_size
    return Result(
        f"peak memory of x4 on {LARGE[0]} x {LARGE[1]} by tiles",
        peak / 2**20,
        " GiB",
        ceiling=LIMIT,
        details=f"preset lite, {seconds:.0f} s, {written / 2**20:.0f} MiB of PNG",
    )


def untrained(folder: Path) -> Path:
    """Exports an untrained network of the preset `lite`."""
    from shared.common import config as configs
    from shared.engine.load_app import load_app
    from shared.engine.run import Run
    from shared.engine.saved_model.export import export

    app = load_app(APP)
    folder.mkdir(parents=True)
    run = Run(configs.resolve(app.config_class, {"preset": "lite", "data": ("none",)}), folder)
    configs.save(run.config, folder / "config.yaml")
    return export(app, run, app.build(run), folder / "saved_models", name="bench")[""]
