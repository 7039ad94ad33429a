"""Counting, its two distributions, and bounded memory."""

from collections import Counter

import numpy as np
import pytest
from gensim.models import Word2Vec
from gensim.test.utils import datapath

from apps.embeddings.corpus.corpus import Corpus
from apps.embeddings.corpus.vocabulary import Vocabulary, build_vocabulary
from shared.common.errors import KerasuiteError


@pytest.fixture(scope="module")
def documents():
    return list(Corpus([datapath("lee_background.cor")]))


def test_counts_and_order(documents):
    counter = Counter(word for words in documents for word in words)
    vocabulary = build_vocabulary(documents, min_count=3)
    expected = [(word, count) for word, count in counter.most_common() if count >= 3]
    assert list(zip(vocabulary.words, vocabulary.counts, strict=True)) == expected
    assert vocabulary.dropped_words == counter.total() - vocabulary.counts.sum()
    assert vocabulary.ids["the"] == 0
    largest = build_vocabulary(documents, min_count=3, max_vocab=50)
    assert largest.words == vocabulary.words[:50]


@pytest.mark.parametrize("subsample", [1e-3, 1e-5])
def test_distributions_equal_gensim(documents, subsample):
    model = Word2Vec(min_count=3, sample=subsample, negative=5)
    model.build_vocab(documents)
    vocabulary = build_vocabulary(documents, min_count=3)
    order = [model.wv.key_to_index[word] for word in vocabulary.words]
    kept = model.wv.expandos["sample_int"][order] / (2**32 - 1)
    np.testing.assert_allclose(vocabulary.keep_probabilities(subsample), kept, rtol=1e-6)
    noise = np.diff(model.cum_table / model.cum_table[-1], prepend=0)[order]
    ours = vocabulary.noise_distribution()
    np.testing.assert_allclose(ours, noise, atol=1e-8)
    assert ours.sum() == pytest.approx(1)


def test_no_subsampling_keeps_all():
    assert (Vocabulary(["a", "b"], [9, 1]).keep_probabilities(0) == 1).all()


def test_save_and_load(tmp_path):
    vocabulary = Vocabulary(["the", "é#", "\u0085x", "中"], [7, 3, 2, 1])
    vocabulary.save(tmp_path / "v.txt")
    loaded = Vocabulary.load(tmp_path / "v.txt")
    assert loaded.words == vocabulary.words
    assert loaded.counts.dtype == np.int64 and (loaded.counts == vocabulary.counts).all()


@pytest.mark.parametrize("row", ["word", "word x", "the 3", " 4"])
def test_bad_row(tmp_path, row):
    (tmp_path / "v.txt").write_text(f"the 7\n{row}\n")
    with pytest.raises(KerasuiteError, match=r"v\.txt, row 2"):
        Vocabulary.load(tmp_path / "v.txt")


def test_pruning_keeps_the_frequent_words():
    rare = ([f"rare{index}", "often", "usual"] for index in range(10_000))
    vocabulary = build_vocabulary(rare, min_count=5, max_table=100)
    assert vocabulary.words == ["often", "usual"]
    assert (vocabulary.counts == 10_000).all()
    assert vocabulary.dropped_words == 10_000


@pytest.mark.parametrize(
    ("documents", "options", "message"),
    [
        ([], {}, "holds no words"),
        ([["a", "b", "b"]], {"min_count": 5}, r"3 words, 2 .*highest count is 2\); lower --min-c"),
        ([["a"] * 9 + ["b"]], {"min_count": 5}, "only 'a' occurs at least 5 times.*--min-count"),
        ([["a"] * 9], {"min_count": 1}, "only one word, 'a'"),
        ([["a", "b"]], {"min_count": 1, "max_vocab": 1}, "raise --max-vocab"),
    ],
)
def test_too_little(documents, options, message):
    with pytest.raises(KerasuiteError, match=message):
        build_vocabulary(documents, **options)
