"""`index.html` of a run: everything of the user is escaped, links are relative and there."""

import html
import json
import re
from urllib.parse import unquote

import pytest

from shared.common import config as configs
from shared.common.files import write_json, write_text
from shared.engine.run import Run
from shared.engine.training.overview import write_overview
from shared.report.page import Page
from tests.shared.engine.training.toy_app import ToyApp, ToyConfig
from tests.shared.report.test_page import Checker, picture

HOSTILE = "<script>alert('x')</script> & \"ü\".png"


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "a run"
    for name in ("plots/curves.png", "samples/a & b #1.png", f"samples/{HOSTILE.replace('/', '')}"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture())
    page = Page("Most confident mistakes")
    page.write(folder / "samples" / "mistakes.html")
    write_text(folder / "history.csv", "epoch\n1\n")
    command = ["/bin/kerasuite", "toy", "train", "my data", "--name", HOSTILE]
    write_json(folder / "environment.json", {"command": command})
    return Run(configs.resolve(ToyConfig, {"data": ("my data",)}), folder)


def test_all_of_a_run_is_on_one_page(run):
    metrics = {
        "accuracy": 0.98765,
        "per_class": {HOSTILE: {"f1": 0.5}, "dog": {"f1": 1.0, "support": 3}},
        "confusion_matrix": [[1, 2]],
    }
    write_overview(ToyApp(), run, metrics)
    text = (run.folder / "index.html").read_text(encoding="utf-8")
    checked = Checker(text)
    shown = "".join(checked.text)
    assert "script" not in checked.tags
    assert "0.9877" in shown and HOSTILE in shown and "On the validation data." in shown
    assert "kerasuite toy train 'my data' --name '<script>" in shown
    assert "kerasuite toy export " in shown and "--resume" in shown
    sources = [unquote(source) for source in checked.sources]
    assert all((run.folder / source).is_file() for source in sources)
    assert {"plots/curves.png", "samples/mistakes.html", "samples/a & b #1.png"} <= set(sources)
    assert not re.search(r'(src|href)="(/|\w+:)', html.unescape(text))


def test_an_evaluation_on_other_data_has_a_page_of_its_own(run):
    write_overview(ToyApp(), run, {"accuracy": 1.0}, ["other <data>"])
    text = (run.folder / "evaluation" / "index.html").read_text(encoding="utf-8")
    assert "On other &lt;data&gt;." in text
    assert not (run.folder / "index.html").exists()


def test_a_run_whose_command_is_not_known(run):
    (run.folder / "environment.json").write_text(json.dumps({}))
    write_overview(ToyApp(), run, {})
    assert "To train it again" not in (run.folder / "index.html").read_text(encoding="utf-8")
