"""Numbers of sentences: padding by a plain loop, files, the same tokens as the tokenizer's."""

import numpy as np
import pytest

from apps.translation.pairs.encoded_pairs import EncodedPairs, encode
from shared.text.special_tokens import END, PAD, START
from shared.text.subword_tokenizer import SubwordTokenizer, train_tokenizer

TEXTS = ["a small cat", "the cat sat", "", "a bird and a very long cat sat there", "x"]


@pytest.fixture(scope="module")
def tokenizer():
    return SubwordTokenizer(train_tokenizer(TEXTS * 3, "unigram", 290))


@pytest.fixture
def pairs(tokenizer):
    return EncodedPairs(encode(TEXTS, tokenizer), encode(TEXTS[::-1], tokenizer))


def rows(texts, tokenizer):
    return [tokenizer([text]).to_list()[0] for text in texts]


def padded(rows):
    longest = max(len(row) for row in rows)
    return [row + [PAD] * (longest - len(row)) for row in rows]


def test_a_batch_equals_a_plain_loop(pairs, tokenizer):
    chosen = [3, 0, 2]
    x, y = pairs.batch(np.array(chosen))
    source = [rows(TEXTS, tokenizer)[i] for i in chosen]
    target = [rows(TEXTS[::-1], tokenizer)[i] for i in chosen]
    np.testing.assert_array_equal(x["source"], padded([row + [END] for row in source]))
    np.testing.assert_array_equal(x["target"], padded([[START] + row for row in target]))
    np.testing.assert_array_equal(y["labels"], padded([row + [END] for row in target]))
    np.testing.assert_array_equal(y["index"], chosen)


def test_pairs_survive_a_file_and_a_choice(pairs, tmp_path):
    pairs.take(np.array([4, 1])).save(tmp_path / "pairs.npz")
    again = EncodedPairs.load(tmp_path / "pairs.npz")
    assert len(again) == 2
    for one, two in zip(again.batch(np.array([0, 1])), pairs.batch(np.array([4, 1])), strict=True):
        for name in one:
            if name != "index":
                np.testing.assert_array_equal(one[name], two[name])


def test_many_sentences_are_cut_in_parts(tokenizer, monkeypatch):
    whole = encode(TEXTS, tokenizer)
    monkeypatch.setattr("apps.translation.pairs.encoded_pairs.CHUNK", 2)
    parts = encode(TEXTS, tokenizer)
    np.testing.assert_array_equal(whole.tokens, parts.tokens)
    np.testing.assert_array_equal(whole.ends, parts.ends)


def test_no_sentences(tokenizer):
    assert len(encode([], tokenizer)) == 0
