"""Files to documents, and the border between two parts of a text."""

import gzip
import zipfile

import pytest

from apps.language.corpus import Corpus, Piece, cut_at
from shared.common.errors import KerasuiteError
from shared.text import text_files


def documents(data, separator=""):
    """The documents of files, put together from their pieces."""
    found, text = [], ""
    for piece in Corpus([str(data)], separator):
        text += piece.text
        if piece.ends_document:
            found.append(text)
            text = ""
    assert not text
    return found


def test_a_file_is_a_document_with_plain_line_ends(tmp_path):
    (tmp_path / "b.txt").write_bytes("\ufeffzwei\r\n\r\nDinge".encode())
    with gzip.open(tmp_path / "a.txt.gz", "wb") as file:
        file.write(b"one\n")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("x.txt", "three\n")
        archive.writestr("empty.txt", "")
    (tmp_path / "d.txt").write_bytes("四\n".encode("utf-16"))
    assert documents(tmp_path) == ["one\n", "zwei\n\nDinge", "three\n", "四\n"]


@pytest.mark.parametrize(
    ("separator", "text"),
    [
        ("blank", "\n\na\nb\n \t\nc\n\n\nd"),
        ("***", "***\na\nb\n  ***\nc\n***\n***\nd\n***"),
        ("[end]", "[end]\na\nb\n[end]\nc\n[end]\nd\n[end]"),
    ],
)
@pytest.mark.parametrize("piece", [1 << 18, 3, 1])
def test_lines_that_separate_documents(tmp_path, separator, text, piece, monkeypatch):
    """However the file is cut into pieces while it is read."""
    monkeypatch.setattr(text_files, "PIECE", piece)
    # A longer line than a piece is cut at blanks.
    text = text if piece > 3 else text.translate({ord(blank): None for blank in " \t"})
    (tmp_path / "a.txt").write_text(text)
    last = "d\n" if separator != "blank" else "d"
    assert documents(tmp_path, separator) == ["a\nb\n", "c\n", last]


def test_a_separator_within_a_line_is_text(tmp_path):
    (tmp_path / "a.txt").write_text("a --- b\n---\nc\n")
    assert documents(tmp_path, "---") == ["a --- b\n", "c\n"]


def test_damaged_bytes_are_counted_and_binary_files_refused(tmp_path):
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"caf\xe9 \xff" + b"x" * 100 + b"\0")
    corpus = Corpus([str(bad)])
    assert "".join(piece.text for piece in corpus) == "caf\ufffd \ufffd" + "x" * 100 + "\ufffd"
    assert corpus.invalid_bytes == {str(bad): 3} and corpus.files == 1
    bad.write_bytes(bytes(range(256)) * 8 + bytes(1000))
    with pytest.raises(KerasuiteError, match="is no text file"):
        list(Corpus([str(bad)]))
    with pytest.raises(KerasuiteError, match="DATA -: the text is read several times"):
        Corpus(["-"])


def joined(pieces):
    return "".join(piece.text for piece in pieces)


@pytest.mark.parametrize("border", [0, 1, 3, 4, 8, 9, 10, 11, 14, 19])
@pytest.mark.parametrize("piece", [1 << 18, 4])
def test_a_border_stands_between_lines(tmp_path, border, piece, monkeypatch):
    monkeypatch.setattr(text_files, "PIECE", piece)
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "b.txt").write_text("three\nfour\n")
    corpus = Corpus([str(tmp_path)])
    before, behind = map(joined, cut_at(corpus, border))
    assert before + behind == "one\ntwo\nthree\nfour\n"
    assert border <= len(before) <= border + 6
    if border < 14:
        assert not before or before.endswith("\n") or piece == 4


def test_a_text_of_one_line_is_cut_within_it(tmp_path):
    (tmp_path / "a.txt").write_text("one long line\n")
    before, behind = cut_at(Corpus([str(tmp_path)]), 10)
    assert list(before) == [Piece("one long l")]
    assert list(behind) == [Piece("ine\n", True)]
