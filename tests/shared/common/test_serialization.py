"""Nested arrays as bytes."""

import numpy as np
import pytest

from shared.common.serialization import pack, unpack


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array(True),
        np.zeros((0, 4), np.int64),
        np.array(["Grüße", "猫"]),
    ],
)
def test_arrays_come_back(array):
    back = unpack(pack(array))
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype


def test_strings_with_zero_bytes_come_back():
    array = np.array([[b"a\0", b""], [b"\xff", "猫".encode()]], object)
    assert unpack(pack(array)).tolist() == array.tolist()


def test_structure_comes_back():
    value = (None, {"list": [np.ones(2), (np.zeros(1),)], "array": np.arange(3)}, {"x": (1.5, 2.0)})
    back = unpack(pack(value))
    assert back[0] is None
    assert isinstance(back[1]["list"][1], tuple)
    np.testing.assert_array_equal(back[1]["array"], np.arange(3))
    assert float(back[2]["x"][0]) == 1.5


def test_bfloat16_travels_as_float32():
    import ml_dtypes

    back = unpack(pack(np.array([1.5, -2.0], ml_dtypes.bfloat16)))
    assert back.dtype == np.float32
    assert back.tolist() == [1.5, -2.0]
