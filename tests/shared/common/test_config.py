"""Configurations: order of the sources, validation, round trip, one option for every leaf."""

import dataclasses
from typing import ClassVar

import pytest
import typer
import yaml
from typer.testing import CliRunner

from shared.common import config as configs
from shared.common.config import RunConfig, config_class, group, option
from shared.common.errors import KerasuiteError
from shared.engine import options


@config_class
class PartConfig:
    width: int = option(4, "Width.", ge=1)
    names: tuple[str, ...] = option((), "Names.")


@config_class
class ExampleConfig(RunConfig):
    task: ClassVar[str] = "example"
    presets: ClassVar[dict] = {"test": {"epochs": 2, "part": {"width": 9}}}
    part: PartConfig = group(PartConfig)


def test_later_sources_win(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("preset: test\nseed: 5\nepochs: 3\n")
    config = configs.resolve(ExampleConfig, {"seed": 6}, file)
    assert (config.seed, config.epochs, config.part.width) == (6, 3, 9)
    assert config.batch_size == ExampleConfig().batch_size


@config_class
class OwnDefaultsConfig(RunConfig):
    task: ClassVar[str] = "own"
    presets: ClassVar[dict] = {"test": {"part": {"names": ["x"]}}}
    part: PartConfig = group(lambda: PartConfig(width=7))


def test_a_group_keeps_the_defaults_of_its_task(tmp_path):
    """Wherever one of its leaves is given, the others stay what the task says."""
    file = tmp_path / "config.yaml"
    file.write_text("part:\n  names: [y]\n")
    for overrides, source in (
        ({"part.names": ("z",)}, None), ({"preset": "test"}, None), ({}, file),
    ):  # fmt: skip
        config = configs.resolve(OwnDefaultsConfig, overrides, source)
        assert config.part.width == 7
        assert len(config.part.names) == 1


def test_round_trip_through_a_file(tmp_path):
    config = configs.resolve(
        ExampleConfig, {"preset": "test", "data": ("a", "ü b"), "part.names": ("x", "y")}
    )
    configs.save(config, tmp_path / "config.yaml")
    assert configs.load(ExampleConfig, tmp_path / "config.yaml") == config
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["task"] == "example"


def test_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ExampleConfig().seed = 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("part:\n  widht: 3\n", "unknown key 'part.widht' (did you mean 'part.width'?)"),
        ("epochs: many\n", "epochs = 'many'"),
        ("part:\n  width: 0\n", "part.width = 0: input should be greater than or equal to 1"),
        ("precision: float8\n", "precision = 'float8'"),
        ("task: other\n", "is for the task 'other'"),
        ("- a list\n", "must hold 'key: value' lines"),
        ("a: b: c\n", "line 1: is not valid YAML"),
    ],
)
def test_a_bad_file_is_named_with_the_key(tmp_path, text, message):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(KerasuiteError) as error:
        configs.resolve(ExampleConfig, {}, file)
    assert message in str(error.value)
    assert "bad.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_preset_suggests():
    with pytest.raises(KerasuiteError, match="did you mean 'test'"):
        configs.resolve(ExampleConfig, {"preset": "tset"})


def test_a_run_of_another_task_is_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("task: other\n")
    with pytest.raises(KerasuiteError, match="not of 'example'"):
        configs.load(ExampleConfig, tmp_path / "config.yaml")


def test_a_run_of_another_version_says_so(tmp_path):
    (tmp_path / "config.yaml").write_text("task: example\npart:\n  widht: 3\n")
    message = r"config.yaml: unknown key 'part.widht'; it was made by another version"
    with pytest.raises(KerasuiteError, match=message):
        configs.load(ExampleConfig, tmp_path / "config.yaml")


def test_every_leaf_has_help_and_an_option():
    got = {}
    app = typer.Typer()

    @app.command()
    @options.config_options(ExampleConfig)
    def train(data: options.Data, overrides=None):
        got.update(overrides)

    arguments = ["x", "--width", "7", "--names", "a", "--names", "b", "--deterministic"]
    result = CliRunner().invoke(app, [*arguments, "--no-deterministic"])
    assert result.exit_code == 0, result.output
    assert got == {"part.width": 7, "part.names": ["a", "b"], "deterministic": False}
    for path, _, _, help_text, _ in configs.leaves(ExampleConfig):
        assert help_text.endswith("."), path


def test_two_leaves_of_one_name_are_refused():
    @config_class
    class Clash(RunConfig):
        task: ClassVar[str] = "clash"

        @config_class
        class Part:
            seed: int = option(1, "Another seed.")

        part: Part = group(Part)

    with pytest.raises(ValueError, match="--seed"):
        options.config_options(Clash)(lambda overrides=None: None)
