"""The checks that every application must pass, with its `test` preset."""

import base64
import dataclasses
import html
import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the operations of tokenizers)
from PIL import Image

from shared.engine.distribution.devices import available_cores
from shared.engine.load_app import load_app
from shared.engine.run import copy_matching_weights, load_best, open_run
from shared.engine.training.cpu_data_parallel import THREADS
from shared.testing import app_test, worker_test
from shared.testing.app_test import AppCase
from shared.testing.processes import expect_success, kerasuite
from tests.apps import c_client
from tests.apps.app_cases import CASES

# What one or two cases show in `make test`, as the engine does the same there for every
# application: one whose loss is by tokens and one with batch normalisation.
TWO_CASES = {
    "test_one_device_and_two_devices_agree": ("translate", "classify"),
    "test_one_device_and_two_workers_agree": ("translate", "classify"),
    "test_two_workers_stopped_resumed_and_evaluated": ("translate",),
    "test_two_workers_evaluate_as_one_does": ("translate", "classify"),
    "test_two_workers_predict_what_one_does": ("translate", "classify"),
}
# (test, case) that only `make test-slow` runs. GloVe is the second algorithm of an application.
SLOW_PARTS = {
    ("", "embed-glove"),
    # Their test_detect_app.py and test_lm_app.py train, evaluate, export and predict.
    ("", "detect"),
    ("", "detect-ssd"),
    ("", "detect-faster-rcnn"),
    ("", "lm"),
    ("", "table-ft-transformer"),
    ("", "forecast-transformer"),
    ("", "gan-wasserstein"),
    ("", "autoencoder-sparse"),
    # Several labels: the tests of their own train, evaluate, export and predict.
    ("", "classify-multilabel"),
    ("", "bert-multilabel"),
} | {(test, case) for test, fast in TWO_CASES.items() for case in CASES if case not in fast}
# Tests of an export whose own tests of the application export and predict, too.
SLOW_PARTS |= {
    (test, case)
    for case in ("bert-pretrain", "forecast", "gan", "autoencoder", "cyclegan", "srgan")
    for test in (
        "test_exported_model_holds_config_and_card",
        "test_predict_with_corrupt_files_killed_and_resumed",
        "test_another_task_is_refused",
    )
}

# Workers, signals and compilation are the engine's work, which an application's first case shows:
# they are not repeated for another network of the same application.
LEFT_OUT = {
    (test, case)
    for case in (
        "forecast-transformer",
        "gan-wasserstein",
        "autoencoder-sparse",
        "classify-multilabel",
        "bert-multilabel",
    )
    for test in (
        "test_real_signals_and_resumes_are_bit_identical",
        "test_steps_compiled_by_xla_give_the_same_losses",
        "test_one_device_and_two_workers_agree",
        "test_two_workers_stopped_resumed_and_evaluated",
        "test_two_workers_evaluate_as_one_does",
        "test_two_workers_predict_what_one_does",
        "test_another_task_is_refused",
    )
}

# Each application has a process of its own, where there are several (see conftest.py).
GROUPED = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in CASES]
# `launch` itself does the same for every application.
LAUNCHED = [case for case in GROUPED if case.values[0] in ("translate", "classify")]


@pytest.fixture(scope="module", params=GROUPED)
def case(request) -> AppCase:
    return CASES[request.param]


