"""The command line, interrupted at a moment that does not depend on the machine.

    python -m shared.testing.interrupted snapshot COPY classify train ...
    python -m shared.testing.interrupted kill-after 3 classify predict ...

`snapshot` copies the run folder at the end of the first epoch, when its metrics and its best model
are written and its checkpoint is not: what SIGKILL would leave there. `kill-after` sends SIGKILL
to the process once this many lines of predictions are written.
"""

import importlib
import os
import shutil
import signal
import sys
from pathlib import Path

from shared.engine.prediction.prediction_logs import PredictionLogs
from shared.engine.training.checkpoint import CheckpointFolder


def main() -> None:
    how, what, *arguments = sys.argv[1:]
    if how == "snapshot":
        copy_at_end_of_epoch(Path(what))
    else:
        kill_after_lines(int(what))
    sys.argv = ["kerasuite", *arguments]
    importlib.import_module("cli").main()


def copy_at_end_of_epoch(copy: Path) -> None:
    """Lets the training copy its run folder to `copy` before the first epoch's checkpoint."""
    save = CheckpointFolder.save

    def copy_and_save(self, step, variables, state):
        if len(state["history"]) == 1 and not copy.exists():
            shutil.copytree(self.folder.parent, copy)
            # The file that was being written.
            (copy / self.folder.name / ".partial-killed.npz").write_bytes(b"PK")
        return save(self, step, variables, state)

    CheckpointFolder.save = copy_and_save


def kill_after_lines(count: int) -> None:
    """Lets the prediction kill this process once `count` lines of predictions are written."""
    flush = PredictionLogs.flush

    def flush_and_kill(self):
        flush(self)
        path = self.predictions.path
        if path.exists() and path.read_bytes().count(b"\n") >= count:
            os.kill(os.getpid(), signal.SIGKILL)

    PredictionLogs.flush = flush_and_kill


if __name__ == "__main__":
    main()
