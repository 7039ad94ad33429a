"""Run configurations: frozen dataclasses with presets, YAML files and command-line overrides.

A configuration is a tree of frozen dataclasses. Every leaf has a default, a help text and
bounds, given once by `option`; the command line, the YAML file and the validation all come
from that one declaration:

    @config_class
    class AugmentConfig:
        mixup: float = option(0.0, "MixUp alpha (Zhang et al., 2018); 0 is off.", ge=0)

Values are taken, in this order, from the defaults, the preset, the file named by `--config`
and the command line. Unknown keys are errors.
"""

import dataclasses
import difflib
import functools
import glob
import operator
import os
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import pydantic
import yaml
from pydantic.dataclasses import dataclass as pydantic_dataclass

from shared.common.errors import KerasuiteError
from shared.common.files import write_text
from shared.common.option_use import USED_WITH, is_in, refuse_unused, value_at
from shared.common.remote_paths import refuse_remote
from shared.common.task_names import command_group
from shared.common.yaml_files import load_yaml

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
StrategyName = Literal["auto", "single", "mirrored", "multiworker"]
T = TypeVar("T")

config_class = pydantic_dataclass(
    frozen=True, kw_only=True, config=pydantic.ConfigDict(extra="forbid")
)


def option(
    default: Any, help: str, *, used_with: Mapping[str, Any] | None = None, **bounds: Any
) -> Any:
    """Declares a leaf of a configuration.

    Args:
        default: its default.
        help: its help text.
        used_with: names of other leaves to the values with which this one is used, where some
            values leave it without use; see `shared.common.option_use`.
        **bounds: such as `ge=0` or `lt=1`.
    """
    extra = {USED_WITH: used_with} if used_with else None
    return pydantic.Field(default, description=help, json_schema_extra=extra, **bounds)


def group(config_type: type) -> Any:
    """Declares a nested group whose leaves all have their defaults."""
    return dataclasses.field(default_factory=config_type)


@config_class
class OptimizationConfig:
    """Optimiser and schedule, the same for every application."""

    optimizer: Literal["sgd", "adam", "adamw", "lamb", "rmsprop"] = option(
        "adamw", "Update rule: sgd has Nesterov momentum, lamb is for very large batches."
    )
    momentum: float = option(
        0.9, "Momentum of sgd and rmsprop.", used_with={"optimizer": ("sgd", "rmsprop")}, ge=0, lt=1
    )
    beta_1: float = option(
        0.9, "Decay of adam's and adamw's mean of the gradient.",
        used_with={"optimizer": ("adam", "adamw")}, ge=0, lt=1,
    )  # fmt: skip
    weight_decay: float = option(
        0.0, "Decoupled weight decay, not applied to biases and normalisation.", ge=0
    )
    schedule: Literal["constant", "cosine", "linear", "late_linear", "step", "noam"] = option(
        "cosine", "Decay of the learning rate after the warm-up; late_linear: in its second half."
    )
    warmup: float = option(
        0.05, "Length of the linear warm-up, as a fraction of all steps.", ge=0, lt=1
    )
    final_learning_rate: float = option(
        0.0, "Final learning rate of cosine, linear and late_linear, as a fraction of the peak.",
        used_with={"schedule": ("cosine", "linear", "late_linear")}, ge=0, le=1,
    )  # fmt: skip
    clip_norm: float = option(
        0.0, "Clip the global norm of the gradient, after the all-reduce; 0 disables.", ge=0
    )
    micro_batches: int = option(1, "Micro-batches per step; their gradients are summed.", ge=1)
    ema: float = option(
        0.0, "Decay of the exponential moving average of the weights; 0 disables.", ge=0, lt=1
    )
    patience: int = option(
        0,
        "Stop when the monitored metric has not improved for this many epochs; 0 disables.",
        ge=0,
    )


