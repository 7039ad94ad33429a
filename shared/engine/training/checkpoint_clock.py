"""The times to write checkpoints at."""

import re
import time

from shared.common.errors import KerasuiteError

# A checkpoint at the end of an epoch is left out while it would cost more than this share.
CHECKPOINT_SHARE = 0.03


class CheckpointClock:
    """Decides when to write the next checkpoint.

    Args:
        every: "500 steps", "10m" or "30s".
    """

    def __init__(self, every: str):
        match = re.fullmatch(r"(\d+)\s*(steps?|m|s)", every.strip())
        if not match or int(match[1]) < 1:
            raise KerasuiteError(
                f"--checkpoint-every {every}: write it as '500 steps', '10m' or '30s'"
            )
        number = int(match[1])
        self._steps = number if match[2].startswith("step") else None
        self._seconds = number * (60 if match[2] == "m" else 1)
        self._count = 0
        self._cost = 0.0
        self._last = time.monotonic()

    def count_step(self) -> bool:
        """Counts a step; returns whether a checkpoint is due after it."""
        self._count += 1
        if self._steps:
            return self._count >= self._steps
        return time.monotonic() - self._last >= self._seconds

    def is_cheap(self) -> bool:
        """Whether writing one now keeps the cost below `CHECKPOINT_SHARE`."""
        return self._cost <= CHECKPOINT_SHARE * (time.monotonic() - self._last)

    def restart(self, seconds: float) -> None:
        """Begins anew after a checkpoint that took `seconds` to write."""
        self._count, self._cost, self._last = 0, seconds, time.monotonic()
