import io
import json

import pytest
from rich.console import Console

from shared.common.errors import KerasuiteError
from shared.common.files import write_json
from shared.engine.saved_model import export as exports
from shared.engine.saved_model.inspect import describe, inspect
from shared.engine.saved_model.run_export import export_if_needed
from tests.shared.engine.toy_export_app import TAGS, ToyApp, make_run


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run folder as training leaves it, with one export."""
    folder = tmp_path_factory.mktemp("inspect") / "words"
    make_run(folder)
    write_json(folder / "metrics.json", {"accuracy": 0.9123456, "per_class": {"cat": 1.0}})
    (folder / "history.csv").write_text("epoch,loss,val_loss\n1,2.0,2.5\n2,1.0,\n")
    (folder / "checkpoints" / "ckpt-2").mkdir(parents=True)
    (folder / "checkpoints" / "ckpt-2" / "state").write_bytes(b"x" * 1234)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "verify", lambda jobs: None)
        export_if_needed(ToyApp(), folder)
    return folder


def printed(path):
    console = Console(width=120, file=io.StringIO())
    console.print(inspect(path))
    return console.file.getvalue()


def test_a_saved_model(run_folder):
    model = run_folder / "export" / "toy-tag" / "words"
    facts = describe(model)
    assert facts == describe(model / "1")
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["kind"], facts["task"]) == ("saved_model", "toy-tag")
    assert facts["signatures"]["serving_default"] == {
        "inputs": {"word": {"dtype": "string", "shape": [None]}},
        "outputs": {
            "picture": {"dtype": "string", "shape": [None]},
            "scores": {"dtype": "float32", "shape": [None, 3]},
            "tag": {"dtype": "string", "shape": [None]},
        },
    }
    scale = facts["signatures"]["scale"]
    assert scale["inputs"]["factor"] == {"dtype": "int32", "shape": []}
    assert set(facts["signatures"]) == {"serving_default", "scale"}
    # Embedding 5 x 4, BatchNormalization 4 x 4, dense 4 x 3 + 3.
    assert facts["parameters"] == 20 + 16 + 15
    files = [file for file in (model / "1").rglob("*") if file.is_file()]
    assert facts["bytes"] == sum(file.stat().st_size for file in files)
    assert facts["config"]["width"] == 4
    labels = next(asset for asset in facts["assets"] if asset["file"] == "assets.extra/labels.txt")
    assert (labels["lines"], labels["first_lines"]) == (3, TAGS)
    assert "assets/words.txt" in [asset["file"] for asset in facts["assets"]]


def test_a_saved_model_as_tables(run_folder):
    text = printed(run_folder / "export" / "toy-tag" / "words")
    for expected in ("serving_default", "float32", "[N, 3]", "51", "width", "labels.txt", "2."):
        assert expected in text


def test_a_saved_model_of_another_tool(run_folder, tmp_path):
    source = run_folder / "export" / "toy-tag" / "words" / "1" / "saved_model.pb"
    (tmp_path / "saved_model.pb").write_bytes(source.read_bytes())
    facts = describe(tmp_path)
    assert (facts["task"], facts["config"], facts["parameters"]) == (None, {}, 0)
    assert "not exported by kerasuite" in printed(tmp_path)


def test_a_run_folder(run_folder):
    facts = describe(run_folder)
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["kind"], facts["task"]) == ("run", "toy-tag")
    assert facts["metrics"]["accuracy"] == 0.9123456
    assert facts["history"] == {
        "epochs": 2,
        "last": {"epoch": "2", "loss": "1.0", "val_loss": ""},
    }
    assert facts["checkpoints"] == [{"name": "ckpt-2", "bytes": 1234}]
    assert facts["model_bytes"] == (run_folder / "model.keras").stat().st_size
    assert facts["exports"] == ["export/toy-tag/words/1"]
    text = printed(run_folder)
    for expected in ("0.9123", "ckpt-2 (1,234 B)", "export/toy-tag/words/1", "learning_rate"):
        assert expected in text


def test_a_run_that_has_just_begun(tmp_path):
    (tmp_path / "config.yaml").write_text("task: toy-tag\nepochs: 3\n")
    facts = describe(tmp_path)
    assert facts["history"] == {"epochs": 0, "last": {}} and facts["model_bytes"] is None
    assert "none yet" in printed(tmp_path)


def test_names_with_brackets_are_no_markup(tmp_path):
    (tmp_path / "config.yaml").write_text("task: toy-tag\nname: '[red]x[/red]'\n")
    assert "[red]x[/red]" in printed(tmp_path)


def test_paths_that_are_neither(tmp_path):
    with pytest.raises(KerasuiteError, match="no such file or folder"):
        describe(tmp_path / "absent")
    with pytest.raises(KerasuiteError, match="neither a SavedModel .* nor a run folder"):
        describe(tmp_path)
    file = tmp_path / "file.txt"
    file.write_text("x")
    with pytest.raises(KerasuiteError, match="neither"):
        describe(file)
    (tmp_path / "saved_model.pb").write_bytes(b"\xff not a proto")
    with pytest.raises(KerasuiteError, match="saved_model.pb: is damaged"):
        describe(tmp_path)
