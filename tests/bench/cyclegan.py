"""Speed of CycleGAN: the 9-block generator at 256 pixels, and a training step."""

import dataclasses
import statistics
import time
from collections.abc import Callable

from tests.bench.measure import Result, in_turn
from tests.bench.pytorch import beside, compared

SIDE = 256
# A plain Keras model on two idle cores, in milliseconds.
PLAIN_FORWARD, PLAIN_STEP = 279, 832


def generator_forward() -> Result:
    """The suite's generator against the same one of plain Keras layers."""
    import tensorflow as tf

    from apps.generative.cyclegan.resnet_generator import build_resnet_generator

    image = tf.random.uniform((1, SIDE, SIDE, 3), -1.0, 1.0)
    suite = tf.function(build_resnet_generator(64, 9))
    plain = tf.function(plain_generator())
    for model in (suite, plain):
        model(image)
    calls = {"suite": lambda: suite(image).numpy(), "plain": lambda: plain(image).numpy()}
    return _ratio("CycleGAN generator forward", calls, "forward", PLAIN_FORWARD)


def plain_generator():
    """The paper's generator as tutorials write it."""
    import keras
    from keras import layers, ops

    def block(x, layer, padding=0):
        if padding:
            sides = (padding, padding)
            x = layers.Lambda(lambda t: ops.pad(t, ((0, 0), sides, sides, (0, 0)), "reflect"))(x)
        x = layers.GroupNormalization(groups=-1, epsilon=1e-5)(layer(x))
        return layers.ReLU()(x)

    image = keras.Input((None, None, 3))
    x = block(image, layers.Conv2D(64, 7), padding=3)
    for filters in (128, 256):
        x = block(x, layers.Conv2D(filters, 3, strides=2, padding="same"))
    for _ in range(9):
        branch = block(x, layers.Conv2D(256, 3), padding=1)
        x = x + block(branch, layers.Conv2D(256, 3), padding=1)
    for filters in (128, 64):
        x = block(x, layers.Conv2DTranspose(filters, 3, strides=2, padding="same"))
    x = layers.Conv2D(3, 7, padding="same", activation="tanh")(x)
    return keras.Model(image, x)


def training_step() -> Result:
    """A generator's step forward and back, suite against plain Keras, one image."""
    import keras
    import tensorflow as tf

    from apps.generative.cyclegan.resnet_generator import build_resnet_generator

    image = tf.random.uniform((1, SIDE, SIDE, 3), -1.0, 1.0)

    def step_of(model):
        optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
        optimizer.build(model.trainable_variables)

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.abs(model(image, training=True) - image))
            variables = model.trainable_variables
            optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
            return loss

        step()
        return lambda: step().numpy()

    steps = {"suite": step_of(build_resnet_generator(64, 9)), "plain": step_of(plain_generator())}
    return _ratio("CycleGAN generator training step", steps, "generator", PLAIN_STEP)


def _ratio(name: str, calls: dict[str, Callable], task: str, idle: int) -> Result:
    """The suite against plain Keras in turn, between two measurements of PyTorch."""
    seconds, measured = beside(
        lambda: in_turn(calls, rounds=9), "cyclegan", task=task, side=SIDE, batch=1
    )
    return Result(
        f"{name}, plain Keras / suite",
        seconds["plain"] / seconds["suite"],
        floor=0.95,
        details=f"{1000 * seconds['plain']:.0f} and {1000 * seconds['suite']:.0f} ms, 9 blocks, "
        f"{SIDE} pixels (idle: {idle} ms); {compared(seconds['suite'], measured)}",
    )


def whole_step() -> Result:
    """Seconds of a whole step, two generators and two discriminators, of the preset `small`."""
    import tensorflow as tf

    from apps.generative.cyclegan.app import CycleGANApp
    from apps.generative.cyclegan.config import CycleGANConfig
    from apps.generative.cyclegan.cycle_gan import DRAWS
    from shared.common import config as configs
    from shared.engine.run import Run
    from shared.engine.training.train_step import build_train_step, prepare_optimizer

    config = configs.resolve(CycleGANConfig, {"preset": "small"})
    model = CycleGANApp().build(Run(config, None))
    prepare_optimizer(model)
    step = build_train_step(model, tf.distribute.get_strategy(), config.optimization)
    rows, side = config.batch_size, config.data_options.image_size
    shape = (rows, side, side, 3)
    batch = {name: tf.random.uniform(shape, -1.0, 1.0) for name in ("a", "b")}
    batch["draws"] = tf.random.uniform((rows, DRAWS))

    def run_step() -> float:
        started = time.perf_counter()
        float(step(batch)["loss"][0])
        return time.perf_counter() - started

    run_step()
    seconds, measured = beside(
        lambda: statistics.median(run_step() for _ in range(7)),
        "cyclegan",
        task="whole",
        side=side,
        batch=rows,
        **dataclasses.asdict(config.model),
    )
    steps = config.epochs * -(-270 // rows)  # monet2photo, a tenth held out
    return Result(
        "CycleGAN step of the preset small",
        seconds,
        " s",
        ceiling=75 * 60 / steps,
        details=f"{rows} images of {side} pixels; {steps} steps on monet2photo take "
        f"{seconds * steps / 60:.0f} minutes; {compared(seconds, measured)}",
    )
