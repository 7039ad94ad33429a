"""The console that results and closing lines are printed to; see `messages` for warnings."""

from rich.console import Console

# Standard output, looked up at each print. Lines are not wrapped, so that they can be piped.
console = Console(soft_wrap=True, highlight=False)
