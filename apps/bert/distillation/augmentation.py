"""More sentences to distil on: words are replaced by others that fit.

A word that is one piece of the vocabulary gets what a masked language model expects in its place;
a longer word gets its neighbours among word vectors.

Reference: [Jiao et al., 2020, algorithm 1](https://arxiv.org/abs/1909.10351)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from apps.bert.pretraining.pretrainer import Pretrainer
from shared.text.wordpiece_tokenizer import SPECIAL_TOKENS, SUFFIX, WordPieceTokenizer

# Words to the candidates that may stand in their places.
Candidates = Callable[[Sequence[str]], list[list[str]]]


class MaskedCandidates:
    """What a pretrained encoder expects at each word of a sentence.

    Args:
        model: a pretrained model with its masked-language head.
        tokenizer: its word pieces.
        count: int. Candidates for each word.
        max_length: int. Longest sequence; later words have no candidates.
        batch_size: int. Masked copies of a sentence in one call.
    """

    def __init__(
        self,
        model: Pretrainer,
        tokenizer: WordPieceTokenizer,
        count: int,
        max_length: int = 128,
        batch_size: int = 64,
    ):
        self.model, self.tokenizer, self.count = model, tokenizer, count
        self.max_length, self.batch_size = max_length, batch_size
        names = tokenizer.vocabulary
        usable = [
            not name.startswith(SUFFIX) and name not in SPECIAL_TOKENS and name.isalpha()
            for name in names
        ]
        self._names, self._usable = names, np.array(usable)

    def __call__(self, words: Sequence[str]) -> list[list[str]]:
        """Candidates of each word; none where it has several pieces, or is no word."""
        import tensorflow as tf

        row = tf.RaggedTensor.from_row_lengths(tf.constant(list(words)), [len(words)])
        tokens, index = (part[0].numpy() for part in self.tokenizer.tokenize_words(row))
        tokens, index = tokens[: self.max_length - 2], index[: self.max_length - 2]
        single = np.bincount(index, minlength=len(words)) == 1
        places = [place for place, word in enumerate(index) if single[word]]
        places = [place for place in places if self._usable[tokens[place]]]
        found: list[list[str]] = [[] for _ in words]
        for begin in range(0, len(places), self.batch_size):
            part = places[begin : begin + self.batch_size]
            for place, names in zip(part, self._expected(tokens, part), strict=True):
                found[index[place]] = [name for name in names if name != words[index[place]]]
        return found

    def _expected(self, tokens: np.ndarray, places: list[int]) -> list[list[str]]:
        """The likeliest pieces at places of a sentence, masked one at a time."""
        ids = np.concatenate([[self.tokenizer.cls], tokens, [self.tokenizer.sep]])
        rows = np.tile(ids, (len(places), 1)).astype(np.int32)
        at = np.array(places, np.int32)[:, None] + 1
        np.put_along_axis(rows, at, self.tokenizer.mask, axis=1)
        x = {"tokens": rows, "segments": np.zeros_like(rows), "places": at}
        logits = np.array(self.model(x, training=False)["masked"])[:, 0]
        logits[:, ~self._usable] = -np.inf
        best = np.argsort(-logits, axis=1)[:, : self.count]
        return [[self._names[number] for number in row] for row in best]


class NeighborCandidates:
    """The neighbours of each word among word vectors.

    Args:
        vectors: gensim `KeyedVectors`.
        count: int. Candidates for each word.
    """

    def __init__(self, vectors, count: int):
        self.vectors, self.count = vectors, count

    def __call__(self, words: Sequence[str]) -> list[list[str]]:
        return [self._neighbors(word) for word in words]

    def _neighbors(self, word: str) -> list[str]:
        if word not in self.vectors or not word.isalpha():
            return []
        return [name for name, _ in self.vectors.most_similar(word, topn=self.count)]


def first_found(*sources: Candidates) -> Candidates:
    """The candidates of the first source that has any, word by word."""

    def candidates(words: Sequence[str]) -> list[list[str]]:
        found: list[list[str]] = [[] for _ in words]
        for source in sources:
            if all(found):
                break
            found = [one or other for one, other in zip(found, source(words), strict=True)]
        return found

    return candidates


def augmented(
    sentences: Iterable[str],
    candidates: Candidates,
    copies: int,
    probability: float,
    generator: np.random.Generator,
) -> Iterator[list[str]]:
    """The changed copies of each sentence, at most `copies`, none equal to another or to it.

    Args:
        sentences: texts; words are what stands between spaces.
        candidates: what may stand in the place of each word.
        copies: int. N_a of the paper.
        probability: float. Of replacing a word, p_t.
        generator: of the random choices.
    """
    for sentence in sentences:
        words = sentence.split()
        choices = candidates(words) if words else []
        made = {" ".join(words): None}
        for _ in range(copies):
            changed = [
                str(generator.choice(other)) if other and generator.random() < probability else word
                for word, other in zip(words, choices, strict=True)
            ]
            made.setdefault(" ".join(changed))
        yield list(made)[1:]