@config_class
class RunConfig:
    """Options of every training run; applications add their own leaves and groups.

    Class attributes:
        task: the name of the application that the configuration belongs to.
        presets: name to nested values that replace the defaults; one is called `test`.
        absent: dotted paths of shared groups and leaves that the task can never honour: they are
            no options, no keys of configuration files, and keep their defaults.
        used_with: dotted path of a shared leaf to conditions as in `option`, of this task only.
        metrics: what `--metric` may name: metrics of a validation to "max" or "min".
    """

    task: ClassVar[str]
    absent: ClassVar[tuple[str, ...]] = ()
    used_with: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    metrics: ClassVar[Mapping[str, str]] = {"loss": "min"}
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"test": {}}

    data: tuple[str, ...] = option((), "Files or folders with the training data.")
    name: str = option("", "Name of the run; by default the preset's or the task's.")
    preset: str = option("", "Named set of defaults.")
    init: str = option("", "Run folder or weights file to start from.")
    epochs: int = option(30, "Passes over the training data.", ge=1)
    batch_size: int = option(32, "Global batch size, over all devices.", ge=1)
    learning_rate: float = option(1e-3, "Peak learning rate.", gt=0)
    seed: int = option(1, "Seed of every random choice.", ge=0, lt=2**31)
    strategy: StrategyName = option("auto", "Distribution strategy.")
    devices: str = option("", "Devices: gpu:0,gpu:1 or cpu:2 for two logical CPUs.")
    precision: Precision = option("float32", "Dtype policy of the layers.")
    xla: Literal["auto", "on", "off"] = option(
        "auto", "Compile training steps by XLA; auto: on one GPU, for rows of one shape."
    )
    deterministic: bool = option(False, "Use deterministic kernels, somewhat slower.")
    validate_every: int = option(
        1, "Epochs between two validations; the last epoch is always validated.", ge=1
    )
    metric: str = option("", "Metric of the validation that the best model and --patience follow.")
    checkpoint_every: str = option(
        "10m", "Time or steps between checkpoints within an epoch: 500 steps, 10m or 30s."
    )
    keep: int = option(2, "Number of checkpoints to keep.", ge=1)
    optimization: OptimizationConfig = group(OptimizationConfig)

    def refuse_mistakes(self) -> None:
        """Raises KerasuiteError for what can be seen to be wrong without TensorFlow.

        Tasks add the names that they alone have, such as those of backbones.
        """
        self.refuse_missing_data()
        self.refuse_missing_init()

    def refuse_missing_data(self) -> None:
        """Raises KerasuiteError if a file or folder of the data is not there."""
        for path in self.data:
            if path == "-" or os.path.lexists(path):
                continue
            refuse_remote(path)
            if not glob.has_magic(path):
                raise KerasuiteError(f"{path}: no such file or folder; check the path")

    def refuse_missing_init(self) -> None:
        """Raises KerasuiteError if `--init` names no file or folder."""
        if self.init and not Path(self.init).exists():
            refuse_remote(self.init)
            raise KerasuiteError(
                f"--init {self.init}: no such file; give a run folder or a weights file"
            )


def leaves(
    config_type: type, prefix: str = "", defaults: Any = None, absent: tuple[str, ...] | None = None
) -> Iterator[tuple[str, str, Any, str, Any]]:
    """Yields (dotted path, leaf name, type, help, default) of every leaf of a config class.

    Args:
        config_type: the class.
        prefix: of the paths; that of a group ends in a dot.
        defaults: an instance to take the defaults from; by default `config_type()`.
        absent: paths to leave out; by default those of the class.
    """
    hints = typing.get_type_hints(config_type)
    defaults = config_type() if defaults is None else defaults
    absent = getattr(config_type, "absent", ()) if absent is None else absent
    for field in dataclasses.fields(config_type):
        path, default = f"{prefix}{field.name}", getattr(defaults, field.name)
        if path in absent:
            continue
        if dataclasses.is_dataclass(hints[field.name]):
            # A task may have its own defaults for a group that all tasks share.
            yield from leaves(hints[field.name], f"{path}.", default, absent)
        else:
            yield path, field.name, hints[field.name], field.default.description, default


def resolve(
    config_type: type[RunConfig],
    overrides: Mapping[str, Any] | None = None,
    file: str | Path | None = None,
) -> RunConfig:
    """Builds a configuration from preset, file and command line, later ones first.

    Args:
        config_type: subclass of RunConfig.
        overrides: dotted leaf path to value, as given on the command line.
        file: path of a YAML file.

    Raises:
        KerasuiteError: for an unknown preset or key, or a value outside its bounds.
    """
    overrides = dict(overrides or {})
    from_file = read_yaml(file) if file else {}
    task = from_file.pop("task", config_type.task)
    if task != config_type.task:
        raise KerasuiteError(
            f"{file}: is for the task '{task}', not '{config_type.task}'; "
            f"use another file or another command"
        )
    preset = str(overrides.get("preset") or from_file.get("preset") or "")
    # Onto the defaults of this task: a group of which one leaf is given keeps its others.
    base = _merge(_defaults(config_type), _preset_values(config_type, preset))
    values = _merge(base, from_file)
    for path, value in overrides.items():
        set_value(values, path, value)
    source = str(file) if file else "command line"
    config = from_dict(config_type, values, source)
    _check_metric(config)
    refuse_unused(config, overrides)
    # A file may hold all leaves, as that of a run does; those that say nothing new are no fault.
    if file:
        base_config = from_dict(config_type, base, source)
        changed = (p for p in _paths(from_file) if value_at(base_config, p) != value_at(config, p))
        refuse_unused(config, changed, source)
    return config


def _defaults(config_type: type[RunConfig]) -> dict[str, Any]:
    values = to_dict(config_type())
    del values["task"]
    return values


def _preset_values(config_type: type[RunConfig], preset: str) -> dict:
    if not preset:
        return {}
    if preset not in config_type.presets:
        raise KerasuiteError(
            f"--preset {preset}: unknown{did_you_mean(preset, config_type.presets)}; "
            f"one of {', '.join(config_type.presets)}"
        )
    return _merge({"preset": preset}, config_type.presets[preset])


def _check_metric(config: RunConfig) -> None:
    if config.metric and config.metric not in config.metrics:
        raise KerasuiteError(
            f"--metric {config.metric}: unknown{did_you_mean(config.metric, config.metrics)}; "
            f"one of {', '.join(config.metrics)}"
        )


