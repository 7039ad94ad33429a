"""The corpus as ids on disk."""

import numpy as np
import pytest

from apps.embeddings.corpus.encoded_corpus import EncodedCorpus, encode
from apps.embeddings.corpus.vocabulary import Vocabulary
from shared.common.errors import KerasuiteError

VOCABULARY = Vocabulary(["a", "b", "c"], [3, 2, 1])


def test_encode(tmp_path):
    documents = [["x"], ["a", "x", "c"], [], ["b"], ["x", "y"], ["c", "a"], ["x"]]
    corpus = encode(iter(documents), VOCABULARY, tmp_path / "tokens.bin")
    assert corpus.tokens.dtype == np.int32
    assert corpus.tokens.tolist() == [0, 2, -1, 1, -1, 2, 0]
    np.testing.assert_array_equal(corpus.tokens, EncodedCorpus.open(tmp_path / "tokens.bin").tokens)
    raw = (tmp_path / "tokens.bin").read_bytes()
    assert raw == np.array([0, 2, -1, 1, -1, 2, 0], "<i4").tobytes()


def test_nothing_known(tmp_path):
    with pytest.raises(KerasuiteError, match="none of the 3 words"):
        encode([["x"]], VOCABULARY, tmp_path / "tokens.bin")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"12345"])
def test_bad_file(tmp_path, content):
    path = tmp_path / "tokens.bin"
    with pytest.raises(KerasuiteError, match="no such file"):
        EncodedCorpus.open(path)
    path.write_bytes(content)
    with pytest.raises(KerasuiteError, match="no sequence of int32"):
        EncodedCorpus.open(path)
