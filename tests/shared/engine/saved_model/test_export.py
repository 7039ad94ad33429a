import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.engine.saved_model import export as exports
from shared.engine.saved_model import verify_export
from shared.engine.saved_model.export import export
from shared.engine.saved_model.export_target import check_target
from shared.engine.saved_model.run_export import export_if_needed, saved_model_for
from shared.engine.saved_model.saved_models import (
    check_task,
    find_saved_model,
    saved_model_config,
)
from shared.engine.saved_model.verify_export import decode, difference, encode
from tests.shared.engine import toy_export_app
from tests.shared.engine.toy_export_app import TAGS, ToyApp, TwoWayApp, make_run

ROOT = Path(__file__).resolve().parents[4]


def everything_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """One verified export: (version folder, run, model)."""
    folder = tmp_path_factory.mktemp("export")
    run, model = make_run(folder / "runs" / "words")
    paths = export(ToyApp(), run, model, folder / "saved_models")
    assert list(paths) == [""]
    shutil.rmtree(folder / "runs")  # A SavedModel needs nothing of the run.
    return paths[""], run, model


@pytest.fixture
def unverified(monkeypatch):
    """Leaves the fresh process out, which takes seconds; its effect has tests of its own."""
    monkeypatch.setattr(exports, "verify", lambda jobs: None)


def test_layout(exported):
    folder, _, _ = exported
    assert folder.parts[-4:] == ("saved_models", "toy-tag", "words", "1")
    assert os.listdir(folder.parent) == ["1"]
    extra = sorted(file.name for file in (folder / "assets.extra").iterdir())
    assert extra == ["README.md", "config.yaml", "labels.txt", "request.json"]
    assert (folder / "assets.extra" / "labels.txt").read_text().split() == TAGS
    assert os.listdir(folder / "assets") == ["words.txt"]
    card = (folder / "assets.extra" / "README.md").read_text()
    assert "saved_models/toy-tag/words/1" in card and "| `serving_default` | `word` |" in card
    assert folder.stat().st_mode & 0o005 == 0o005  # Other users' servers can read it.


def test_it_answers_as_the_model_after_being_moved(exported, tmp_path):
    folder, _, model = exported
    moved = shutil.copytree(folder, tmp_path / "7")
    loaded = tf.saved_model.load(moved)
    outputs = loaded.signatures["serving_default"](word=tf.constant(["cat", "é", "?"]))
    expected = keras.ops.softmax(model(np.array([2, 1, 4]), training=False)).numpy()
    np.testing.assert_allclose(outputs["scores"], expected, atol=1e-6)
    tags = [TAGS[index].encode() for index in expected.argmax(-1)]
    assert outputs["tag"].numpy().tolist() == tags
    scaled = loaded.signatures["scale"](value=tf.ones([1, 2]), factor=tf.constant(3))
    assert scaled["scaled"].numpy().tolist() == [[3.0, 3.0]]


def test_the_state_of_the_optimizer_is_not_exported(exported):
    folder, _, model = exported
    stored = tf.train.list_variables(str(folder / "variables" / "variables"))
    shapes = sorted(tuple(shape) for name, shape in stored if "OBJECT_GRAPH" not in name)
    assert shapes == sorted(tuple(weight.shape) for weight in model.weights)


def test_keras_tfsm_layer_answers(exported):
    folder, _, model = exported
    layer = keras.layers.TFSMLayer(str(folder), call_endpoint="serving_default")
    scores = layer(tf.constant(["apple"]))["scores"]
    expected = keras.ops.softmax(model(np.array([0]), training=False))
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_saved_model_cli_answers(exported, tmp_path):
    folder, _, model = exported
    program = Path(sys.executable).with_name("saved_model_cli")
    command = [program, "run", "--dir", folder, "--tag_set", "serve"]
    command += ["--signature_def", "serving_default", "--input_exprs", "word=['apple', 'cat']"]
    subprocess.run(
        [*command, "--outdir", tmp_path], check=True, capture_output=True, cwd=tmp_path, timeout=120
    )
    expected = keras.ops.softmax(model(np.array([0, 2]), training=False))
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, atol=1e-6)