def _merge(base: Mapping, over: Mapping) -> dict:
    merged = dict(base)
    for key, value in over.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def set_value(values: dict, path: str, value: Any) -> None:
    """Sets a leaf of nested plain values.

    Args:
        values: the outermost mapping, which is changed.
        path: dotted path of the leaf.
        value: its value.
    """
    *groups, leaf = path.split(".")
    for name in groups:
        inner = values.get(name) or {}
        if not isinstance(inner, Mapping):
            raise KerasuiteError(f"{name}: must hold 'key: value' lines, not {inner!r}")
        values[name] = dict(inner)
        values = values[name]
    values[leaf] = value


def from_dict(
    config_type: type[T],
    values: Mapping[str, Any] | T,
    source: str = "configuration",
    unknown: str = "",
) -> T:
    """A configuration of nested plain values, validated; an instance is returned unchanged.

    Args:
        config_type: the dataclass, a whole configuration or one of its groups.
        values: nested plain values, such as `to_dict` gives, or an instance.
        source: where the values come from, for messages.
        unknown: what the error says of an unknown key, by default a key that may be meant.

    Raises:
        KerasuiteError: for an unknown key, or a value outside its bounds.
    """
    if isinstance(values, config_type):
        return values
    for path in _paths(values):
        if is_in(path, getattr(config_type, "absent", ())):
            raise KerasuiteError(f"{source}: {_unknown_key(path, config_type, unknown)}")
    try:
        return pydantic.TypeAdapter(config_type).validate_python(dict(values))
    except pydantic.ValidationError as error:
        raise KerasuiteError(f"{source}: {_explain(error, config_type, unknown)}") from error


def replaced(config: RunConfig, overrides: Mapping[str, Any]) -> RunConfig:
    """A configuration with other values for some leaves, by dotted path."""
    values = to_dict(config)
    del values["task"]
    for path, value in overrides.items():
        set_value(values, path, value)
    return from_dict(type(config), values, source="command line")


def inherit_group(
    config: RunConfig, name: str, inherited: Any, keep: typing.Collection[str] = ()
) -> tuple[RunConfig, list[str]]:
    """Replaces a group of a configuration by that of the model that --init names.

    Args:
        config: configuration of the run that starts.
        name: name of the group.
        inherited: the group of the model that --init names.
        keep: fields that keep the run's own values.

    Returns:
        The configuration, and the options that contradict --init and have no effect.
    """
    found, unused = {}, []
    for field in dataclasses.fields(inherited):
        ours, value = getattr(getattr(config, name), field.name), getattr(inherited, field.name)
        if field.name in keep or ours == value:
            continue
        found[f"{name}.{field.name}"] = value
        if ours != getattr(type(inherited)(), field.name):
            unused.append(f"--{field.name.replace('_', '-')} {ours} (it has {value})")
    return replaced(config, found), unused


def _explain(error: pydantic.ValidationError, config_type: type, unknown: str) -> str:
    problem = error.errors()[0]
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return _unknown_key(path, config_type, unknown)
    given = problem.get("input")
    return f"{path} = {given!r}: {problem['msg'].lower()}"


def _unknown_key(path: str, config_type: type, unknown: str) -> str:
    known = [leaf_path for leaf_path, *_ in leaves(config_type)]
    return f"unknown key '{path}'{unknown or did_you_mean(path, known)}"


def did_you_mean(word: str, known: typing.Iterable[str]) -> str:
    """A parenthesis such as " (did you mean 'resnet18'?)", or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def to_dict(config: Any) -> dict[str, Any]:
    """Nested plain values of a configuration, tuples as lists, for YAML and JSON."""
    values = dataclasses.asdict(config)
    if isinstance(config, RunConfig):
        values = {"task": config.task, **values}
        for path in config.absent:
            *groups, leaf = path.split(".")
            del functools.reduce(operator.getitem, groups, values)[leaf]
    return _plain(values)


def _paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted paths of the leaves of nested values."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Reads a YAML mapping.

    Raises:
        KerasuiteError: if the file is missing or is no YAML mapping.
    """
    values = load_yaml(path)
    if not isinstance(values, dict):
        raise KerasuiteError(f"{path}: must hold 'key: value' lines")
    return values


def save(config: RunConfig, path: str | Path) -> None:
    """Writes the resolved configuration."""
    write_text(path, yaml.safe_dump(to_dict(config), sort_keys=False, allow_unicode=True))


def load(config_type: type[RunConfig], path: str | Path) -> RunConfig:
    """Reads a resolved configuration that `save` wrote; presets are not applied again."""
    values = read_yaml(path)
    task = values.pop("task", None)
    if task != config_type.task:
        raise KerasuiteError(
            f"{path}: is a run of the task '{task}', not of '{config_type.task}'; "
            f"use 'kerasuite {command_group(str(task))}' or another folder"
        )
    made = "; it was made by another version of kerasuite: train or export it again with this one"
    return from_dict(config_type, values, source=str(path), unknown=made)
