"""The list of published weights: on the command line, in README and in the documentation."""

import importlib
from pathlib import Path

import pytest

from apps.vision.backbone_names import OURS
from shared.common.published_weights import PUBLISHED, VERBS, as_markdown, as_text
from tests.in_process import run_command

ROOT = Path(__file__).parents[1]


def test_each_has_a_line_to_type():
    shown = run_command("weights")
    assert shown.returncode == 0 and shown.stdout == as_text() + "\n"
    for weights in PUBLISHED:
        assert weights.line in shown.stdout and "{" not in weights.line
        assert weights.megabytes > 0 and weights.licence and weights.figure
        assert not weights.network or weights.network in OURS
    only = run_command("weights", "lm").stdout
    assert "openai-community/gpt2" in only and "bert" not in only


def test_the_verbs_exist():
    for task, line in VERBS.items():
        verb = line.split()[2]
        import_path = importlib.import_module("cli").GROUPS[task][0].partition(":")[0]
        group = importlib.import_module(import_path).commands
        assert verb in {command.name for command in group.registered_commands}


def test_another_task():
    done = run_command("weights", "srgan")
    assert done.returncode == 1 and "srgan: no published weights are known; one of" in done.stderr


@pytest.mark.parametrize("page", ["README.md", "docs/pages/weights.md"])
def test_the_documentation_has_the_table(page):
    assert as_markdown() in (ROOT / page).read_text("utf-8")