def test_export_that_answers_otherwise_is_discarded(tmp_path, monkeypatch):
    """A Python global is frozen in the graph; what the live function says moves on."""
    run, model = make_run(tmp_path / "run")
    before = everything_in(tmp_path)
    save = tf.saved_model.save

    def save_and_move_on(*args, **kwargs):
        save(*args, **kwargs)
        monkeypatch.setattr(toy_export_app, "OFFSET", 0.25)

    monkeypatch.setattr(tf.saved_model, "save", save_and_move_on)
    with pytest.raises(KerasuiteError) as caught:
        export(ToyApp(), run, model, tmp_path / "saved_models")
    message = str(caught.value)
    assert "serving_default: output 'scores' differs by 0.25" in message and "\n" not in message
    assert everything_in(tmp_path) == sorted([*before, "run/words.txt"])


def test_export_that_does_not_load_is_discarded(tmp_path, monkeypatch):
    run, model = make_run(tmp_path / "run")
    save = tf.saved_model.save

    def save_half(holder, folder, signatures):
        save(holder, folder, signatures=signatures)
        os.truncate(Path(folder) / "saved_model.pb", 100)

    monkeypatch.setattr(tf.saved_model, "save", save_half)
    with pytest.raises(KerasuiteError, match="does not load in a fresh process: ") as caught:
        export(ToyApp(), run, model, tmp_path / "saved_models")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "saved_models").exists()


def test_versions_count_by_number(tmp_path, unverified):
    run, model = make_run(tmp_path / "run", name="named")
    for other in ("9", "10", "readme", ".partial-x", "²"):
        (tmp_path / "out" / "toy-tag" / "named" / other).mkdir(parents=True)
    assert export(ToyApp(), run, model, tmp_path / "out")[""].name == "11"
    assert export(ToyApp(), run, model, tmp_path / "out")[""].name == "12"
    assert export(ToyApp(), run, model, tmp_path / "out", name="b")[""].parts[-2:] == ("b", "1")
    assert export(ToyApp(), run, model, tmp_path / "out", version=40)[""].name == "40"
    with pytest.raises(KerasuiteError, match="40: already exists"):
        export(ToyApp(), run, model, tmp_path / "out", version=40)
    with pytest.raises(KerasuiteError, match="--version 0"):
        export(ToyApp(), run, model, tmp_path / "out", version=0)
    with pytest.raises(KerasuiteError, match="--name a/b"):
        export(ToyApp(), run, model, tmp_path / "out", name="a/b")
    assert find_saved_model(tmp_path / "out" / "toy-tag" / "named").name == "40"


def test_two_models_are_written_together_or_not_at_all(tmp_path, unverified, monkeypatch):
    run, model = make_run(tmp_path / "run")
    paths = export(TwoWayApp(), run, model, tmp_path / "out")
    assert {key: path.parts[-2:] for key, path in paths.items()} == {
        "a2b": ("run-a2b", "1"),
        "b2a": ("run-b2a", "1"),
    }
    calls = []

    def fail_on_the_second(holder, folder, signatures):
        calls.append(folder)
        if len(calls) == 2:
            raise tf.errors.ResourceExhaustedError(None, None, "{{x}} No space left on device; y")

    monkeypatch.setattr(tf.saved_model, "save", fail_on_the_second)
    with pytest.raises(KerasuiteError, match="toy-tag: No space left on device .free some space"):
        export(TwoWayApp(), run, model, tmp_path / "out2")
    assert not (tmp_path / "out2").exists()


def test_what_a_killed_export_left_is_removed_after_a_day(tmp_path, unverified):
    run, model = make_run(tmp_path / "run")
    parent = tmp_path / "out" / "toy-tag" / "run"
    for name, age in ((".partial-old", 2 * 24 * 3600), (".partial-new", 60)):
        (parent / name).mkdir(parents=True)
        (parent / name / "saved_model.pb").touch()
        os.utime(parent / name, (time.time() - age,) * 2)
    export(ToyApp(), run, model, tmp_path / "out")
    assert sorted(os.listdir(parent)) == [".partial-new", "1"]


