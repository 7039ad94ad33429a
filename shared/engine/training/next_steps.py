"""Commands that go on with a run, as one would type them in the current folder."""

import os
import shlex
from pathlib import Path

from shared.common.files import read_json
from shared.common.task_names import command_group, training_command
from shared.engine.app import App
from shared.engine.run import Run
from shared.engine.run_folder import was_trained


def next_commands(app: App, run: Run, saved_model: Path) -> list[str]:
    """Commands to evaluate and export a run, to use it, and to train it further.

    Args:
        app: the application.
        run: the run.
        saved_model: version folder of its SavedModel, there or to come.
    """
    command, folder = f"kerasuite {command_group(app.name)}", typed(run.folder)
    steps = [
        f"{command} evaluate {folder}",
        f"{command} export {folder} --output saved_models",
        f"{command} {app.predict_verb} {typed(saved_model.parent)} {app.predict_input} "
        "--output predictions",
    ]
    if was_trained(run.folder):
        steps.append(f"{training_command(app.name)} --output {folder} --resume")
    return steps


def usual_target(app: App, name: str, key: str = "") -> Path:
    """Where `kerasuite export` puts the first version of a run's SavedModel.

    Args:
        app: the application.
        name: of the run.
        key: of the model, where a run is exported as several.
    """
    return Path("saved_models") / app.name / (f"{name}-{key}" if key else name) / "1"


def name_of(run: Run) -> str:
    """The name of a run: its own, or its folder's."""
    return run.config.name or run.folder.resolve().name


def command_of(run: Run) -> str:
    """The command line that trained a run; empty if it was not recorded."""
    path = run.folder / "environment.json"
    words = read_json(path).get("command", []) if path.is_file() else []
    return shlex.join(["kerasuite", *words[1:]]) if words else ""


def typed(folder: Path) -> str:
    """A folder as one would type it in the current folder."""
    folder = folder.resolve()
    near = folder.is_relative_to(Path.cwd())
    return shlex.quote(os.path.relpath(folder) if near else str(folder))
