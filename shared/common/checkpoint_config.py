"""Settings in the config.json of a checkpoint, and how they are named in messages."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.common.errors import KerasuiteError

NAMES_SHOWN = 4


def short(value: Any) -> str:
    """A value as JSON writes it, cut to a length that fits a message."""
    return json.dumps(value)[:80]


def named_activation(path: Path, key: str, theirs: Any, known: Mapping[str, Sequence[str]]) -> str:
    """Our name of an activation.

    Args:
        path: of the config.json.
        key: name of the setting there.
        theirs: its value.
        known: our name to theirs.

    Raises:
        KerasuiteError: if it is none of them.
    """
    for ours, names in known.items():
        if theirs in names:
            return ours
    supported = ", ".join(name for names in known.values() for name in names)
    raise KerasuiteError(
        f"{path}: {key} {short(theirs)} is not supported, only {supported}; give another checkpoint"
    )


def left_out(names: Sequence[str]) -> str:
    """A line about tensors of a checkpoint that are not used."""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"Left out: {', '.join(names[:NAMES_SHOWN])}{more}"
