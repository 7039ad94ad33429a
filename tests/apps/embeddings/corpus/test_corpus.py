"""Raw files to documents."""

import gzip
import tracemalloc
import zipfile

import pytest

from apps.embeddings.corpus.corpus import Corpus
from shared.common.errors import KerasuiteError
from shared.text import text_files


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def test_lines_are_documents(tmp_path):
    path = write(tmp_path / "a.txt", "One two.\r\n\n...\nThree's\n")
    assert list(Corpus([path])) == [["one", "two"], ["three's"]]


def test_running_text_goes_over_lines(tmp_path):
    path = write(tmp_path / "a.txt", "one\ntwo\n" * 6_000)
    assert [len(words) for words in Corpus([path], document="running")] == [10_000, 2_000]


def test_folders_gzip_and_zip_give_the_same(tmp_path):
    text = "first line\nsecond line\n"
    write(tmp_path / "d" / "deep" / "a.txt", text)
    write(tmp_path / "d" / "b.txt.gz", gzip.compress(text.encode()))
    write(tmp_path / "d" / ".hidden.txt", "secret")
    with zipfile.ZipFile(tmp_path / "d" / "c.zip", "w") as archive:
        archive.writestr("inner/a.txt", text)
        archive.writestr("picture.png", b"\x89PNG\0")
    documents = list(Corpus([str(tmp_path / "d")]))
    assert documents == [["first", "line"], ["second", "line"]] * 3


def test_words_are_never_torn(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "PIECE", 7)
    words = [f"wörd{index}" for index in range(500)]
    for separator in (" ", "\n"):
        path = write(tmp_path / "a.txt", separator.join(words))
        for document in ("line", "running"):
            read = [word for words in Corpus([path], document=document) for word in words]
            assert read == words


def test_chinese_is_cut_at_punctuation_of_a_long_line(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "PIECE", 64)
    sentence = "我来到北京清华大学。"
    path = write(tmp_path / "a.txt", sentence * 50)
    read = [word for words in Corpus([path], language="zh") for word in words]
    assert read == ["我", "来到", "北京", "清华大学"] * 50


def test_long_line_in_bounded_memory(tmp_path):
    path = write(tmp_path / "a.txt", b"some words to fill it " * 500_000)
    tracemalloc.start()
    try:
        lengths = [len(words) for words in Corpus([path])]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(lengths) == 2_500_000 and max(lengths) <= 10_000
    assert peak < 16 << 20


def test_a_line_of_one_word_is_cut_in_the_end(tmp_path):
    path = write(tmp_path / "a.txt", b"x" * 3_000_000)
    words = [word for words in Corpus([path]) for word in words]
    assert len(words) > 1 and "".join(words) == "x" * 3_000_000


def test_invalid_bytes_are_replaced_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "PIECE", 5)
    bad = write(tmp_path / "bad.txt", b"\xef\xbb\xbfcaf\xc3\xa9 \xff\xfe \xef\xbf\xbd end\xc3")
    good = write(tmp_path / "good.txt", "\ufefffine é")
    corpus = Corpus([bad, good])
    for _ in range(2):
        assert [word for words in corpus for word in words] == ["café", "end", "fine", "é"]
        assert corpus.invalid_bytes == {bad: 3}


def test_zero_bytes_count_wherever_they_stand(tmp_path):
    text = b"some words\n" * 1_000
    for place in (0, 5, len(text) // 2, len(text)):
        path = write(tmp_path / "a.txt", text[:place] + b"\0" + text[place:])
        corpus = Corpus([path])
        assert {word for words in corpus for word in words} >= {"some", "words"}
        assert corpus.invalid_bytes == {path: 1}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf16_with_a_byte_order_mark_is_read(tmp_path, encoding, monkeypatch):
    monkeypatch.setattr(text_files, "PIECE", 7)
    mark = "" if encoding == "utf-16" else "\ufeff"
    path = write(tmp_path / "a.txt", f"{mark}ein h\u00fcbscher\nsatz".encode(encoding))
    corpus = Corpus([path])
    assert list(corpus) == [["ein", "h\u00fcbscher"], ["satz"]] and not corpus.invalid_bytes


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", b"", "no words in it"),
        ("points.txt", b"... !!! \n", "no words in it"),
        ("torn.gz", gzip.compress(b"some text " * 9999, mtime=0)[:-20], "is damaged"),
        ("plain.gz", b"no gzip", "plain.gz: is damaged"),
        ("bad.zip", b"no zip", "bad.zip: is damaged or no zip"),
        ("a.tar.gz", b"", "is a tar archive; unpack it"),
        ("wide.txt", "text".encode("utf-16-le"), "is no text file"),
        ("binary.txt", b"a\0b", "is no text file"),
    ],
)
def test_bad_files(tmp_path, name, content, message):
    path = write(tmp_path / name, content)
    with pytest.raises(KerasuiteError, match=message) as error:
        list(Corpus([path]))
    assert name in str(error.value)


def test_nothing_found(tmp_path):
    with pytest.raises(KerasuiteError, match="does not exist"):
        Corpus([str(tmp_path / "none")])
    with pytest.raises(KerasuiteError, match="holds no file to read"):
        Corpus([str(tmp_path)])
    with pytest.raises(KerasuiteError, match="standard input"):
        Corpus(["-"])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", b"")
    with pytest.raises(KerasuiteError, match="no text in it"):
        list(Corpus([str(tmp_path / "a.zip")]))
    write(tmp_path / "a.txt", "x")
    with pytest.raises(KerasuiteError, match="--document"):
        Corpus([str(tmp_path / "a.txt")], document="page")
