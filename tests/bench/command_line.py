"""How fast the command line answers."""

import subprocess
import sys

from tests.bench.measure import ROOT, Result, in_turn


def help_time() -> Result:
    """`kerasuite --help`, median of seven processes."""

    def run():
        subprocess.run(
            [sys.executable, "-m", "cli", "--help"], cwd=ROOT, capture_output=True, check=True
        )

    run()
    seconds = in_turn({"help": run}, rounds=7)["help"]
    return Result("kerasuite --help", seconds, " s", ceiling=0.5, details="median of 7 processes")
