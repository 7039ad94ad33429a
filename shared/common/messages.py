"""Messages to the user beside results: on standard error, so that results can be piped."""

from rich.console import Console

from shared.common.files import printable


def warn(text: str) -> None:
    """Shows one line about something that is not as it should be, but does not stop the work."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(
        f"warning: {printable(text)}", markup=False, style="yellow"
    )
