"""YAML from users and strangers: plain values, no aliases, one line for what is wrong."""

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from shared.common.errors import KerasuiteError
from shared.common.files import open_file

MAX_BYTES = 10_000_000


class _NoAliases:
    """A few aliases of aliases stand for a list without end, which any use of it unfolds."""

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise ConstructorError(None, None, "an alias, write it out", event.start_mark)
        if (event.tag or "").startswith("tag:yaml.org,2002:python"):
            raise ConstructorError(None, None, f"the tag {event.tag}", event.start_mark)
        return super().compose_node(parent, index)


class _PlainLoader(_NoAliases, yaml.SafeLoader):
    pass


class _TextLoader(_NoAliases, yaml.BaseLoader):
    pass


def load_yaml(path: str | Path, as_text: bool = False) -> Any:
    """Reads a YAML file.

    Args:
        path: path of the file.
        as_text: whether numbers, dates and truth values stay the texts that they are written as.

    Raises:
        KerasuiteError: if it cannot be read, is no YAML of plain values or has aliases.
    """
    try:
        with open_file(path) as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise KerasuiteError(f"{path}: no such file") from None
    if len(content) > MAX_BYTES:
        raise KerasuiteError(f"{path}: has over {MAX_BYTES // 10**6} MB; is it the right file?")
    try:
        return yaml.load(content, _TextLoader if as_text else _PlainLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        is_plain = not isinstance(error, ConstructorError)
        what = "is not valid YAML" if is_plain else "is no YAML of plain values"
        problem = error.problem or error.context or "cannot be parsed"
        raise KerasuiteError(f"{path}{line}: {what} ({problem})") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise KerasuiteError(f"{path}: is not valid YAML ({reason})") from None
