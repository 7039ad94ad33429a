"""Which layer learns from which."""

import pytest

from apps.bert.distillation.layer_mapping import map_layers, mapping_note
from shared.common.errors import KerasuiteError


@pytest.mark.parametrize(
    ("student", "teacher", "mapping", "expected"),
    [
        # Jiao et al., 2020: a student of four layers learns from every third of twelve.
        (4, 12, "uniform", [3, 6, 9, 12]),
        (6, 12, "uniform", [2, 4, 6, 8, 10, 12]),
        (4, 6, "uniform", [2, 3, 4, 6]),
        # Sun et al., 2019, "PKD-last".
        (6, 12, "last", [7, 8, 9, 10, 11, 12]),
        (3, 3, "uniform", [1, 2, 3]),
    ],
)
def test_mappings_of_the_papers(student, teacher, mapping, expected):
    found = map_layers(student, teacher, mapping)
    assert found == expected
    assert bool(mapping_note(student, teacher, mapping, found)) == (
        mapping == "uniform" and teacher % student != 0
    )


def test_custom_layers_are_checked():
    assert map_layers(2, 6, "custom", (1, 5)) == [1, 5]
    with pytest.raises(KerasuiteError, match="names 1 layers, the student has 2"):
        map_layers(2, 6, "custom", (1,))
    with pytest.raises(KerasuiteError, match="--teacher-layers 7"):
        map_layers(2, 6, "custom", (1, 7))
    with pytest.raises(KerasuiteError, match="--num-layers 8"):
        map_layers(8, 6, "uniform")
