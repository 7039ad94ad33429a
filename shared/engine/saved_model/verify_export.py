"""Checks SavedModels in a process that has TensorFlow and none of this project's code.

`verification.py` runs this file as a script, `python -I verify_export.py JOBS ANSWER`, so it must
not import anything of kerasuite. JOBS is a JSON list with, for each SavedModel, its folder,
the tolerance, and for each signature the inputs and the outputs that the live functions
gave; tensors are TensorProtos in base64. ANSWER becomes a JSON list of problems, one
sentence each; empty when every signature answers as the live model did.
"""

import base64
import contextlib
import json
import sys
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

PICTURE_MAGIC = (b"\x89PNG\r\n", b"\xff\xd8\xff")
EXACT_UP_TO = 1e-3


def encode(value: Any, dtype: tf.DType | None = None) -> str:
    """A tensor or array as text: the TensorProto in base64."""
    array = value.numpy() if hasattr(value, "numpy") else value
    proto = tf.make_tensor_proto(array, dtype=dtype)
    return base64.b64encode(proto.SerializeToString()).decode("ascii")


def decode(text: str) -> np.ndarray:
    """The array that `encode` wrote; strings come back as an object array of bytes."""
    proto = TensorProto.FromString(base64.b64decode(text))
    return tf.make_ndarray(proto)


def difference(expected: np.ndarray, got: np.ndarray, tolerance: float) -> str:
    """Says how two outputs differ, or nothing.

    Floats may differ by `tolerance` times the largest magnitude, or times one when all are
    smaller; encoded pictures by as many levels as that is of 255, and by one at least, since
    rounding to whole levels may fall either way. Integers and strings must be equal, except
    under the wide tolerance of mixed precision: there a near tie, such as the order of two
    labels, falls either way too, and only their shapes are compared.

    Args:
        expected: of the live function.
        got: of the loaded SavedModel.
        tolerance: float.
    """
    if expected.dtype != got.dtype:
        return f"has the type {got.dtype}, not {expected.dtype}"
    if expected.shape != got.shape:
        return f"has the shape {got.shape}, not {expected.shape}"
    # bfloat16 is kind "V" for numpy.
    if expected.dtype.kind in "fV":
        return _float_difference(expected.astype("float64"), got.astype("float64"), tolerance)
    where = np.asarray(expected != got)
    unequal = list(zip(expected[where], got[where], strict=True))
    if unequal and all(_is_picture(one) and _is_picture(other) for one, other in unequal):
        return next(filter(None, (_picture_difference(*pair, tolerance) for pair in unequal)), "")
    if unequal and tolerance <= EXACT_UP_TO:
        return f"is {unequal[0][1]!r:.80}, not {unequal[0][0]!r:.80}"
    return ""


def _float_difference(expected: np.ndarray, got: np.ndarray, tolerance: float) -> str:
    finite = np.isfinite(expected)
    if not np.array_equal(np.where(finite, 0, expected), np.where(finite, 0, got), equal_nan=True):
        # Only a difference where the live value is not finite can be left.
        return "is not finite at other indices"
    expected, got = expected[finite], got[finite]
    if not expected.size:
        return ""
    largest = float(np.max(np.abs(expected - got)))
    allowed = tolerance * max(1.0, float(np.max(np.abs(expected))))
    # Written so that a NaN counts as a difference.
    return "" if largest <= allowed else f"differs by {largest:.3g} (allowed is {allowed:.3g})"


def _is_picture(value: Any) -> bool:
    return isinstance(value, bytes) and value.startswith(PICTURE_MAGIC)


def _picture_difference(expected: bytes, got: bytes, tolerance: float) -> str:
    expected, got = (
        tf.io.decode_image(data, expand_animations=False).numpy().astype("int32")
        for data in (expected, got)
    )
    if expected.shape != got.shape:
        return f"is a picture of the shape {got.shape}, not {expected.shape}"
    levels = int(np.max(np.abs(expected - got), initial=0))
    if levels <= max(1, round(255 * tolerance)):
        return ""
    return f"is a picture that differs by {levels} levels"


def problems_of(job: dict) -> list[str]:
    """Loads one SavedModel and compares each signature with the live answers."""
    loaded = tf.saved_model.load(job["folder"])
    problems = []
    for name, case in job["signatures"].items():
        inputs = {key: tf.constant(decode(text)) for key, text in case["inputs"].items()}
        outputs = loaded.signatures[name](**inputs)
        if set(outputs) != set(case["expected"]):
            problems.append(f"{name}: its outputs are {sorted(outputs)}")
            continue
        for key, text in case["expected"].items():
            # Through the same encoding, which gives a scalar string an array too.
            got = decode(encode(outputs[key]))
            problem = difference(decode(text), got, job["tolerance"])
            if problem:
                problems.append(f"{name}: output '{key}' {problem}")
    return problems


def main(jobs_file: str, answer_file: str) -> None:
    # Registers the text ops; a SavedModel without them needs no tensorflow_text.
    with contextlib.suppress(ImportError, tf.errors.OpError):
        import tensorflow_text  # noqa: F401
    with open(jobs_file, encoding="utf-8") as file:
        jobs = json.load(file)
    problems = [problem for job in jobs for problem in problems_of(job)]
    with open(answer_file, "w", encoding="utf-8") as file:
        json.dump(problems, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
