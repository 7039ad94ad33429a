"""MkDocs hook: fills pages with the verbs, options and presets that the command line has.

A page asks for them with a comment on a line of its own:

    <!-- verbs: classify -->
    <!-- options: classify train -->
    <!-- presets: classify train -->
    <!-- results -->

Options are those of the configuration dataclasses, read from the commands that are made of them;
no TensorFlow is imported. `docs/CHANGELOG.md` and `docs/images` become part of the site.
"""

import importlib
import inspect
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from rich.markup import render

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS)]

import results_table  # noqa: E402

import cli  # noqa: E402

CONFIGS = {
    ("embed", "train"): "apps.embeddings.config:EmbedConfig",
    ("classify", "train"): "apps.vision.classification.config:ClassifyConfig",
    ("detect", "train"): "apps.vision.detection.config:DetectConfig",
    ("translate", "train"): "apps.translation.config:TranslateConfig",
    ("lm", "train"): "apps.language.config:LanguageConfig",
    ("bert", "finetune"): "apps.bert.finetuning.config:FinetuneConfig",
    ("bert", "pretrain"): "apps.bert.pretraining.config:PretrainConfig",
    ("bert", "distill"): "apps.bert.distillation.config:DistillConfig",
    ("bert", "distill-general"): "apps.bert.distillation.general.config:GeneralDistillConfig",
    ("table", "train"): "apps.tables.perceptrons.config:TableConfig",
    ("forecast", "train"): "apps.tables.forecast.config:ForecastConfig",
    ("gan", "train"): "apps.generative.gan.config:GANConfig",
    ("autoencoder", "train"): "apps.generative.autoencoder.config:AutoencoderConfig",
    ("cyclegan", "train"): "apps.generative.cyclegan.config:CycleGANConfig",
    ("srgan", "train"): "apps.generative.srgan.config:SrganConfig",
}
MARKER = re.compile(r"^<!-- (verbs|options|presets|results):? ?([\w -]*) -->$", re.MULTILINE)
DEFAULT = re.compile(r"\s*\[default: (?P<value>.*)\]$")


def load(import_path: str) -> Any:
    """The object at "package.module:name"."""
    module, _, name = import_path.partition(":")
    return getattr(importlib.import_module(module), name)


def commands_of(group: str) -> dict:
    """Verb to click command of a task."""
    return typer.main.get_command(load(cli.GROUPS[group][0])).commands


def expand(markdown: str) -> str:
    """A page with its markers replaced by tables."""
    makers = {"verbs": verbs, "options": options, "presets": presets}

    def table(match: re.Match) -> str:
        if match[1] == "results":
            return results_table.table()
        return makers[match[1]](*match[2].split())

    return MARKER.sub(table, markdown)


def verbs(group: str) -> str:
    """Table of the verbs of a task."""
    rows = [
        (f"`kerasuite {group} {name}`", _plain(command.help.splitlines()[0]))
        for name, command in commands_of(group).items()
        if not command.hidden
    ]
    return _table(("Command", "Purpose"), rows)


def options(group: str, verb: str) -> str:
    """Tables of the options of a verb, one for each panel of its help."""
    choices = _choices(group, verb)
    panels: dict[str, list[tuple[str, str, str]]] = {}
    for parameter in commands_of(group)[verb].params:
        if parameter.param_type_name == "option":
            panel = getattr(parameter, "rich_help_panel", None) or "Command options"
            panels.setdefault(panel, []).append(_row(parameter, choices.get(parameter.name, ())))
    parts = [
        f"#### {panel}\n\n" + _table(("Option", "Default", "Meaning"), rows)
        for panel, rows in panels.items()
    ]
    return "\n".join(parts)


def _choices(group: str, verb: str) -> dict[str, tuple]:
    """Name of a parameter to the values of its Literal."""
    for command in load(cli.GROUPS[group][0]).registered_commands:
        if verb == (command.name or command.callback.__name__.replace("_", "-")):
            parameters = inspect.signature(command.callback).parameters
            return {name: _literals(each.annotation) for name, each in parameters.items()}
    raise KeyError(f"{group} {verb}")


def _literals(annotation: Any) -> tuple:
    if typing.get_origin(annotation) is typing.Literal:
        return typing.get_args(annotation)
    return tuple(value for part in typing.get_args(annotation) for value in _literals(part))


def _row(parameter: Any, choices: tuple) -> tuple[str, str, str]:
    text = _plain(parameter.help or "")
    found = DEFAULT.search(text)
    default = found["value"] if found else parameter.default
    text = DEFAULT.sub("", text)
    shown = "" if default in (None, False, "", (), []) else f"`{default}`"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if choices:
        text += f" One of {', '.join(f'`{each}`' for each in choices)}."
    return names, shown, text


def presets(group: str, verb: str) -> str:
    """Table of the presets of a verb, each as the options that it stands for."""
    rows = [
        (f"`{name}`", " ".join(f"`{option}`" for option in _as_options(values)))
        for name, values in load(CONFIGS[group, verb]).presets.items()
    ]
    return _table(("Preset", "Stands for"), rows)


def _as_options(values: Any) -> Iterator[str]:
    for key, value in values.items():
        flag = "--" + key.replace("_", "-")
        if isinstance(value, dict):
            yield from _as_options(value)
        elif isinstance(value, bool):
            yield flag if value else flag.replace("--", "--no-", 1)
        else:
            each = value if isinstance(value, (list, tuple)) else [value]
            yield from (f"{flag} {item}" for item in each)


def _plain(text: str) -> str:
    """A help text without Rich's markup, on one line."""
    return " ".join(render(text).plain.split())


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    cells = (" | ".join(str(cell).replace("|", "\\|") for cell in line) for line in lines)
    return "".join(f"| {line} |\n" for line in cells)


def on_files(files: Any, config: Any) -> Any:
    """Adds the changelog and the pictures, which stand beside the pages."""
    from mkdocs.structure.files import File

    extra = {"changelog.md": DOCS / "CHANGELOG.md"}
    extra |= {f"images/{path.name}": path for path in sorted((DOCS / "images").glob("*.png"))}
    for uri, path in extra.items():
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Fills one page."""
    return expand(markdown)
