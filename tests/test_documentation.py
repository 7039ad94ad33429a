"""README and docs: every command exists, the table of results is that of its rows."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import cli
from tests.quality.results import write_result
from tests.test_architecture import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def load(name):
    """A module of docs/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


results_table, gen_options = load("results_table"), load("gen_options")


def commands_in(text: str) -> list[str]:
    """The lines of shell blocks and the inline code that begin with `kerasuite`."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    inline = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = [line.removeprefix("$ ") for line in [*lines, *inline]]
    # Words in capitals stand for something.
    return [c for c in found if re.match(r"kerasuite (?!TASK|\.\.\.)", c) and "..." not in c]


def parse(words: list[str]) -> None:
    """Parses the words after `kerasuite`.

    Raises:
        Exception: for a verb, an option or a value that does not exist.
    """
    root = typer.main.get_command(cli.app)
    if words[0] in cli.GROUPS:
        commands = gen_options.commands_of(words[0])
        words = words[1:]
    else:
        commands = root.commands
    if not words or words[0].startswith("-"):
        named = {option for parameter in root.get_params(root_context(root))
                 for option in parameter.opts}  # fmt: skip
        assert set(words) <= named | {"--help"}
        return
    if words[0] == "launch" and "--" in words:
        parse(words[words.index("--") + 1 :])
    try:
        commands[words[0]].make_context(words[0], words[1:])
    except typer.Exit:
        assert "--help" in words


def root_context(root):
    return root.context_class(root)


COMMANDS = sorted(
    {(path.name, c) for path in PAGES for c in commands_in(path.read_text(encoding="utf-8"))}
    | {("results", row["command"]) for row in results_table.rows()}
)


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_command_exists(page, command):
    words = shlex.split(command, comments=True)[1:]
    parse(words)
    if "--preset" in words and (words[0], words[1]) in gen_options.CONFIGS:
        preset = words[words.index("--preset") + 1]
        assert preset in gen_options.load(gen_options.CONFIGS[words[0], words[1]]).presets


@pytest.mark.parametrize(
    "command", ["classfy train x", "classify trian x", "classify train x --epoch 3",
                "detect predict m x --format xml", "--versoin"],
)  # fmt: skip
def test_a_command_that_does_not_exist_is_found(command):
    with pytest.raises((Exception, AssertionError)):
        parse(shlex.split(command))


def test_the_pages_have_commands_of_every_verb():
    """What the help offers is shown somewhere."""
    shown = {tuple(command.split()[1:3]) for _, command in COMMANDS}
    missing = {
        (group, verb)
        for group in cli.GROUPS
        for verb, command in gen_options.commands_of(group).items()
        if not command.hidden
    } - shown
    assert not missing


def test_the_table_of_the_readme_is_that_of_the_rows():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text == results_table.filled(text), "run python docs/results_table.py"
    assert len(text.splitlines()) <= 250


def test_a_row_of_a_quality_test(tmp_path, monkeypatch, capsys):
    command = "kerasuite detect train bccd --preset nano"
    write_result("detect-bccd", command, "BCCD", "mAP@.5", "0.8|", 930, "0.79", tmp_path)
    assert "0.8|" in capsys.readouterr().out
    row = json.loads((tmp_path / "detect-bccd.json").read_text())
    assert (row["task"], row["time"], row["published"]) == ("detect", "16 min", "0.79")
    monkeypatch.setattr(results_table, "RESULTS", tmp_path)
    assert "| `detect` | BCCD | mAP@.5 | 0.8\\| | 0.79 | 16 min |" in results_table.table()
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="other.json: has the keys"):
        results_table.table()


def test_pages_are_filled_without_tensorflow():
    code = (
        "import sys, pathlib; sys.path.insert(0, 'docs'); import gen_options\n"
        "for path in sorted(pathlib.Path('docs/pages').rglob('*.md')):\n"
        "    print(gen_options.expand(path.read_text(encoding='utf-8')))\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "<!--" not in done.stdout
    for row in (
        "| `--epochs` | `30` | Passes over the training data. |",
        "| `--precision` | `float32` | Dtype policy of the layers. One of `float32`, "
        "`mixed_bfloat16`, `mixed_float16`. |",
        "| `--deterministic`, `--no-deterministic` | `off` |",
    ):
        assert row in done.stdout


def test_pictures_are_there_and_small():
    for path in PAGES:
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
            # Pages refer to pictures by their path in the site.
            names = (path.parent / target, ROOT / "docs" / "images" / Path(target).name)
            found = [name for name in names if name.is_file()]
            assert found, f"{path}: {target}"
            assert found[0].stat().st_size < 300_000
