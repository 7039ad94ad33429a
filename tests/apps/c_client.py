"""Builds and runs docs/pages/examples/answer.c, a client in C of every SavedModel."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text
from tensorflow.core.protobuf import saved_model_pb2

SOURCE = Path(__file__).parents[2] / "docs" / "pages" / "examples" / "answer.c"
LIBRARIES = ("-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2")


def build(program: Path) -> Path:
    """Compiles the client against the libraries of TensorFlow's wheel."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler (cc)")
    wheel = Path(tf.__file__).parent
    command = ["cc", "-O1", "-Wall", "-Werror", SOURCE, "-o", program, f"-I{wheel / 'include'}"]
    subprocess.run(
        [*command, f"-L{wheel}", *LIBRARIES, f"-Wl,-rpath,{wheel}"], check=True, timeout=120
    )
    return program


@functools.cache
def text_libraries() -> list[str]:
    """The libraries with the operations of tensorflow-text."""
    return sorted(map(str, Path(tensorflow_text.__file__).parent.glob("python/ops/*.so")))


def serving_default(model: Path):
    """The signature of that name, with the names of its tensors in the graph."""
    saved = saved_model_pb2.SavedModel.FromString((model / "saved_model.pb").read_bytes())
    return saved.meta_graphs[0].signature_def["serving_default"]


def answer(program: Path, model: Path, output: str, inputs: dict[str, str]) -> bytes:
    """The values of one output of `serving_default`, each followed by a line end.

    Args:
        program: path of the client.
        model: folder of the SavedModel.
        output: name of the output.
        inputs: by name; "@" before the path of a file, or text, or a whole number, or the path of
            a file of numbers.
    """
    signature, words = serving_default(model), []
    for name, value in inputs.items():
        tensor = signature.inputs[name]
        words.append(f"{tensor.name.removesuffix(':0')}{_type(tensor)}={value}")
    done = subprocess.run(
        [program, model, signature.outputs[output].name, *words, *text_libraries()],
        capture_output=True, timeout=120, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _type(tensor) -> str:
    """How the client is told what an input is; nothing for strings."""
    if tensor.dtype == tf.int64.as_datatype_enum:
        return ":int64"
    if tensor.dtype == tf.float32.as_datatype_enum:
        return ":float:{}x{}".format(*shape_of(tensor)[1:])
    return ""


def shape_of(tensor) -> list[int]:
    """The sides of an input of a signature, -1 where they are not fixed."""
    return [dimension.size for dimension in tensor.tensor_shape.dim]


def assert_same(printed: bytes, expected: tf.Tensor) -> None:
    """Compares what the client printed with what TensorFlow answers in Python."""
    if expected.dtype == tf.string:
        assert printed == b"".join(value + b"\n" for value in expected.numpy().ravel())
    else:
        numbers = np.array([float(line) for line in printed.split()])
        np.testing.assert_allclose(numbers, np.ravel(expected).astype(float), rtol=1e-4, atol=1e-5)
