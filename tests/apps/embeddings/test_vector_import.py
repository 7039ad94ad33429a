"""Files of vectors as runs."""

import gzip
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from apps.embeddings.tools import load_vectors
from apps.embeddings.vectors.vector_files import FORMATS, read_vectors, write_vectors
from apps.embeddings.vectors.word_vectors import WordVectors
from tests.in_process import run_command

WORDS = ["the", "king", "queen", "man", "woman", "Paris", "of"]


def expect(done, code=0):
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def vectors():
    values = np.random.default_rng(0).normal(size=(len(WORDS), 6)).astype(np.float32)
    return WordVectors(WORDS, values)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_becomes_a_run(vectors, tmp_path, format):
    file = tmp_path / "vectors"
    write_vectors(vectors, file, format)
    if format == "glove":
        (tmp_path / "vectors.gz").write_bytes(gzip.compress(file.read_bytes()))
        file = tmp_path / "vectors.gz"
    done = expect(run_command("embed", "import", file, "--output", tmp_path / "run"))
    assert "7 words, 6 numbers each" in done.stdout and "1 words have capitals" in done.stderr
    found, read = load_vectors(tmp_path / "run"), read_vectors(file)
    assert found.words == read.words == WORDS
    np.testing.assert_array_equal(found.vectors, read.vectors)


@pytest.mark.slow
def test_it_is_used_as_a_run(vectors, tmp_path):
    write_vectors(vectors, tmp_path / "a.vec", "word2vec")
    run = tmp_path / "run"
    expect(run_command("embed", "import", tmp_path / "a.vec", "--output", run))
    shown = expect(run_command("embed", "neighbors", run, "king", "--top", 2)).stdout
    assert all(word in shown for word, _ in vectors.neighbors("king", 2))
    (tmp_path / "text.txt").write_text("The king and nobody")
    expect(run_command("embed", "predict", run, tmp_path / "text.txt", "--output",
                       tmp_path / "out"))  # fmt: skip
    mean = vectors.vectors[[0, 1]].mean(axis=0)
    np.testing.assert_allclose(np.load(tmp_path / "out" / "vectors.npy")[0], mean, atol=1e-6)
    (export,) = run.glob("export/**/saved_model.pb")
    loaded = tf.saved_model.load(export.parent)
    output = loaded.signatures["serving_default"](token=tf.constant(["Paris", "nobody"]))
    np.testing.assert_array_equal(output["vector"][0], vectors.vectors[5])
    assert output["in_vocabulary"].numpy().tolist() == [True, False]
    pairs = "".join(f"{a}\t{b}\t{n}\n" for n, (a, b) in enumerate(pairwise(WORDS * 2)))
    (tmp_path / "pairs.tsv").write_text(pairs)
    expect(run_command("embed", "evaluate", run, tmp_path / "pairs.tsv"))


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "holds no"), ("1 2\nthe 1 2\n", "has 1 usable words, at least two are needed")],
)
def test_bad_files(tmp_path, content, message):
    (tmp_path / "a.vec").write_text(content)
    done = run_command("embed", "import", tmp_path / "a.vec", "--output", tmp_path / "run")
    assert done.returncode == 1 and message in done.stderr
    assert not (tmp_path / "run").exists()


def test_it_is_not_trained(tmp_path):
    (tmp_path / "text.txt").write_text("the king and the queen\n" * 9)
    done = run_command("embed", "train", tmp_path / "text.txt", "--preset", "test", "--algorithm",
                       "imported", "--output", tmp_path / "run")  # fmt: skip
    assert done.returncode == 1 and "--algorithm imported: is of vectors that were" in done.stderr
