"""Training steps of forecasters against the same networks in PyTorch."""

from pathlib import Path

import numpy as np

from tests.bench.measure import Result, median_seconds
from tests.bench.pytorch import beside, need_pytorch

APP = "apps.tables.forecast.app:ForecastApp"
# The windows of the presets for ETTh1.
ROWS, HISTORY, HORIZON, CHANNELS = 32, 336, 96, 7
SHAPES = {
    "lstm": {"hidden_dim": 64, "num_layers": 1},
    "transformer": {"hidden_dim": 16, "num_layers": 3, "num_heads": 4, "patch_length": 16},
}
NOT_SLOWER = 1.0


def training_lstm() -> Result:
    return _training("lstm")


def training_transformer() -> Result:
    return _training("transformer")


def _training(architecture: str) -> Result:
    """Windows a second of whole optimiser steps."""
    need_pytorch()
    rate, measured = beside(
        lambda: _rate(architecture), "forecast", architecture=architecture, rows=ROWS,
        history=HISTORY, horizon=HORIZON, channels=CHANNELS, **SHAPES[architecture],
    )  # fmt: skip
    name = f"training of a forecaster, {architecture}, {ROWS} windows of {HISTORY} + {HORIZON}"
    theirs = measured["windows"]
    return Result(
        f"{name}, against PyTorch", rate / theirs, floor=NOT_SLOWER,
        details=f"{rate:,.0f} windows/s, PyTorch here {theirs:,.0f}",
    )  # fmt: skip


def _rate(architecture: str) -> float:
    import tensorflow as tf

    from apps.tables.forecast.config import ForecastConfig
    from apps.tables.forecast.frequency import Frequency
    from apps.tables.forecast.schema import Columns, Scales, Schema
    from apps.tables.forecast.times import TimeColumn
    from shared.common.config import resolve
    from shared.engine.load_app import load_app
    from shared.engine.run import Run
    from shared.engine.training.cpu_data_parallel import enable_cpu_data_parallel
    from shared.engine.training.train_step import build_train_step, prepare_optimizer

    leaves = {"data_options.history": HISTORY, "data_options.horizon": HORIZON,
              "model.architecture": architecture, "optimization.clip_norm": 1.0}  # fmt: skip
    shape = {f"model.{name}": value for name, value in SHAPES[architecture].items()}
    config, app = resolve(ForecastConfig, leaves | shape), load_app(APP)
    columns = Columns(TimeColumn("time", "number"), tuple(map(str, range(CHANNELS))))
    scales = Scales(((0.0,) * CHANNELS,), ((1.0,) * CHANNELS,), ((1.0,) * CHANNELS,))
    app.schema = Schema(columns, Frequency(1, "step"), HISTORY, HORIZON, 1, 0, (), ("",), scales)
    parallel = enable_cpu_data_parallel(config, app.independent_rows)
    run = Run(config, Path("."), cpu_data_parallel=parallel)
    model = app.build(run)
    prepare_optimizer(model)
    windows = tf.TensorSpec([None, HISTORY, CHANNELS])
    targets = tf.TensorSpec([None, HORIZON, CHANNELS])
    step = build_train_step(
        model, run.strategy, config.optimization,
        batch_spec=({"history": windows}, targets, targets), cpu_data_parallel=parallel,
    )  # fmt: skip
    generator = np.random.default_rng(0)
    history, ahead = (
        tf.constant(generator.normal(size=(ROWS, steps, CHANNELS)), tf.float32)
        for steps in (HISTORY, HORIZON)
    )
    batch = ({"history": history}, ahead, tf.ones_like(ahead))
    return ROWS / median_seconds(lambda: float(step(batch)["loss"][0]), warm=5, runs=30)
