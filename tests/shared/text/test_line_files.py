"""Text files to lines and back: line ends, compression, damage, long lines."""

import gzip

import pytest

from shared.common.errors import KerasuiteError
from shared.common.inputs import Source
from shared.text import line_files
from shared.text.line_files import (
    clean_line,
    count_lines,
    file_pieces,
    is_utf8,
    read_line,
    split_lines,
)

CASES = {
    "": [],
    "a": ["a"],
    "a\n": ["a"],
    "\n": [""],
    "\n\na": ["", "", "a"],
    "a\r\nb\r\n": ["a", "b"],
    " \t \nb": ["", "b"],
    "a\rb\x0b\x85\u2028c\n": ["a b   c"],
    "\ufeffa\nb": ["a", "b"],
    "\x00\x01\n\x07x\n": ["", "x"],
}


def write(folder, name, data):
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return Source(name, folder / name)


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
@pytest.mark.parametrize(("text", "lines"), CASES.items())
def test_lines_of_a_file(tmp_path, name, text, lines):
    source = write(tmp_path, name, text.encode())
    found = list(split_lines(source))
    assert [line.line for line in found] == list(range(1, len(lines) + 1))
    assert [read_line(line) for line in found] == lines
    assert count_lines(source) == len(lines)


def test_invalid_utf8_is_replaced():
    source = Source("a", None, 1, b"a\xff\xc3")
    assert read_line(source) == "a\ufffd\ufffd"
    assert not is_utf8(source.content) and is_utf8("ä".encode())


def test_lines_that_are_too_long_are_read_past(tmp_path, monkeypatch):
    monkeypatch.setattr(line_files, "MAX_LINE_BYTES", 8)
    source = write(
        tmp_path, "a.txt", b"12345678\n1234567\n1\n" + b"x" * 99 + b"\nend\n" + b"y" * 30
    )
    contents = [line.content for line in split_lines(source)]
    assert contents == [None, b"1234567", b"1", None, b"end", None]
    with pytest.raises(KerasuiteError, match="more than .* cut it into several"):
        read_line(next(split_lines(source)))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_is_refused(tmp_path, encoding):
    source = write(tmp_path, "a.txt", "\ufeffhello\n".encode(encoding))
    with pytest.raises(KerasuiteError, match="a.txt is UTF-16; convert it to UTF-8"):
        list(split_lines(source))
    # These two bytes alone say nothing.
    assert len(list(split_lines(write(tmp_path, "b.txt", b"\xff\xfe\n")))) == 1


def test_damaged_gzip(tmp_path):
    data = gzip.compress(b"".join(b"line %d\n" % number for number in range(20000)))
    (tmp_path / "cut.gz").write_bytes(data[: len(data) // 2])
    (tmp_path / "none.gz").write_bytes(b"no gzip\n")
    lines = split_lines(Source("cut.gz", tmp_path / "cut.gz"))
    found = []
    with pytest.raises(KerasuiteError, match="cut.gz is damaged behind line [0-9]+ "):
        for line in lines:
            found.append(line.content)
    assert found[:2] == [b"line 0", b"line 1"]
    with pytest.raises(KerasuiteError, match="none.gz is damaged behind line 0"):
        list(split_lines(Source("none.gz", tmp_path / "none.gz")))


def test_files_of_lines():
    lines = ["ä", "", "b"]
    assert b"".join(file_pieces("a.txt", lines)) == "ä\n\nb\n".encode()
    packed = [b"".join(file_pieces("a.TXT.gz", lines)) for _ in range(2)]
    assert packed[0] == packed[1] and gzip.decompress(packed[0]) == "ä\n\nb\n".encode()
    assert gzip.decompress(b"".join(file_pieces("a.gz", []))) == b""


def test_clean_line_stays_one_line():
    text = clean_line("".join(map(chr, range(0x2100))))
    assert len(text.splitlines()) == 1 and clean_line(text) == text
