"""Starting a run from another one."""

import json

import pytest

from shared.engine.run import other_classes


@pytest.mark.parametrize(
    ("there", "here", "expected"),
    [
        (["cat", "dog"], ["cat", "dog"], ""),
        (["cat", "dog"], ["cat", "cow"], "'dog' where 'cow' is now"),
        (["cat", "dog"], ["dog", "cat"], "'cat' where 'dog' is now"),
        (["cat", "dog", "cow"], ["cat", "dog"], ""),  # The last layer does not fit.
    ],
)
def test_other_classes_in_equal_number_are_said(tmp_path, there, here, expected):
    (tmp_path / "artifacts.json").write_text(json.dumps({"class_names": there}))
    said = other_classes(tmp_path, {"class_names": here})
    assert expected in said and bool(said) == bool(expected)


def test_a_weights_file_has_no_classes(tmp_path):
    assert other_classes(tmp_path / "model.weights.h5", {"class_names": ["a"]}) == ""
