"""No option is accepted and ignored: each leaf of each task is read, refused or not there."""

import ast
import functools
import typing
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from apps.bert.distillation.config import DistillConfig
from apps.bert.distillation.general.config import GeneralDistillConfig
from apps.bert.finetuning.config import FinetuneConfig
from apps.bert.pretraining.config import PretrainConfig
from apps.embeddings.config import EmbedConfig
from apps.generative.autoencoder.config import AutoencoderConfig
from apps.generative.cyclegan.config import CycleGANConfig
from apps.generative.gan.config import GANConfig
from apps.generative.srgan.config import SrganConfig
from apps.language.config import LanguageConfig
from apps.tables.forecast.config import ForecastConfig
from apps.tables.perceptrons.config import TableConfig
from apps.translation.config import TranslateConfig
from apps.vision.classification.config import ClassifyConfig
from apps.vision.detection.config import DetectConfig
from shared.common import config as configs
from shared.common.config import RunConfig
from shared.common.errors import KerasuiteError
from shared.common.option_use import conditions, flag, is_in, unused, value_at
from shared.engine import options
from tests.test_help import TRAINING, help_of

ROOT = Path(__file__).resolve().parents[1]

# Configuration of a task to the folders of its code.
TASKS: dict[type[RunConfig], tuple[str, ...]] = {
    EmbedConfig: ("apps/embeddings",),
    ClassifyConfig: ("apps/vision/classification",),
    DetectConfig: ("apps/vision/detection",),
    TranslateConfig: ("apps/translation",),
    LanguageConfig: ("apps/language",),
    FinetuneConfig: ("apps/bert",),
    PretrainConfig: ("apps/bert",),
    DistillConfig: ("apps/bert",),
    GeneralDistillConfig: ("apps/bert",),
    TableConfig: ("apps/tables/perceptrons",),
    ForecastConfig: ("apps/tables/forecast",),
    GANConfig: ("apps/generative/gan",),
    AutoencoderConfig: ("apps/generative/autoencoder",),
    CycleGANConfig: ("apps/generative/cyclegan",),
    SrganConfig: ("apps/generative/srgan",),
}
SHARED = ("shared/engine", "shared/common", "shared/text")
LEAVES = [(task, path) for task in TASKS for path, *_ in configs.leaves(task)]
CONDITIONAL = [(task, path) for task in TASKS for path in conditions(task())]


def test_every_task_is_here():
    assert {task.task for task in TASKS} == {
        f"{group}-{verb}" if group == "bert" else group for group, verb in TRAINING
    }


@functools.cache
def attributes_read(folders: tuple[str, ...]) -> frozenset[str]:
    """Names of all attributes that code reads of anything but `self`.

    A layer's own `self.dropout` says nothing about a configuration's. In a `config.py` what a
    property reads of `self` counts.
    """
    found = set()
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
                    continue
                own = isinstance(node.value, ast.Name) and node.value.id == "self"
                if not own or path.name in ("config.py", "encoder_config.py"):
                    found.add(node.attr)
    return frozenset(found)


# Read by `getattr`: the encoder's in `apps/bert/start.py`, the thresholds in `thresholds.py`.
READ_BY_NAME = {"dropout", "attention_dropout", "confidence", "max_detections"}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.task)
def test_every_leaf_is_read(task):
    read = attributes_read((*TASKS[task], *SHARED)) | READ_BY_NAME
    unread = [path for of, path in LEAVES if of is task and path.rpartition(".")[2] not in read]
    assert not unread


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.task)
def test_what_a_task_never_honours_is_no_option(task):
    group, verb = next(
        (group, verb)
        for group, verb in TRAINING
        if (f"{group}-{verb}" if group == "bert" else group) == task.task
    )
    shown = help_of(group, verb)
    hidden = [p for p, *_ in configs.leaves(task, absent=()) if is_in(p, task.absent)]
    assert len(hidden) >= len(task.absent)
    for path in hidden:
        assert f"{flag(path)} " not in shown
        with pytest.raises(KerasuiteError, match=f"unknown key '{path}'"):
            configs.resolve(task, {path: value_at(task(), path)})


