"""Losses of the first training steps under one strategy, printed as JSON.

    python -m shared.testing.strategy_losses module:Class DATA... --batch-size 7 --strategy mirrored

In a process of its own, because TensorFlow supports one distributed strategy per process.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from shared.common import config as configs
from shared.common.option_use import is_in
from shared.engine.load_app import load_app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("import_path")
    parser.add_argument("data", nargs="+")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--strategy", required=True)
    parser.add_argument("--devices", default="cpu")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--halves", action="store_true", help="fail unless batches are halved")
    parser.add_argument("--set", action="append", default=[], metavar="LEAF=VALUE")
    arguments = parser.parse_args()
    app = load_app(arguments.import_path)
    names = ("batch_size", "strategy", "devices", "precision")
    given = {name: getattr(arguments, name) for name in names}
    # Adam's first steps depend on the sign of gradients that are zero but for rounding.
    given |= {"optimization.optimizer": "sgd", "learning_rate": 0.05}
    given |= dict(setting.split("=", 1) for setting in arguments.set)
    given = {
        path: value for path, value in given.items() if not is_in(path, app.config_class.absent)
    }
    config = configs.resolve(
        app.config_class, {"preset": "test", "data": tuple(arguments.data), **given}
    )
    from shared.engine.training.cpu_data_parallel import enable_cpu_data_parallel

    cpu_data_parallel = enable_cpu_data_parallel(config, app.independent_rows)
    if arguments.halves and not cpu_data_parallel:
        sys.exit("batches are not halved")
    with tempfile.TemporaryDirectory() as folder:
        losses = first_losses(app, config, Path(folder), arguments.steps, cpu_data_parallel)
    print(json.dumps(losses))


def first_losses(
    app: Any, config: Any, folder: Path, steps: int, cpu_data_parallel: bool
) -> list[float]:
    """Losses of the first steps of a training; every worker prepares in a folder of its own.

    Args:
        app: the application.
        config: its configuration; names the strategy.
        folder: what `App.prepare` writes goes there.
        steps: how many.
        cpu_data_parallel: whether batches are trained in halves.
    """
    from shared.engine.distribution import replicas

    run, step, dataset = first_step(app, config, folder, cpu_data_parallel)
    losses = []
    for batch in dataset.take(steps):
        value, count = step(replicas.split(run.strategy, batch))["loss"]
        losses.append(float(value) / float(count))
    run.workers.barrier()
    return losses


def first_step(app: Any, config: Any, folder: Path, cpu_data_parallel: bool = False) -> tuple:
    """Prepares a training up to its first step.

    Args:
        app, config, folder, cpu_data_parallel: see `first_losses`.

    Returns:
        (the run; the compiled step; the training data).
    """
    from shared.engine.distribution import replicas
    from shared.engine.distribution.strategy import set_up
    from shared.engine.run import Run
    from shared.engine.training.train_step import build_train_step, prepare_optimizer

    run = Run(config, folder, strategy=set_up(config), cpu_data_parallel=cpu_data_parallel)
    app.prepare(run)
    run.steps_per_epoch = app.steps_per_epoch(run)
    with run.strategy.scope():
        model = app.build(run)
        app.init_weights(run, model)
        prepare_optimizer(model)
    app.begin_epoch(run, model, 0)
    dataset = app.batches(run, "train")
    spec = replicas.batch_spec(run.strategy, dataset)
    step = build_train_step(
        model,
        run.strategy,
        config.optimization,
        batch_spec=spec,
        cpu_data_parallel=run.cpu_data_parallel,
        xla=config.xla == "on",
    )
    return run, step, dataset


if __name__ == "__main__":
    main()
