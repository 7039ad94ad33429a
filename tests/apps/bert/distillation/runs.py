"""Runs to learn from, without the time that it takes to train them."""

from pathlib import Path

import numpy as np

from shared.common import config as configs
from shared.engine.app import App
from shared.engine.run import Run, save_model


def write_untrained_run(app: App, folder: Path, seed: int = 0, **values) -> Path:
    """A run of the `test` preset whose weights are random, and far from their first values."""
    generator = np.random.default_rng(seed)
    config = configs.resolve(app.config_class, {"preset": "test"} | values)
    run = Run(config, folder)
    folder.mkdir(parents=True)
    configs.save(config, folder / "config.yaml")
    app.prepare(run)
    model = app.build(run)
    for weight in model.trainable_weights:
        weight.assign_add(generator.normal(0.0, 0.1, weight.shape))
    save_model(model, folder / "model.keras")
    return folder
