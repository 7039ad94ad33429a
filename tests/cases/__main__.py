"""Runs small inputs that once went wrong, and prints which of them come out right.

    python -m tests.cases --output build/cases [GROUP/CASE...]

Each folder of `../shared/cases` has inputs and `cmd.sh`, a command in which $K is `kerasuite`; it
runs in a copy of the folder. `expected.py` says what its output must and must not hold. The
outputs are kept for reading; the exit code is 1 if a case is wrong.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.cases.expected import EXPECTED, judge

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
KERASUITE = Path(sys.executable).with_name("kerasuite")
SECONDS = 900
# Names that have changed since the cases were written.
RENAMED = {
    "--kind questions": "--task-type question-answering",
    "from shared.engine.errors": "from shared.common.errors",
    "signal.signal(signal.SIGTERM, cli._interrupt)": "cli.end_on_signals()",
    # What is remembered of a signal is raised within a second; the work has to last as long.
    "sum(range(10**6))": "__import__('time').sleep(3)",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help="such as text/06-nan-label; by default all")
    parser.add_argument("--output", type=Path, default=Path("build/cases"))
    arguments = parser.parse_args()
    if not CASES.is_dir():
        print(f"{CASES}: is not there, so there is nothing to run")
        return 0
    chosen = arguments.cases or sorted(
        str(path.parent.relative_to(CASES)) for path in CASES.glob("*/*/cmd.sh")
    )
    output = arguments.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"K": str(KERASUITE), "SRGAN": _enlarger(output)}
    table = Table("case", "verdict", "s")
    wrong = 0
    for name in chosen:
        started = time.perf_counter()
        text = _run(name, output, environment)
        faults = judge(name, text)
        wrong += bool(faults)
        table.add_row(name, "; ".join(faults) or "right", f"{time.perf_counter() - started:.0f}")
        print(f"{name}: {'; '.join(faults) or 'right'}", flush=True)
    Console(width=120).print(table)
    print(f"{len(chosen) - wrong} of {len(chosen)} right; the outputs are in {output}")
    print("without a case: " + (", ".join(sorted(set(EXPECTED) - set(chosen))) or "none"))
    return 1 if wrong else 0


def _run(name: str, output: Path, environment: dict[str, str]) -> str:
    """The output of a case, which is also kept in a file."""
    folder = output / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(CASES / name, folder, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    _restore_links(folder)
    for file in (folder / "cmd.sh", *folder.glob("*.py")):
        script = file.read_text()
        for old, new in RENAMED.items():
            script = script.replace(old, new)
        file.write_text(script)
    command = ["timeout", "-k", "10", str(SECONDS), "bash", "cmd.sh"]
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True
    )
    text = (done.stdout + done.stderr).decode(errors="replace")
    (output / f"{name.replace('/', '-')}.log").write_text(text)
    return text


def _restore_links(folder: Path) -> None:
    """Makes links of the small text files that hold the path of a folder, as git leaves them."""
    for path in list(folder.rglob("*")):
        if path.is_file() and path.stat().st_size < 200:
            target = path.read_bytes().decode(errors="replace").strip()
            if target.startswith("..") and (path.parent / target).is_dir():
                path.unlink()
                path.symlink_to(target, target_is_directory=True)


def _enlarger(output: Path) -> str:
    """An export of srgan, trained for a moment."""
    folder = output / "srgan"
    exported = folder / "saved_models" / "srgan" / "run"
    if not exported.is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for arguments in (
            ("samples", "photos", "photos"),
            ("srgan", "train", "photos", "--preset", "test", "--output", "run"),
            ("srgan", "export", "run"),
        ):
            subprocess.run([KERASUITE, *arguments], cwd=folder, check=True, capture_output=True)
    return str(exported)


if __name__ == "__main__":
    sys.exit(main())
