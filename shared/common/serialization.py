"""Nested arrays as bytes and back, without pickle, for messages between processes."""

import io
import json
from typing import Any

import numpy as np


def pack(value: Any) -> bytes:
    """Serializes nested lists, tuples, dicts, numbers and numpy arrays."""
    arrays: dict[str, np.ndarray] = {}
    outline = _outline(value, arrays)
    out = io.BytesIO()
    text = np.frombuffer(json.dumps(outline).encode(), np.uint8)
    np.savez(out, outline=text, **arrays)
    return out.getvalue()


def unpack(data: bytes) -> Any:
    """Restores the value that `pack` serialized."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        outline = json.loads(arrays["outline"].tobytes())
        return _filled(outline, arrays)


def _outline(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The structure of a value, with its name instead of each array."""
    if value is None:
        return None
    if isinstance(value, dict):
        return {"dict": {name: _outline(item, arrays) for name, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_outline(item, arrays) for item in value]}
    array = np.asarray(value)
    if array.dtype.name == "bfloat16":  # Unknown to numpy's files.
        array = array.astype(np.float32)
    name = f"array_{len(arrays)}"
    if array.dtype != object:
        arrays[name] = array
        return {"array": name}
    texts = [bytes(item) for item in array.ravel()]  # Strings, as TensorFlow gives them.
    arrays[name] = np.frombuffer(b"".join(texts), np.uint8)
    return {"strings": name, "lengths": [len(t) for t in texts], "shape": list(array.shape)}


def _filled(outline: Any, arrays: Any) -> Any:
    if outline is None:
        return None
    if "dict" in outline:
        return {name: _filled(item, arrays) for name, item in outline["dict"].items()}
    if "list" in outline:
        return [_filled(item, arrays) for item in outline["list"]]
    if "tuple" in outline:
        return tuple(_filled(item, arrays) for item in outline["tuple"])
    if "array" in outline:
        return arrays[outline["array"]]
    data = arrays[outline["strings"]].tobytes()
    ends = np.cumsum([0, *outline["lengths"]])
    texts = np.empty(len(ends) - 1, object)
    texts[:] = [data[begin:end] for begin, end in zip(ends, ends[1:], strict=False)]
    return texts.reshape(outline["shape"])
