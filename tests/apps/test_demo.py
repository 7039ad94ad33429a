"""The demonstration: its page from the first task on, failures, and one task for real."""

import multiprocessing
import sys
import types

import pytest
from PIL import Image

from apps import demo as demo_module
from apps.demo import Part, run_demo
from shared.common.errors import KerasuiteError
from shared.testing.app_test import expect_success, kerasuite


@pytest.fixture
def tasks(monkeypatch):
    """Two toy tasks in place of the real ones; their pages as they were seen on the way."""
    seen = []

    def demonstrate(demo):
        seen.append(demo.index.read_text(encoding="utf-8"))
        printed = demo.command("samples")
        assert "numbers-en-zh" in printed
        picture = demo.folder / "picture.png"
        assert not picture.exists()  # No two tasks share a folder.
        Image.new("RGB", (4, 4)).save(picture)
        return picture

    toy = types.ModuleType("toy")
    toy.demonstrate = demonstrate
    monkeypatch.setitem(sys.modules, "toy", toy)
    parts = {name: Part(f"Toy {name}", "toy", "toy") for name in ("one", "two")}
    monkeypatch.setattr(demo_module, "DEMOS", parts)
    # This process may have run TensorFlow, after which it must not be forked.
    monkeypatch.setattr(demo_module, "CONTEXT", multiprocessing.get_context("spawn"))
    return seen


def test_the_page_stands_from_the_first_task_on(tasks, tmp_path, capfd):
    index = run_demo(tmp_path / "demo", [])
    whole = index.read_text(encoding="utf-8")
    first, second = tasks
    assert "Toy one (to come)" in first and "Toy two (to come)" in first
    assert '<a href="#one">' in second and "Toy two (to come)" in second
    for task in ("one", "two"):
        assert f'<a href="#{task}">' in whole and f'<h2 id="{task}">Toy {task}</h2>' in whole
    assert whole.index('href="#two"') < whole.index('id="one"') < whole.index('id="two"')
    # In the contents alone; each block of a command with what it printed.
    assert whole.count("<img") == 2
    assert whole.count("$ kerasuite samples\n") == 2 and "CPU seconds" in whole
    assert "minutes of CPU time" in capfd.readouterr().out


def test_a_second_demo_gets_a_folder_of_its_own(tasks, tmp_path):
    (tmp_path / "demo").mkdir()
    assert run_demo(tmp_path / "demo", ["two"]) == tmp_path / "demo-2" / "index.html"


def test_unknown_tasks_and_failed_commands_are_told(tasks, tmp_path, monkeypatch):
    with pytest.raises(KerasuiteError, match=r"demo tow: unknown \(did you mean 'two'\?\)"):
        run_demo(tmp_path / "demo", ["tow"])
    assert not (tmp_path / "demo").exists()
    failing = types.ModuleType("toy")
    failing.demonstrate = lambda demo: demo.command("samples", "nothing")
    monkeypatch.setitem(sys.modules, "toy", failing)
    with pytest.raises(KerasuiteError, match="'kerasuite samples nothing' ended with exit code 1"):
        run_demo(tmp_path / "demo", ["one"])


@pytest.mark.slow
def test_a_task_for_real(tmp_path):
    """Its commands are forked from a process that has imported TensorFlow."""
    done = kerasuite("demo", "embed", "--output", tmp_path / "demo")
    expect_success(done)
    page = (tmp_path / "demo" / "index.html").read_text(encoding="utf-8")
    assert "verified in a fresh process" in page and "palestinian" in page
    assert "\x1b" not in page
