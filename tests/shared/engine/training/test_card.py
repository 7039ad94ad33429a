import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from shared.engine.app import LAST_EPOCH
from shared.engine.training import card
from shared.engine.training.card import card_text, write_card
from tests.shared.engine.toy_export_app import ToyApp, ToyServing, make_run


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, model = make_run(tmp_path / "runs" / "toy-tag" / "words", width=6)
    run.artifacts |= {"counts": {"train": 1200, "validation": 80}, "files": ["x"] * 5000}
    return run, model


def test_a_card_says_what_there_is_to_know(made):
    run, _ = made
    (run.folder / "plots").mkdir()
    (run.folder / "plots" / "curves.png").touch()
    metrics = {"accuracy": np.float32(0.98768), "examples": 80, "per_class": {"cat": 1.0}}
    write_card(ToyApp(), run, metrics)
    text = (run.folder / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# words (toy-tag)\n\nTags words; exists to test the export.\n")
    assert "| tags | 3 (fruit, animal, letter) |" in text
    assert "| counts | 2 (train: 1200, validation: 80) |" in text
    assert "| files | 5,000 (x, x, x" in text and len(text) < 5000
    assert "| accuracy | 0.9877 |" in text and "| examples | 80 |" in text
    assert "per_class" not in text
    assert "highest `val_accuracy`" in text
    assert "| `width` | 6 |" in text and "| `epochs` | 30 |" in text and "`momentum`" not in text
    assert "![curves](plots/curves.png)" in text
    assert f"| tensorflow | {tf.__version__} |" in text
    assert "## Limits and intended use" in text


def test_a_card_says_that_the_last_epoch_is_kept(made, monkeypatch):
    run, _ = made
    monkeypatch.setattr(ToyApp, "monitor", LAST_EPOCH)
    text = card_text(ToyApp(), run, {"accuracy": 0.5})
    assert "The model is the one of the last epoch." in text and "highest" not in text


def test_lists_within_lists_are_counted(made, monkeypatch):
    run, _ = made
    shapes = [[[0.1, 0.2]] * 4, [[0.3, 0.4]] * 6]
    monkeypatch.setitem(run.artifacts, "anchor_shapes", shapes)
    monkeypatch.setitem(run.artifacts, "pairs", [[1, 0.25], [2, 0.5]])
    text = card_text(ToyApp(), run, {})
    assert "| anchor shapes | 2 (4 lists, 6 lists) |" in text
    assert "| pairs | 2 (2 (1, 0.25), 2 (2, 0.5)) |" in text


def test_commands_can_be_copied(made):
    run, _ = made
    # A model that was not trained there, such as an imported one, has nothing to resume.
    assert "--resume" not in card_text(ToyApp(), run, {})
    (run.folder / "history.csv").touch()
    text = card_text(ToyApp(), run, {})
    # The task toy-tag is the verb `tag` of the group `toy`, as bert-finetune is of bert.
    assert "kerasuite toy evaluate runs/toy-tag/words\n" in text
    assert "kerasuite toy export runs/toy-tag/words --output saved_models\n" in text
    assert "kerasuite toy predict saved_models/toy-tag/words INPUT..." in text
    assert "kerasuite toy tag --output runs/toy-tag/words --resume\n" in text
    assert "No figures on the validation data." in text and "![" not in text


def test_a_folder_with_a_space_is_quoted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, _ = make_run(tmp_path / "my run")
    assert "kerasuite toy evaluate 'my run'\n" in card_text(ToyApp(), run, {})


def test_signatures_and_the_rest_request(made):
    run, model = made
    modules = ToyApp().serving(run, model)
    text = card_text(ToyApp(), run, {}, modules)
    assert "| `serving_default` | `word` | string | [N] |" in text
    assert "| `scale` | `factor` | int32 | [] |" in text
    assert 'model_base_path="$(realpath saved_models/toy-tag/words)"' in text
    body = re.search(r"```json\n(.*?)\n```", text, re.DOTALL).group(1)
    assert json.loads(body) == {"instances": [{"word": "..."}]}
    text = card_text(ToyApp(), run, {}, modules, targets={"": Path("out/toy-tag/other/7")})
    assert "saved_model_cli show --dir out/toy-tag/other/7 --all" in text
    assert "--model_name=other " in text and "saved_models/toy-tag" not in text


class Pictures(ToyServing):
    specs = {"image_bytes": tf.TensorSpec([None], tf.string)}

    def __init__(self):
        pass

    def signatures(self):
        return {"serving_default": (self.specs, None)}


class WithScalar(Pictures):
    specs = {"token": tf.TensorSpec([None], tf.string), "k": tf.TensorSpec([], tf.int32)}


class WithUsage(Pictures):
    def usage(self):
        return "Call it like this."


def test_bytes_are_base64_and_scalars_need_columns(made):
    run, _ = made
    text = card_text(ToyApp(), run, {}, {"": Pictures()})
    assert '{"instances": [{"image_bytes": {"b64": "..."}}]}' in text
    text = card_text(ToyApp(), run, {}, {"": WithScalar()})
    assert '{"inputs": {"token": ["..."], "k": 1}}' in text
    text = card_text(ToyApp(), run, {}, {"": WithUsage()})
    assert "Call it like this." in text and "of this form" not in text


def test_a_pipe_in_a_value_does_not_break_the_table(made):
    run, _ = made
    run.artifacts["separator"] = "a|b\nc"
    assert "| separator | a\\|b c |" in card_text(ToyApp(), run, {})


def test_texts_of_users_are_no_html_and_no_markdown():
    """A viewer would run the one and load the other."""
    text = card._cell('<img src=x onerror=alert(1)> ![p](http://x) [l](javascript:x) \x1b[31m\n"a"')
    assert "<" not in text and "\x1b" not in text and "\n" not in text
    assert r"![p]\(http://x) [l]\(" in text and '"a"' in text
