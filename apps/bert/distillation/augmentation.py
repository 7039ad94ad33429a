"""Data augmentation for distillation: words are replaced by likely others.

A word that is one piece of the vocabulary is replaced by a prediction of a masked language model,
a longer word by a neighbour among word vectors.

Reference: [Jiao et al., 2020, algorithm 1](https://arxiv.org/abs/1909.10351)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from apps.bert.pretraining.pretrainer import Pretrainer
from shared.common.errors import KerasuiteError
from shared.text.wordpiece_tokenizer import SPECIAL_TOKENS, SUFFIX, WordPieceTokenizer

# Maps words to the candidates that may replace them.
Candidates = Callable[[Sequence[str]], list[list[str]]]


class MaskedCandidates:
    """Predictions of a masked language model for each word of a sentence.

    Args:
        model: a pretrained model with its masked-language head.
        tokenizer: its tokenizer.
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
        if not isinstance(tokenizer, WordPieceTokenizer):
            raise KerasuiteError(
                "words are replaced by word pieces, but the encoder has byte-level tokens; give "
                "the run of a BERT"
            )
        self.model, self.tokenizer, self.count = model, tokenizer, count
        self.max_length, self.batch_size = max_length, batch_size
        names = tokenizer.vocabulary
        usable = [
            not name.startswith(SUFFIX) and name not in SPECIAL_TOKENS and name.isalpha()
            for name in names
        ]
        self._names, self._usable = names, np.array(usable)

    def __call__(self, words: Sequence[str]) -> list[list[str]]:
        """Candidates for each word; none for words of several pieces or non-letters."""
        import tensorflow as tf

        row = tf.RaggedTensor.from_row_lengths(tf.constant(list(words)), [len(words)])
        token_ids, index, _ = (part[0].numpy() for part in self.tokenizer.tokenize_words(row))
        token_ids, index = token_ids[: self.max_length - 2], index[: self.max_length - 2]
        single = np.bincount(index, minlength=len(words)) == 1
        positions = [position for position, word in enumerate(index) if single[word]]
        positions = [position for position in positions if self._usable[token_ids[position]]]
        found: list[list[str]] = [[] for _ in words]
        for begin in range(0, len(positions), self.batch_size):
            part = positions[begin : begin + self.batch_size]
            for position, names in zip(part, self._predictions(token_ids, part), strict=True):
                word = index[position]
                found[word] = [name for name in names if name != words[word]]
        return found

    def _predictions(self, token_ids: np.ndarray, positions: list[int]) -> list[list[str]]:
        """The likeliest pieces at positions of a sentence, masked one at a time."""
        ids = np.concatenate([[self.tokenizer.cls], token_ids, [self.tokenizer.sep]])
        rows = np.tile(ids, (len(positions), 1)).astype(np.int32)
        at = np.array(positions, np.int32)[:, None] + 1
        np.put_along_axis(rows, at, self.tokenizer.mask, axis=1)
        x = {"token_ids": rows, "segment_ids": np.zeros_like(rows), "masked_positions": at}
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
        candidates: returns the candidates for each word.
        copies: int. N_a of the paper.
        probability: float. Probability of replacing a word, p_t.
        generator: generator of the random choices.
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