@pytest.fixture(scope="module")
def data(case, tmp_path_factory) -> list[str]:
    return list(case.write_data(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def runs(case, data, tmp_path_factory) -> tuple[Path, Path]:
    """A finished run, and the same run as SIGKILL in its first epoch would leave it."""
    folder = tmp_path_factory.mktemp("runs")
    app_test.run_snapshot_training(case, data, folder / "run", folder / "killed")
    return folder / "run", folder / "killed"


@pytest.fixture(scope="module")
def trained(runs) -> Path:
    """A finished run."""
    return runs[0]


@pytest.fixture(scope="module")
def exported(case, trained, tmp_path_factory) -> Path:
    """The SavedModel of the run, verified by `export` in a fresh process."""
    root = tmp_path_factory.mktemp("saved_models")
    expect_success(kerasuite(case.command, "export", trained, "--output", root))
    # Of several, as CycleGAN's directions are, the first.
    return min(root.glob("*/*/1"))


def test_run_folder_is_complete(trained):
    for name in (
        "config.yaml", "history.csv", "metrics.json", "environment.json", "model.keras",
        "README.md", "index.html", "plots", "samples", "tensorboard", "checkpoints",
    ):  # fmt: skip
        assert (trained / name).exists(), name


def test_the_page_of_a_run_links_only_to_what_is_there(case, trained):
    page = (trained / "index.html").read_text(encoding="utf-8")
    links = [unquote(link) for link in re.findall(r'(?:src|href)="([^"]*)"', page)]
    assert "plots/curves.png" in links and "metrics.json" in links
    assert any(link.startswith("samples/") for link in links)
    assert all((trained / link).is_file() for link in links)
    assert f"kerasuite {case.command} {case.verb} " in html.unescape(page)
    assert f"kerasuite {case.command} export " in page


def test_killed_and_resumed_training_is_bit_identical(case, runs):
    app_test.run_resume_test(case, *runs)


@pytest.mark.slow
def test_real_signals_and_resumes_are_bit_identical(case, data, trained, tmp_path):
    app_test.run_killed_training_test(case, data, trained, tmp_path / "run", fresh=True)


@pytest.mark.xdist_group("halves")
def test_batches_with_cpu_data_parallel_killed_resumed_and_evaluated(tmp_path, monkeypatch):
    """With dropout, as where nobody names TensorFlow's threads; ended by all three signals."""
    monkeypatch.delenv(THREADS)
    case = dataclasses.replace(CASES["translate"], options=("--dropout", "0.2"))
    data = list(case.write_data(tmp_path))
    expect_success(kerasuite(*case.training(data, tmp_path / "whole")))
    made = json.loads((tmp_path / "whole" / "environment.json").read_text())
    assert made["cpu_data_parallel"] == (available_cores() > 1)
    app_test.run_killed_training_test(case, data, tmp_path / "whole", tmp_path / "run")
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    expect_success(kerasuite(case.command, "evaluate", tmp_path / "run"))
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before


@pytest.mark.slow
def test_steps_compiled_by_xla_give_the_same_losses(case, data):
    if "xla" in load_app(case.import_path).config_class.absent:
        pytest.skip("compiles its own loop")
    if case.command == "detect":
        pytest.skip("XLA has no deterministic gradient of max pooling")
    plain, compiled = (
        app_test.step_losses(case, data, 8, "single", set=f"xla={choice}")
        for choice in ("off", "on")
    )
    np.testing.assert_allclose(compiled, plain, rtol=1e-4)


@pytest.mark.parametrize("batch_size", [7, pytest.param(8, marks=pytest.mark.slow)])
def test_one_device_and_two_devices_agree(case, data, batch_size):
    app_test.run_devices_test(case, data, batch_size)


@pytest.mark.parametrize("batch_size", [7, pytest.param(8, marks=pytest.mark.slow)])
def test_one_device_and_two_workers_agree(case, data, batch_size):
    app_test.run_workers_test(case, data, batch_size)


def test_two_workers_stopped_resumed_and_evaluated(case, data, tmp_path):
    worker_test.run_two_workers_test(case, data, tmp_path / "run")


def test_two_workers_evaluate_as_one_does(case, trained, tmp_path):
    worker_test.run_shared_evaluation_test(case, trained, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("case", LAUNCHED, indirect=True)
def test_launched_workers_stopped_resumed_and_evaluated(case, data, tmp_path):
    worker_test.run_launch_test(case, data, tmp_path / "run")


def test_init_finds_every_weight_of_a_like_model(case, trained):
    app = load_app(case.import_path)
    run = open_run(app, trained)
    model = load_best(app, run)
    saved = keras.models.load_model(trained / "model.keras", compile=False)
    assert copy_matching_weights(saved, model) == []


def test_evaluate_gives_the_metrics_of_the_training(case, trained):
    before = (trained / "metrics.json").read_bytes()
    expect_success(kerasuite(case.command, "evaluate", trained))
    assert (trained / "metrics.json").read_bytes() == before


def test_exported_model_holds_config_and_card(exported):
    extra = {path.name for path in (exported / "assets.extra").iterdir()}
    assert extra >= {"config.yaml", "README.md", "request.json"}
    request = json.loads((exported / "assets.extra" / "request.json").read_text(encoding="utf-8"))
    serve = tf.saved_model.load(str(exported)).signatures["serving_default"]
    answer = serve(**_tensors_of(request))
    assert all(len(value) == 1 for value in answer.values())


def _tensors_of(request: dict) -> dict[str, tf.Tensor]:
    """The inputs of a request, decoded as TensorFlow Serving documents it."""
    if "inputs" in request:
        columns = request["inputs"]
    else:
        rows = request["instances"]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {
        name: tf.constant(
            [base64.b64decode(v["b64"]) if isinstance(v, dict) else v for v in values],
            # JSON has no widths of numbers; the signature has.
            tf.int64 if isinstance(values[0], int) else None,
        )
        for name, values in columns.items()
    }


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Path:
    return c_client.build(tmp_path_factory.mktemp("client") / "answer")


@pytest.mark.slow
def test_a_program_in_c_gives_the_same_answers(exported, client, tmp_path):
    """It loads as TensorFlow Serving does: a session, and no Python."""
    given, tensors = _one_request(exported, tmp_path)
    serve = tf.saved_model.load(str(exported)).signatures["serving_default"]
    for name, value in serve(**tensors).items():
        c_client.assert_same(c_client.answer(client, exported, name, given), value)


def _one_request(exported: Path, folder: Path) -> tuple[dict[str, str], dict[str, tf.Tensor]]:
    """Inputs of `serving_default` as the program in C takes them, and as tensors."""
    Image.new("RGB", (50, 40), (200, 90, 20)).save(folder / "picture.png")
    labels = exported / "assets.extra" / "labels.txt"
    label = labels.read_text().split("\n")[0] if labels.exists() else ""
    given, tensors = {}, {}
    for name, tensor in c_client.serving_default(exported).inputs.items():
        given[name] = {"label": label}.get(name, "the police")
        tensors[name] = tf.constant([given[name]])
        if name == "image_bytes":
            given[name] = f"@{folder / 'picture.png'}"
            tensors[name] = tf.constant([(folder / "picture.png").read_bytes()])
        elif tensor.dtype == tf.int64.as_datatype_enum:
            given[name], tensors[name] = "7", tf.constant([7], tf.int64)
        elif tensor.dtype == tf.float32.as_datatype_enum:
            numbers = np.arange(np.prod(c_client.shape_of(tensor)[1:]), dtype=np.float32) % 5
            np.savetxt(folder / f"{name}.txt", numbers)
            given[name] = str(folder / f"{name}.txt")
            tensors[name] = tf.reshape(numbers, [1, *c_client.shape_of(tensor)[1:]])
    return given, tensors


def test_predict_with_corrupt_files_killed_and_resumed(case, exported, tmp_path):
    app_test.run_predict_test(case, exported, tmp_path)


def test_two_workers_predict_what_one_does(case, exported, tmp_path):
    worker_test.run_shared_prediction_test(case, exported, tmp_path)


def test_another_task_is_refused(case, exported, tmp_path):
    config = exported / "assets.extra" / "config.yaml"
    copy = tmp_path / "model" / "1"
    shutil.copytree(exported, copy)
    task = config.read_text().partition("\n")[0]
    text = config.read_text().replace(task, "task: weather")
    (copy / "assets.extra" / "config.yaml").write_text(text)
    done = kerasuite(case.command, case.predict_verb, copy, "nothing", "--output", tmp_path / "out")
    expect_success(done, code=1)
    assert "weather" in done.stderr
    assert "Traceback" not in done.stderr
