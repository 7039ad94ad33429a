"""Standard streams that take whatever is printed: closed ones, and encodings without a letter."""

import os
import sys

from shared.common.errors import KerasuiteError

NAMES = ("stdin", "stdout", "stderr")


def make_streams_safe() -> None:
    """Opens closed standard streams on nothing, and lets open ones write any text.

    What the encoding of the terminal lacks, and names of files that are not UTF-8, are written
    with escapes. A descriptor that stays closed would be given to the next file that is opened.
    """
    for descriptor, name in enumerate(NAMES):
        if getattr(sys, name) is None:
            _open_on_nothing(descriptor)
            mode = "r" if name == "stdin" else "w"
            stream = open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
        if name != "stdin" and hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _open_on_nothing(descriptor: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing != descriptor:
        os.dup2(nothing, descriptor)
        os.close(nothing)


def refuse_output_not_utf8(words: list[str]) -> None:
    """Raises KerasuiteError if a command line names an output that is not UTF-8.

    TensorFlow, YAML and JSON can name no such file.
    """
    for option in ("--output", "--name"):
        values = [after for word, after in zip(words, words[1:], strict=False) if word == option]
        values += [word.partition("=")[2] for word in words if word.startswith(f"{option}=")]
        for value in values:
            if not is_utf8(value):
                raise KerasuiteError(f"{option} {value}: is not UTF-8; choose another name")


def is_utf8(name: str) -> bool:
    """Whether a name from the command line was UTF-8: other bytes stand as surrogates in it."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)
