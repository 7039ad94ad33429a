"""Helpers for measurements."""

import contextlib
import dataclasses
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Skipped(Exception):
    """A row that cannot be measured here; the message says why."""


@dataclasses.dataclass
class Result:
    """One row: a value and the bound that it has to keep.

    Attributes:
        name: what was measured.
        value: the number.
        unit: its unit, "" for a ratio.
        floor, ceiling: the bound, one of them or none.
        details: the figures behind it.
    """

    name: str
    value: float
    unit: str = ""
    floor: float | None = None
    ceiling: float | None = None
    details: str = ""

    @property
    def holds(self) -> bool:
        above = self.floor is None or self.value >= self.floor
        return above and (self.ceiling is None or self.value <= self.ceiling)

    @property
    def bound(self) -> str:
        if self.floor is not None:
            return f"at least {self.floor:g}{self.unit}"
        return f"at most {self.ceiling:g}{self.unit}" if self.ceiling is not None else ""

    @property
    def shown(self) -> str:
        return f"{self.value:.3g}{self.unit}"


@contextlib.contextmanager
def layers_in(precision: str):
    """Layers that are made meanwhile compute in "float32" or "bfloat16" (mixed).

    Raises:
        Skipped: the processor has no bfloat16 arithmetic, and would be slower with it.
    """
    import keras

    if precision == "bfloat16" and not _has_bfloat16():
        raise Skipped("this processor has no bfloat16 arithmetic")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy({"bfloat16": "mixed_bfloat16"}.get(precision, precision))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _has_bfloat16() -> bool:
    information = Path("/proc/cpuinfo")
    flags = information.read_text() if information.is_file() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


def in_turn(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each function, run in turn so that a drift hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            started = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def median_seconds(call: Callable[[], object], warm: int = 2, runs: int = 8) -> float:
    """Median seconds of a call, once it is warm."""
    seconds = []
    for _ in range(warm + runs):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[warm:])


def data_folder() -> Path:
    """The folder of real data sets: KERASUITE_DATA, or the one beside the project."""
    return Path(os.environ.get("KERASUITE_DATA", ROOT.parent / "shared" / "data"))