def tried_values(config: RunConfig, path: str) -> list:
    """Values of a leaf, among which are some that leave other options without use."""
    kind = next(kind for p, _, kind, _, _ in configs.leaves(type(config)) if p == path)
    choices = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
    return [value_at(config, path), *choices, 0, 1, 0.0, 1.0, "", "none", "loss", "pixel", ("x",)]


def with_use(task: type[RunConfig], path: str) -> dict:
    """Values of other leaves with which that at `path` has a use."""
    by_name = {name: leaf for leaf, name, *_ in configs.leaves(task)}
    found = {}
    for name in conditions(task())[path]:
        for value in tried_values(task(), by_name[name]):
            config = replaced(task, found | {by_name[name]: value})
            if config and unused(config).get(path, "").split(" ")[0] != flag(name):
                found[by_name[name]] = value
                break
    return found


def replaced(task: type[RunConfig], values: dict) -> RunConfig | None:
    try:
        return configs.replaced(task(), values)
    except KerasuiteError:
        return None  # Of another type.


@pytest.mark.parametrize(
    ("task", "path"), CONDITIONAL, ids=lambda value: getattr(value, "task", value)
)
def test_an_option_without_use_is_refused(task, path):
    """Whichever of its conditions fails; and it is accepted where all hold."""
    by_name = {name: leaf for leaf, name, *_ in configs.leaves(task)}
    used, given = with_use(task, path), value_at(task(), path)
    assert path not in unused(replaced(task, used))
    for name in conditions(task())[path]:
        tried = (used | {by_name[name]: v} for v in tried_values(task(), by_name[name]))
        configured = ((values, replaced(task, values)) for values in tried)
        without = [values for values, config in configured if config and path in unused(config)]
        assert without, name
        for values in without:
            with pytest.raises(KerasuiteError, match="is not used with .*; leave it out"):
                configs.resolve(task, values | {path: given})


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.task)
def test_no_preset_sets_what_it_does_not_use(task):
    for preset in task.presets:
        config = configs.resolve(task, {"preset": preset})
        unset = configs.resolve(task)
        changed = [
            path for path in unused(config) if value_at(config, path) != value_at(unset, path)
        ]
        assert not changed, preset


def test_a_resolved_file_is_no_fault_but_a_value_without_use_is(tmp_path):
    """The file of a run holds every leaf, also those that its other values do not use."""
    file = tmp_path / "config.yaml"
    configs.save(configs.resolve(EmbedConfig, {"preset": "glove", "data": ("x",)}), file)
    assert configs.resolve(EmbedConfig, {}, file).model.algorithm == "glove"
    assert "momentum" not in file.read_text()
    values = yaml.safe_load(file.read_text())
    values["model"]["negatives"] = 7
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(KerasuiteError) as error:
        configs.resolve(EmbedConfig, {}, file)
    assert str(error.value) == (
        f"{file}: model.negatives: is not used with --algorithm glove; leave it out"
    )
    values["optimization"]["momentum"] = 0.5
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(KerasuiteError, match="unknown key 'optimization.momentum'"):
        configs.resolve(EmbedConfig, {}, file)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.task)
def test_metrics_are_named_in_help_and_unknown_ones_refused(task):
    app = typer.Typer()

    @app.command()
    @options.config_options(task)
    def train(overrides=None):
        pass

    shown = " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "400"}).output.split())
    assert f"One of {', '.join(task.metrics)}." in shown
    assert set(task.metrics.values()) <= {"max", "min"}
    with pytest.raises(KerasuiteError, match=f"one of {', '.join(task.metrics)}"):
        configs.resolve(task, {"metric": "nonsense"})
