"""Names from users' files."""

import pytest

from shared.common.errors import KerasuiteError
from shared.common.files import write_text
from shared.common.names import read_names, usable_name, usable_names


def test_blanks_go_and_everything_else_stays(tmp_path):
    names = usable_names([" cat\n", "a\u2028b", "c\x0bd", "e\x85f", 7, "日本"], "x.csv")
    assert names == ["cat", "a\u2028b", "c\x0bd", "e\x85f", "7", "日本"]
    write_text(tmp_path / "labels.txt", "\n".join(names) + "\n")
    assert read_names(tmp_path / "labels.txt") == names


@pytest.mark.parametrize("name", ["", " \u2028", "a\nb", "a\rb", "a\0b", "\udcff"])
def test_names_that_no_list_can_hold_are_refused(name):
    with pytest.raises(KerasuiteError, match=r"^x\.csv, line 3: .*name"):
        usable_name(name, "x.csv, line 3")


def test_double_names_are_refused():
    with pytest.raises(KerasuiteError, match=r"^x\.csv: the name 'cat' is there twice"):
        usable_names(["cat", "dog", "cat "], "x.csv")
