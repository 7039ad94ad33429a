"""Files of word vectors: every format there and back, gensim's reading and writing, errors."""

import gzip

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
    vectors = WordVectors([". . .", "at b@c.d", "<unk>", "x"], np.arange(12).reshape(4, 3))
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
        (b"5 2\na 1 2\n", "has 1 vectors, but its first line promises 5"),
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
