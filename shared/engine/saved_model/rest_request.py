"""Requests to the REST interface of TensorFlow Serving.

Reference: https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf


def request_body(specs: Mapping[str, tf.TensorSpec], row: Mapping[str, Any]) -> str:
    """The JSON of a request with one row.

    Args:
        specs: of the inputs of `serving_default`.
        row: value of each input; of a batch, its only element.

    Returns:
        A list of rows, or columns where an input is a scalar, as the interface has it.
    """
    if all(spec.shape.rank for spec in specs.values()):
        return json.dumps({"instances": [dict(row)]}, ensure_ascii=False)
    columns = {key: [row[key]] if specs[key].shape.rank else row[key] for key in row}
    return json.dumps({"inputs": columns}, ensure_ascii=False)


def example_request(
    specs: Mapping[str, tf.TensorSpec], examples: Mapping[str, Mapping[str, Any]]
) -> str:
    """A complete request with one row of the examples of `ServingModule.examples`.

    Args:
        specs: of the inputs of `serving_default`.
        examples: inputs of each signature; another signature lends its own where the first has no
            rows.
    """
    lent = (example for example in examples.values() if specs.keys() <= example.keys())
    by_use = [examples["serving_default"], *lent]
    example = next((each for each in by_use if _rows(specs, each)), by_use[0])
    # An empty text is a good test of a model and a poor example of a request.
    rows = _rows(specs, example)
    row = next((row for row in rows if all(map(_is_full, row.values()))), rows[0])
    return request_body(specs, {key: _json(key, value) for key, value in row.items()})


def _rows(specs: Mapping[str, tf.TensorSpec], example: Mapping[str, Any]) -> list[dict[str, Any]]:
    batches = {key: np.asarray(example[key]) for key, spec in specs.items() if spec.shape.rank}
    scalars = {key: example[key] for key in specs if key not in batches}
    count = min(map(len, batches.values()))
    return [{key: value[i] for key, value in batches.items()} | scalars for i in range(count)]


def _is_full(value: Any) -> bool:
    return all(item not in ("", b"") for item in np.ravel(value).tolist())


def _json(name: str, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_json(name, item) for item in value.tolist()]
    if isinstance(value, bytes):
        # Names that end so say that their strings are no text.
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode("ascii")}
        return value.decode("utf-8")
    return value.item() if isinstance(value, np.generic) else value