def test_sigkill_in_the_middle_leaves_no_version(tmp_path):
    """Killed when the SavedModel is written and not yet verified."""
    script = """
import os, signal, sys
from pathlib import Path
from tests.shared.engine.toy_export_app import ToyApp, make_run
from shared.engine.saved_model import export as exports
def kill(jobs):
    assert (jobs[0][0] / "saved_model.pb").is_file()
    os.kill(os.getpid(), signal.SIGKILL)
exports.verify = kill
run, model = make_run(Path("run"))
exports.export(ToyApp(), run, model, Path("out"))
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment)
    assert done.returncode == -signal.SIGKILL
    left = os.listdir(tmp_path / "out" / "toy-tag" / "run")
    assert len(left) == 1 and left[0].startswith(".partial-")
    with pytest.raises(KerasuiteError, match="is no SavedModel"):
        find_saved_model(tmp_path / "out" / "toy-tag" / "run")


def test_targets_that_cannot_take_it_are_named_before_the_work(tmp_path, monkeypatch):
    run, model = make_run(tmp_path / "run")
    monkeypatch.setattr(ToyApp, "serving", lambda *args: pytest.fail("the work had begun"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(KerasuiteError, match="file: is a file.*--output"):
        export(ToyApp(), run, model, tmp_path / "file")
    # /proc takes no new folders, not even from root.
    with pytest.raises(KerasuiteError, match="/proc: cannot be written .*--output"):
        export(ToyApp(), run, model, Path("/proc/saved_models"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 1))
    with pytest.raises(KerasuiteError, match="MB free; free some space"):
        export(ToyApp(), run, model, tmp_path / "saved_models")
    with pytest.raises(KerasuiteError, match="needs 5 MB"):
        check_target(tmp_path, 5_000_000)
    assert everything_in(tmp_path) == sorted(
        ["file", "run", "run/artifacts.json", "run/config.yaml", "run/model.keras"]
    )


def test_serving_default_must_be_there(tmp_path, unverified, monkeypatch):
    run, model = make_run(tmp_path / "run")
    scale_only = toy_export_app.ToyServing.signatures
    monkeypatch.setattr(
        toy_export_app.ToyServing,
        "signatures",
        lambda self: {"scale": scale_only(self)["scale"]},
    )
    with pytest.raises(ValueError, match="serving_default"):
        export(ToyApp(), run, model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_is_exported_once_for_each_model(tmp_path, unverified):
    run, _ = make_run(tmp_path / "run")
    first = export_if_needed(ToyApp(), tmp_path / "run")[""]
    assert first == tmp_path / "run" / "export" / "toy-tag" / "run" / "1"
    stamp = (first / "saved_model.pb").stat().st_mtime_ns
    moved = tmp_path / "moved"
    os.rename(tmp_path / "run", moved)
    again = saved_model_for(ToyApp(), moved)
    assert again == moved / "export" / "toy-tag" / "run" / "1"
    assert (again / "saved_model.pb").stat().st_mtime_ns == stamp
    other = ToyApp().build(run)
    other.layers[-1].bias.assign([1.0, 2.0, 3.0])
    other.save(moved / "model.keras")
    changed = export_if_needed(ToyApp(), moved)[""]
    assert changed.name == "1" and changed.parent.name == "moved"  # The name is the folder's.
    loaded = tf.saved_model.load(changed)
    scores = loaded.signatures["serving_default"](word=tf.constant(["cat"]))["scores"]
    assert scores.numpy().argmax() == 2
    (changed / "saved_model.pb").unlink()
    assert export_if_needed(ToyApp(), moved)[""].name == "2"


def test_a_run_without_a_model_or_with_two_exports(tmp_path, unverified):
    make_run(tmp_path / "run")
    with pytest.raises(KerasuiteError, match="exported as 2 models; give .*run-a2b or .*run-b2a"):
        saved_model_for(TwoWayApp(), tmp_path / "run")
    (tmp_path / "run" / "export").rename(tmp_path / "away")
    (tmp_path / "run" / "export").touch()
    with pytest.raises(KerasuiteError, match="export: is a file.*'kerasuite toy export --output'"):
        saved_model_for(ToyApp(), tmp_path / "run")
    (tmp_path / "run" / "model.keras").unlink()
    with pytest.raises(KerasuiteError, match="no model.keras yet"):
        saved_model_for(ToyApp(), tmp_path / "run")


def test_finding_a_saved_model(exported, tmp_path):
    folder, _, _ = exported
    assert find_saved_model(folder) == folder
    assert find_saved_model(str(folder.parent)) == folder
    assert saved_model_for(ToyApp(), folder.parent) == folder
    assert saved_model_config(folder.parent)["width"] == 4
    check_task(folder, "toy-tag")
    with pytest.raises(KerasuiteError, match="is a model of the task 'toy-tag', not 'classify'"):
        check_task(folder, "classify")
    with pytest.raises(KerasuiteError, match="no such file or folder"):
        find_saved_model(tmp_path / "absent")
    with pytest.raises(KerasuiteError, match="is no SavedModel"):
        find_saved_model(folder.parents[1])
    (tmp_path / "bare").mkdir()
    shutil.copy(folder / "saved_model.pb", tmp_path / "bare")
    with pytest.raises(KerasuiteError, match="exported"):
        saved_model_config(tmp_path / "bare")


def test_the_script_needs_none_of_this_project():
    """Parsed rather than run: what it imports at any place."""
    import ast

    tree = ast.parse(Path(verify_export.__file__).read_text(encoding="utf-8"))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert imported - set(sys.stdlib_module_names) == {"numpy", "tensorflow", "tensorflow_text"}


@pytest.mark.parametrize(
    "value",
    [
        np.array([["é".encode(), b"\xff\x00"]], object),
        np.array(b"scalar", object),
        np.array([1.5, np.nan, np.inf], "float32"),
        np.array([], "int64"),
        np.array([True, False]),
    ],
)
def test_tensors_survive_the_encoding(value):
    back = decode(encode(tf.constant(value)))
    assert back.dtype == value.dtype and back.shape == value.shape
    np.testing.assert_array_equal(back, value)


def png(level):
    return tf.io.encode_png(np.full((2, 2, 3), level, "uint8")).numpy()


F32 = np.float32


def BF16(values):
    return tf.constant(values, tf.bfloat16).numpy()


@pytest.mark.parametrize(
    "expected, got, tolerance, problem",
    [
        (F32([1, 2]), F32([1, 2.0001]), 1e-4, ""),
        (F32([1, 2]), F32([1, 2.001]), 1e-4, "differs by 0.001"),
        (F32([1000, 0.0]), F32([1000, 0.05]), 1e-4, ""),
        (F32([np.nan, np.inf]), F32([np.nan, np.inf]), 1e-4, ""),
        (F32([np.nan, 1]), F32([0, 1]), 1e-4, "is not finite at other indices"),
        (F32([1.0]), F32([np.nan]), 1e-4, "differs by nan"),
        (F32([1, 2]), F32([1]), 1e-4, "has the shape (1,), not (2,)"),
        (F32([1]), np.array([1]), 1e-4, "has the type int64, not float32"),
        (F32([]), F32([]), 1e-4, ""),
        (np.array([1, 2]), np.array([1, 3]), 1e-4, "not "),
        (np.array([1, 2]), np.array([1, 3]), 5e-2, ""),
        (np.array([b"a"], object), np.array([b"b"], object), 1e-4, "is b'b', not b'a'"),
        (np.array(b"a", object), np.array(b"a", object), 1e-4, ""),
        (np.array([png(9)], object), np.array([png(10)], object), 1e-4, ""),
        (np.array([png(9)], object), np.array([png(11)], object), 1e-4, "differs by 2 levels"),
        (np.array([png(9)], object), np.array([png(19)], object), 5e-2, ""),
        (np.array([png(9)], object), np.array([b"x"], object), 1e-4, "is b'x'"),
        (BF16([1, 3]), BF16([1, 9]), 5e-2, "differs by 6"),
        (BF16([1, 3]), BF16([1, 3.1]), 5e-2, ""),
    ],
)  # fmt: skip
def test_what_counts_as_a_difference(expected, got, tolerance, problem):
    found = difference(expected, got, tolerance)
    assert problem in found if problem else found == ""


def test_problems_name_signature_and_output(exported):
    folder, _, _ = exported
    case = {
        "inputs": {"value": encode(F32([[1, 2]])), "factor": encode(np.int32(2))},
        "expected": {"scaled": encode(F32([[2, 5]]))},
    }
    job = {"folder": str(folder), "tolerance": 1e-4, "signatures": {"scale": case}}
    job = json.loads(json.dumps(job))
    assert verify_export.problems_of(job) == [
        "scale: output 'scaled' differs by 1 (allowed is 0.0005)"
    ]
    case["expected"]["other"] = case["expected"]["scaled"]
    job["signatures"]["scale"] = case
    assert verify_export.problems_of(job) == ["scale: its outputs are ['scaled']"]
