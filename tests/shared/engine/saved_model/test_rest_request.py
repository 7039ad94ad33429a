"""Requests to TensorFlow Serving."""

import json

import numpy as np
import tensorflow as tf

from shared.engine.saved_model.rest_request import example_request


def spec(dtype, rank=1):
    return tf.TensorSpec([None] * rank, dtype)


def of(**inputs):
    return {"serving_default": inputs}


def test_bytes_are_base64_and_the_first_text_that_is_not_empty_is_taken():
    images = np.array([b"", b"\x00\xff"], dtype=object)
    body = example_request({"image_bytes": spec(tf.string)}, of(image_bytes=images))
    assert json.loads(body) == {"instances": [{"image_bytes": {"b64": "AP8="}}]}
    texts = np.array(["", '☃ "a"\n'], dtype=object)
    specs = {"prompt": spec(tf.string), "seed": spec(tf.int64)}
    body = example_request(specs, of(prompt=texts, seed=np.array([3, 4])))
    assert json.loads(body) == {"instances": [{"prompt": '☃ "a"\n', "seed": 4}]}


def test_scalars_need_columns_and_rows_may_be_lists():
    specs = {"choices": spec(tf.string, 2), "k": tf.TensorSpec([], tf.int32)}
    choices = np.array([[b"a", b"b"]], dtype=object)
    body = example_request(specs, of(choices=choices, k=np.int32(2)))
    assert json.loads(body) == {"inputs": {"choices": [["a", "b"]], "k": 2}}


def test_a_signature_without_rows_borrows_those_of_another():
    images = np.array([b"a"], dtype=object)
    examples = of(image_bytes=images[:0]) | {"tuned": {"image_bytes": images, "iou": 0.5}}
    body = example_request({"image_bytes": spec(tf.string)}, examples)
    assert json.loads(body) == {"instances": [{"image_bytes": {"b64": "YQ=="}}]}
