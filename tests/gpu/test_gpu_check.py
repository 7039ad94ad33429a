"""`make gpu-check`: every application on a CUDA GPU, in three precisions, against the CPU."""

import json
import re

import numpy as np
import pytest

from shared.engine.load_app import load_app
from shared.testing import app_test
from tests.apps.app_cases import CASES

pytestmark = pytest.mark.gpu

# How far the losses of the first steps may be from those of the CPU in float32.
TOLERANCE = {"float32": 2e-3, "mixed_bfloat16": 5e-2, "mixed_float16": 2e-2}


@pytest.fixture(scope="module", autouse=True)
def gpu():
    """Skips everything where there is no GPU; asked in another process, which gives it back."""
    done = app_test.kerasuite("devices", "--json")
    app_test.expect_success(done)
    gpus = json.loads(done.stdout)["GPUs"]
    if not gpus:
        pytest.skip("TensorFlow sees no CUDA GPU here")
    print(f"\nGPU: {gpus[0]['name']}")


@pytest.fixture(scope="module", params=list(CASES))
def case(request):
    return CASES[request.param]


@pytest.fixture(scope="module")
def data(case, tmp_path_factory):
    return list(case.write_data(tmp_path_factory.mktemp("data")))


@pytest.mark.parametrize("precision", list(TOLERANCE))
def test_first_losses_are_those_of_the_cpu(case, data, precision):
    cpu = app_test.step_losses(case, data, 8, "single", devices="cpu")
    gpu = app_test.step_losses(case, data, 8, "single", devices="gpu:0", precision=precision)
    assert np.isfinite(gpu).all()
    np.testing.assert_allclose(gpu[:2], cpu[:2], rtol=TOLERANCE[precision])


@pytest.mark.parametrize("precision", list(TOLERANCE))
def test_trains_exports_and_predicts(case, data, precision, tmp_path):
    if "precision" in load_app(case.import_path).config_class.absent:
        pytest.skip(f"{case.command} has one precision")
    run, inputs = tmp_path / "run", tmp_path / "inputs"
    training = case.training(data, run)
    at = training.index("--checkpoint-every")  # Checkpoints would be most of the time.
    del training[at : at + 2]
    done = app_test.kerasuite(*training, "--devices", "gpu:0", "--precision", precision)
    app_test.expect_success(done)
    rates = re.findall(r"(\d+) ex/s", done.stderr)
    print(f"{case.command:12} {precision:15} {rates[-1] if rates else '?'} examples/s")
    root = tmp_path / "saved_models"
    app_test.expect_success(app_test.kerasuite(case.command, "export", run, "--output", root))
    inputs.mkdir()
    good, bad = case.write_inputs(inputs)
    model = next(root.glob("*/*/1"))
    predict = [case.command, "predict", model, inputs, "--output", tmp_path / "out"]
    app_test.expect_success(app_test.kerasuite(*predict), code=3 if bad else 0)
    assert len(app_test.read_lines(tmp_path / "out" / "predictions.jsonl")) == good
