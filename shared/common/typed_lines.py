"""Lines that a user types at a prompt, or that another program pipes in."""

import contextlib
import sys
from collections.abc import Iterable, Iterator

PROMPT = "> "


def typed_lines() -> Iterable[str]:
    """The lines of standard input until it ends (Ctrl-D); on a terminal each after a prompt."""
    return _typed() if sys.stdin.isatty() else _piped()


def _typed() -> Iterator[str]:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  Arrow keys and history for `input`.
    while True:
        try:
            # Bytes that are no UTF-8 come as surrogates, which no tensor takes.
            yield input(PROMPT).encode("utf-8", "replace").decode()
        except EOFError:
            print()
            return


def _piped() -> Iterable[str]:
    return (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
