"""Files of word vectors: every format there and back, gensim's reading and writing, errors."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import numpy as np
import pytest
from gensim.models import KeyedVectors

from apps.embeddings.vectors.vector_files import FORMATS, read_vectors, write_vectors
from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common.errors import KerasuiteError


@pytest.fixture
def vectors():
    generator = np.random.default_rng(0)
    words = ["the", "<unk>", "é", "中", "3", "\u0085", "a/b", *(f"w{i}" for i in range(5_000))]
    return WordVectors(words, generator.normal(size=(len(words), 7)).astype(np.float32))


def assert_equal(read, vectors):
    assert read.words == vectors.words
    np.testing.assert_array_equal(read.vectors, vectors.vectors)


@pytest.mark.parametrize("format", FORMATS)
def test_there_and_back(tmp_path, vectors, format):
    write_vectors(vectors, tmp_path / "v", format)
    assert_equal(read_vectors(tmp_path / "v"), vectors)


@pytest.mark.parametrize("dim", [1, 2, 100])
@pytest.mark.parametrize("format", FORMATS)
def test_other_dimensions(tmp_path, format, dim):
    vectors = WordVectors(["a", "b"], np.arange(2 * dim).reshape(2, dim) / 3)
    write_vectors(vectors, tmp_path / "v", format)
    assert_equal(read_vectors(tmp_path / "v"), vectors)


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_reads_and_writes(tmp_path, vectors, binary):
    vectors = WordVectors(["a" + word for word in vectors.words], vectors.vectors)
    format = "word2vec-binary" if binary else "word2vec"
    write_vectors(vectors, tmp_path / "ours", format)
    keyed = KeyedVectors.load_word2vec_format(tmp_path / "ours", binary=binary)
    assert keyed.index_to_key == vectors.words
    np.testing.assert_array_equal(keyed.vectors, vectors.vectors)
    keyed.save_word2vec_format(str(tmp_path / "theirs"), binary=binary)
    assert_equal(read_vectors(tmp_path / "theirs"), vectors)


def test_gensim_reads_glove_and_gzip_is_read(tmp_path, vectors):
    vectors = WordVectors(vectors.words[6:], vectors.vectors[6:])
    write_vectors(vectors, tmp_path / "v.txt", "glove")
    keyed = KeyedVectors.load_word2vec_format(tmp_path / "v.txt", binary=False, no_header=True)
    np.testing.assert_array_equal(keyed.vectors, vectors.vectors)
    (tmp_path / "v.gz").write_bytes(gzip.compress((tmp_path / "v.txt").read_bytes()))
    assert_equal(read_vectors(tmp_path / "v.gz"), vectors)


def test_glove_words_with_spaces(tmp_path):
    words = [". . .", "at b@c.d", "$ 1", "x", "y", "z"]
    vectors = WordVectors(words, np.arange(18).reshape(6, 3))
    write_vectors(vectors, tmp_path / "v", "glove")
    assert_equal(read_vectors(tmp_path / "v"), vectors)
    with pytest.raises(KerasuiteError, match="the format word2vec cannot hold"):
        write_vectors(vectors, tmp_path / "w", "word2vec")


def test_projector_with_titles(tmp_path):
    (tmp_path / "vectors.tsv").write_text("1\t2\n3\t4\n")
    (tmp_path / "metadata.tsv").write_text("word\tcount\na\t5\nb\t6\n")
    assert read_vectors(tmp_path / "vectors.tsv").words == ["a", "b"]


def test_repeated_words(tmp_path, capsys):
    (tmp_path / "v").write_text("3 2\na 1 2\nb 3 4\na 5 6\n")
    assert_equal(read_vectors(tmp_path / "v"), WordVectors(["a", "b"], [[1, 2], [3, 4]]))
    assert "1 words occur more than once, such as 'a'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("w 1 2", "2 numbers instead of 3"),
        ("w 1 2 3 4", "4 numbers instead of 3"),
        ("w 1 nan 3", "'nan' is not a finite number"),
        ("w 1 x 3", "'x' is not a finite number"),
        ("w 1 1e99 3", "'1e99' is not a finite number"),
    ],
)
@pytest.mark.parametrize(
    ("header", "number"),
    # GloVe's first row alone does not tell the dimension; most of the first rows do.
    [(True, 2), (False, 2), (True, 2_001), (False, 73_456), (True, 73_456)],
)
def test_bad_row_is_named(tmp_path, row, message, header, number):
    rows = [f"w{index} 1 2 3" for index in range(73_500)]
    rows[number - 1] = row
    if header:
        rows = [f"{len(rows)} 3", *rows]
    (tmp_path / "v.txt").write_text("\n".join(rows) + "\n")
    with pytest.raises(KerasuiteError, match=rf"v\.txt, row {number + header}: {message}"):
        read_vectors(tmp_path / "v.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no word vectors"),
        (b"hello\n", "holds no word vectors"),
        (b"0 3\n", "holds no word vectors"),
        (b"5 99999999999\na \0\1\2\x80", "promises vectors of 99,999,999,999 numbers"),
        (b"2 1\na \0\0\x80?\nb \0", "ends in vector 2 of 2"),
        (b"1 1\na \0\0\xc0\x7f", "vector 1: the vector of 'a'"),
    ],
)
def test_bad_files(tmp_path, content, message):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(KerasuiteError, match=message):
        read_vectors(tmp_path / "v")


def test_bad_projector(tmp_path):
    path = tmp_path / "vectors.tsv"
    path.write_text("1\t2\n3\n")
    with pytest.raises(KerasuiteError, match="metadata.tsv"):
        read_vectors(path)
    (tmp_path / "metadata.tsv").write_text("a\nb\n")
    with pytest.raises(KerasuiteError, match="row 2: 1 numbers instead of 2"):
        read_vectors(path)
    path.write_text("1\t2\n")
    with pytest.raises(KerasuiteError, match="1 vectors, but 2 words"):
        read_vectors(path)
    with pytest.raises(KerasuiteError, match="no such file"):
        read_vectors(tmp_path / "none")
    with pytest.raises(KerasuiteError, match="--format x"):
        write_vectors(WordVectors(["a"], [[1]]), tmp_path / "v", "x")


@pytest.mark.parametrize("header", ["", "2 3\n", "2\t3\n", "\ufeff2 3\n", "\ufeff"])
@pytest.mark.parametrize(
    "row", ["{}\t{} {} {}", "{}\t{}\t{}\t{}", "{}  {}  {} {} ", "{} {} {} {}\t"]
)
@pytest.mark.parametrize("name", ["v.txt", "v.tsv", "v.vec"])
def test_tabs_and_spaces(tmp_path, header, row, name):
    rows = [row.format("the", "1.0", "-2", "3e-1"), row.format("of", 4, 5, 6)]
    (tmp_path / name).write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    found = read_vectors(tmp_path / name)
    assert_equal(found, WordVectors(["the", "of"], [[1, -2, 0.3], [4, 5, 6]]))


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("count", ["1", "2", "4", "99999999999999999999", "9" * 5_000])
def test_a_count_that_does_not_fit(tmp_path, capsys, binary, count):
    """Neither loses words nor refuses them; it is said."""
    vectors = WordVectors(["a", "b", "c"], [[1, 2], [3, 4], [5, 6]])
    write_vectors(vectors, tmp_path / "v", "word2vec-binary" if binary else "word2vec")
    content = (tmp_path / "v").read_bytes().partition(b"\n")[2]
    (tmp_path / "v").write_bytes(f"{count} 2\n".encode() + content)
    assert_equal(read_vectors(tmp_path / "v"), vectors)
    assert "has 3 vectors, but its first line promises" in capsys.readouterr().err


def test_a_dimension_that_does_not_fit(tmp_path, capsys):
    (tmp_path / "v").write_text("3 7\na 1 2\nb 3 4\nc 5 6\n")
    assert read_vectors(tmp_path / "v").dim == 2
    assert "vectors have 2 numbers, but its first line promises 7" in capsys.readouterr().err


def packed(kind, content):
    if kind != "zip":
        return {"gz": gzip, "bz2": bz2, "xz": lzma}[kind].compress(content)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("__MACOSX/._v.txt", b"x")
        archive.writestr("v.txt", content)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zip"])
def test_packed_files(tmp_path, vectors, kind):
    write_vectors(vectors, tmp_path / "v.txt")
    content = packed(kind, (tmp_path / "v.txt").read_bytes())
    path = tmp_path / f"v.{kind}"
    path.write_bytes(content)
    assert_equal(read_vectors(path), vectors)
    for damaged in (content[: len(content) // 2], content[:2000] + b"garbage" * 99, b"no " * 9):
        path.write_bytes(damaged)
        with pytest.raises(KerasuiteError, match=f"v.{kind}: is (damaged|not packed)"):
            read_vectors(path)


def test_other_formats_are_named(tmp_path):
    keyed = KeyedVectors(2)
    keyed.add_vectors(["a"], np.ones((1, 2), np.float32))
    keyed.save(str(tmp_path / "v.kv"))
    np.save(tmp_path / "v.npy", np.ones(3))
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("a.txt", "a 1 2\n")
        archive.writestr("b.txt", "a 1 2\n")
    with tarfile.open(tmp_path / "v.tgz", "w:gz") as archive:
        archive.add(tmp_path / "v.npy")
    for name, message in (
        ("v.kv", "is a pickle, .* load"),
        ("v.npy", "is an array of NumPy"),
        ("v.zip", "holds a.txt, b.txt; unpack it"),
        ("v.tgz", "is a tar archive; unpack it"),
    ):
        with pytest.raises(KerasuiteError, match=f"{name}: {message}"):
            read_vectors(tmp_path / name)
