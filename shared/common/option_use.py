"""Options that have a use only with certain values of others, such as padding with a padded crop.

A leaf says so where it is declared:

    padding: int = option(4, "Pixels of padding.", used_with={"crop": "padded"})

The names are those of leaves, which a task has once each. The values are one, several in a tuple,
or a function that says whether a value will do (`bool`: any but zero and the empty ones).
"""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from shared.common.errors import KerasuiteError

# Key of the declaration in the metadata of a field.
USED_WITH = "used_with"


def conditions(config: Any) -> dict[str, dict[str, Any]]:
    """Dotted path to the conditions of every leaf of a configuration that has some."""
    of_task = getattr(config, USED_WITH, {})
    found = {}
    for path, field, _ in _walk(config):
        if is_in(path, getattr(config, "absent", ())):
            continue
        declared = (getattr(field.default, "json_schema_extra", None) or {}).get(USED_WITH, {})
        if both := {**declared, **of_task.get(path, {})}:
            found[path] = both
    return found


def unused(config: Any) -> dict[str, str]:
    """Dotted path of every leaf without use, to the option that leaves it so and its value."""
    values = {field.name: value for _, field, value in _walk(config)}
    return {
        path: f"{flag(name)} {_shown(values[name])}".strip()
        for path, needed in conditions(config).items()
        for name, allowed in reversed(needed.items())
        if not _fits(values[name], allowed)
    }


def refuse_unused(config: Any, given: Iterable[str], source: str = "") -> None:
    """Raises KerasuiteError if an option was given that the others leave without use.

    Args:
        config: the resolved configuration.
        given: dotted paths of the leaves that were given.
        source: the file that gives them; none for the command line.
    """
    without = unused(config)
    for path in given:
        if path in without:
            where = f"{source}: {path}" if source else flag(path)
            raise KerasuiteError(f"{where}: is not used with {without[path]}; leave it out")


def flag(path: str) -> str:
    """The option of a leaf: "--clip-norm" for "optimization.clip_norm"."""
    return "--" + path.rpartition(".")[2].replace("_", "-")


def value_at(config: Any, path: str) -> Any:
    """The value of a leaf by its dotted path."""
    for name in path.split("."):
        config = getattr(config, name)
    return config


def is_in(path: str, parts: Collection[str]) -> bool:
    """Whether a dotted path is one of `parts` or lies in one that is a group."""
    return any(path == part or path.startswith(f"{part}.") for part in parts)


def _fits(value: Any, allowed: Any) -> bool:
    if isinstance(allowed, Callable):
        return bool(allowed(value))
    return value in allowed if isinstance(allowed, tuple) else value == allowed


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _walk(config: Any, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field, Any]]:
    """Yields (dotted path, field, value) of every leaf."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _walk(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", field, value
