"""Models of fastText against gensim's own reader, and damaged ones."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from gensim.models import FastText
from gensim.models.fasttext import load_facebook_vectors, save_facebook_model

from apps.embeddings.vectors.fasttext_file import END_OF_SENTENCE, SubwordVectors
from apps.embeddings.vectors.vector_files import read_vectors
from apps.embeddings.vectors.word_similarity import evaluate
from shared.common.errors import KerasuiteError

TEXT = "the king and the queen of the small land saw märchen and the land saw the king"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A model that gensim has written in fastText's layout."""
    path = tmp_path_factory.mktemp("fasttext") / "m.bin"
    options = {"vector_size": 6, "min_count": 1, "bucket": 50, "epochs": 1, "workers": 1}
    save_facebook_model(FastText([TEXT.split()] * 3, seed=1, **options), str(path))
    return path


def test_equals_gensim(model):
    truth, ours = load_facebook_vectors(str(model)), read_vectors(model)
    assert sorted(ours.words) == sorted(truth.index_to_key) and ours.words[0] == "the"
    for word in ours.words:
        if word != END_OF_SENTENCE:
            np.testing.assert_allclose(ours.vectors[ours.index(word)], truth[word], atol=1e-6)
    for word in ("kingdom", "Märchenland", "x"):
        unit = truth[word] / np.linalg.norm(truth[word])
        np.testing.assert_allclose(ours.unit_vector(word), unit, atol=1e-5)
    near = truth.similar_by_vector(truth["kingdom"], 3)
    assert [word for word, _ in ours.neighbors("kingdom", 3)] == [word for word, _ in near]
    assert ours.analogy("king", "kingdom", "queen", 1)


def test_packed(model, tmp_path):
    path = tmp_path / "m.bin.gz"
    path.write_bytes(gzip.compress(model.read_bytes()))
    np.testing.assert_array_equal(read_vectors(path).vectors, read_vectors(model).vectors)


def test_unknown_words_are_compared_by_their_ngrams(model, tmp_path, capsys):
    path = tmp_path / "pairs.tsv"
    path.write_text("king\tqueen\t3\nkingdom\tland\t2\nlands\tkings\t1\n")
    found = evaluate(read_vectors(model), path)
    assert (found.pairs, found.all_pairs) == (3, 3) and np.isfinite(found.spearman)
    assert "3 words are not in the vocabulary" in capsys.readouterr().err


def test_a_word_without_ngrams_is_unknown():
    vectors = SubwordVectors(["a"], np.ones((1, 2)), np.ones((0, 2), np.float32), (3, 6))
    for word in ("b", ""):
        with pytest.raises(KerasuiteError, match="is not among the 1 words"):
            vectors.neighbors(word)


def test_damaged_models(model, tmp_path):
    """Cut off anywhere, and with giant numbers anywhere in the header."""
    content, path = model.read_bytes(), tmp_path / "m.bin"
    giant = [
        content[:place] + struct.pack("<i", 2**31 - 1) + content[place + 4 :]
        for place in (8, 40, 64, 68)
    ]
    for damaged in (*(content[:size] for size in (4, 30, 80, 130, len(content) // 3)), *giant):
        path.write_bytes(damaged)
        with pytest.raises(KerasuiteError, match="m.bin: is a damaged model of fastText"):
            read_vectors(path)
