"""Predictions compared number by number."""

import json
import math
from pathlib import Path

import pytest

PACKAGES = {
    "onnx": ("onnx", "tf2onnx", "onnxruntime"),
    "litert": ("ai_edge_litert",),
    "keras": (),
}


def records(folder: Path) -> list[dict]:
    """The lines of predictions.jsonl."""
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def assert_close(one, other, tolerance: float = 1e-3) -> None:
    """Asserts that two JSON values are the same but for numbers, which may differ a little.

    Args:
        one, other: the values.
        tolerance: float. Largest difference of two numbers, and of two above 1 relatively.
    """
    if isinstance(one, float) or isinstance(other, float):
        assert math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance), (one, other)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            assert_close(one[name], other[name], tolerance)
    elif isinstance(one, list):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_close(*pair, tolerance)
    else:
        assert one == other


def require(format: str) -> None:
    """Skips a test where a package of the format's extra is missing."""
    for module in PACKAGES[format]:
        pytest.importorskip(module, reason=f"the extra `{format}` is not installed")
