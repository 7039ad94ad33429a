"""The help of every command: defaults, presets, completion; and the environment of a user."""

import importlib
import json
import os
import re
import subprocess
import sys

import click
import pytest
import typer
from typer.testing import CliRunner

import cli
from shared.engine.task_commands import TaskCommands

# A config class's task to the verbs that train, by group.
TRAINING = [(group, "train") for group in cli.GROUPS if group != "bert"] + [
    ("bert", verb) for verb in ("finetune", "pretrain", "distill", "distill-general")
]


def group_of(name: str) -> TaskCommands:
    module, _, attribute = cli.GROUPS[name][0].partition(":")
    return getattr(importlib.import_module(module), attribute)


def help_of(group: str, verb: str) -> str:
    """The help of a command as a terminal of any width shows it, on one line."""
    result = CliRunner().invoke(cli.app, [group, verb, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return " ".join(result.output.replace("│", " ").split())


COMMANDS = [
    (group, verb)
    for group in cli.GROUPS
    for verb, command in typer.main.get_command(group_of(group)).commands.items()
    if not command.hidden
]


@pytest.mark.parametrize(("group", "verb"), COMMANDS)
def test_help_shows_every_default(group, verb):
    command = typer.main.get_command(group_of(group)).commands[verb]
    shown = help_of(group, verb)
    for parameter in command.params:
        default = parameter.default
        if isinstance(parameter, click.Option | typer.core.TyperOption) and default not in (
            None, False, "", [], (),
        ):  # fmt: skip
            assert f"[default: {default}]" in shown, parameter.name


def test_help_shows_no_inner_names():
    """Neither the type of a flag nor the name of a parameter in place of its metavar."""
    pages = [help_of(group, verb) for group, verb in COMMANDS]
    tools = ([], *([name] for name in ("demo", "samples", "inspect", "devices", "launch")))
    pages += [CliRunner().invoke(cli.app, [*tool, "--help"]).output for tool in tools]
    for shown in pages:
        assert not re.search(r"<bool>|\bBOOLEAN\b|\{[a-z_]+\}|\.{3}\}", shown), shown


@pytest.mark.parametrize(("group", "verb"), TRAINING)
def test_help_of_training_shows_defaults_and_presets(group, verb):
    shown = help_of(group, verb)
    assert "[default: 1]" in shown  # the seed's
    assert "Named set of defaults. One of test" in shown
    assert "options options" not in shown


def test_bert_train_names_the_verbs_that_train():
    result = CliRunner().invoke(cli.app, ["bert", "train", "data", "--epochs", "3"])
    for verb in ("finetune", "pretrain", "distill", "distill-general"):
        assert f"bert {verb}" in str(result.exception)


def test_completion_is_offered_once_and_works():
    assert "--install-completion" in CliRunner().invoke(cli.app, ["--help"]).output
    assert "completion" not in CliRunner().invoke(cli.app, ["classify", "--help"]).output
    typed = {
        "_KERASUITE_COMPLETE": "complete_bash",
        "COMP_WORDS": "kerasuite classify ex",
        "COMP_CWORD": "2",
    }
    code = "import sys; sys.argv = ['kerasuite']; import cli; cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | typed, capture_output=True, text=True
    )
    assert done.stdout.split() == ["export", "explain"] or done.stdout.split() == [
        "explain", "export",
    ]  # fmt: skip


def test_a_users_own_settings_of_keras_change_nothing(tmp_path):
    """Another backend, layout and precision in the environment and in ~/.keras/keras.json."""
    settings = {
        "backend": "jax",
        "image_data_format": "channels_first",
        "floatx": "float16",
        "epsilon": 1e-3,
    }
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(settings))
    code = (
        "import sys; sys.argv = ['kerasuite', '--version']\n"
        "import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "from shared.engine.load_app import load_module\n"
        "c = load_module('keras').config\n"
        "print(c.backend(), c.image_data_format(), c.floatx(), c.epsilon(), c.dtype_policy().name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HOME": str(tmp_path), "KERAS_HOME": "", "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "tensorflow channels_last float32 1e-07 float32", (
        done.stdout + done.stderr
    )
