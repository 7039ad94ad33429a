"""Losses of the first training steps on one device and on two, printed as JSON.

    python -m shared.testing.two_devices module:Class DATA... --batch-size 7

In a process of its own, because TensorFlow bears only one MirroredStrategy per process.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from shared.engine import config as configs
from shared.engine.verbs import load_app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("place")
    parser.add_argument("data", nargs="+")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--steps", type=int, default=4)
    arguments = parser.parse_args()
    app = load_app(arguments.place)

    from shared.engine.strategy import create_strategy

    overrides = {
        "preset": "test",
        "data": tuple(arguments.data),
        "batch_size": arguments.batch_size,
    }
    config = configs.resolve(app.config_class, overrides)
    two = create_strategy("mirrored", "cpu:2")
    one = create_strategy("single")
    with tempfile.TemporaryDirectory() as folder:
        losses = [
            step_losses(load_app(arguments.place), config, Path(folder), strategy, arguments.steps)
            for strategy in (one, two)
        ]
    print(json.dumps(losses))


def step_losses(app: Any, config: Any, folder: Path, strategy: Any, steps: int) -> list[float]:
    """Losses of the first steps of a training under a strategy."""
    import keras

    from shared.engine import replicas
    from shared.engine.run import Run
    from shared.engine.train_step import build_train_step, prepare_optimizer

    keras.utils.clear_session()
    keras.utils.set_random_seed(config.seed)
    run = Run(config, folder, strategy=strategy)
    run.load_artifacts()
    app.prepare(run)
    run.steps_per_epoch = app.steps_per_epoch(run)
    with strategy.scope():
        model = app.build(run)
        prepare_optimizer(model)
        step = build_train_step(model, strategy, config.optimization)
    losses = []
    for batch in app.dataset(run, "train").take(steps):
        value, count = step(replicas.split(strategy, batch))["loss"]
        losses.append(float(value) / float(count))
    return losses


if __name__ == "__main__":
    main()
