"""A classifier in int8: smaller, calibrated and judged on the data of its run."""

import json

import numpy as np
import pytest
from PIL import Image

from apps.generative.srgan.serving import SuperResolutionServing
from apps.vision.classification.app import ClassifyApp
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.network_export.export_network import export_network, refuse_impossible
from shared.engine.run import Run
from tests.shared.engine.network_export.records import require
from tests.shared.engine.saved_model.folding import with_random_statistics


def colours(folder):
    """Pictures of two classes, red ones and blue ones."""
    generator = np.random.default_rng(0)
    for name, channel in (("blue", 2), ("red", 0)):
        (folder / name).mkdir(parents=True)
        for index in range(10):
            pixels = generator.integers(0, 60, (40, 40, 3), dtype=np.uint8)
            pixels[..., channel] += 180
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


@pytest.mark.slow
def test_the_metrics_stand_in_the_sidecar_and_the_file_is_small(tmp_path, capsys):
    require("litert")
    app, data = ClassifyApp(), colours(tmp_path / "data")
    config = configs.resolve(app.config_class, {"preset": "test", "data": (str(data),)})
    run = Run(config, tmp_path / "run")
    run.folder.mkdir()
    app.prepare(run)
    model = with_random_statistics(app.build(run))
    exports = {
        int8: export_network(app, run, model, tmp_path / "exports", format="litert", int8=int8)[""]
        for int8 in (False, True)
    }
    sizes = {int8: file.stat().st_size for int8, file in exports.items()}
    assert sizes[True] < 0.5 * sizes[False]
    facts = json.loads((exports[True].parent / "model.json").read_text())
    before, after = facts["quantization"]["before_and_after"]["accuracy"]
    assert abs(before - after) <= 0.25
    assert "before and after --quantize int8" in capsys.readouterr().out


def test_int8_needs_a_task_that_can_judge_it():
    module = SuperResolutionServing.__new__(SuperResolutionServing)
    with pytest.raises(KerasuiteError, match="--quantize int8: there is no calibration for srgan"):
        refuse_impossible(module, "srgan", int8=True)
