"""Which word pieces are to be guessed, and what stands in their place.

Reference: [Devlin et al., 2019, section 3.1 and appendix A](https://arxiv.org/abs/1810.04805);
whole words are of the authors' later release
"""

import dataclasses

import numpy as np

from apps.bert.finetuning.heads import IGNORED
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

# Of what is to be guessed, so much becomes [MASK], and so much another piece; the rest stays.
MASKED, REPLACED = 0.8, 0.1


@dataclasses.dataclass(frozen=True)
class Masker:
    """Masks rows of tokens.

    Args:
        tokenizer: says what is special and what continues a word.
        share: float. Of the word pieces.
        whole_word: bool. Whether words are chosen, with all their pieces.
        most: int. Places to be guessed in a row, at most.
    """

    tokenizer: WordPieceTokenizer
    share: float
    whole_word: bool
    most: int

    def __post_init__(self):
        special = np.zeros(self.tokenizer.vocabulary_size, bool)
        special[[self.tokenizer.pad, self.tokenizer.cls, self.tokenizer.sep]] = True
        ordinary = np.setdiff1d(
            np.arange(self.tokenizer.vocabulary_size), self.tokenizer.special_tokens
        )
        object.__setattr__(self, "_special", special)
        object.__setattr__(self, "_ordinary", ordinary.astype(np.int32))
        object.__setattr__(self, "_is_suffix", self.tokenizer.is_suffix)

    def __call__(self, tokens: np.ndarray, generator: np.random.Generator):
        """Chooses places in rows of tokens int32 (B, T) and masks them.

        Returns:
            masked int32 (B, T); places int32 (B, K), padded by 0; labels int32 (B, K), what stood
            there, IGNORED at padding.
        """
        chosen = self._choose(tokens, generator)
        masked = np.where(chosen, self._instead(tokens, generator), tokens)
        places = np.zeros((len(tokens), self.most), np.int32)
        labels = np.full((len(tokens), self.most), IGNORED, np.int32)
        rows, columns = np.nonzero(chosen)
        slots = (np.cumsum(chosen, axis=1) - 1)[rows, columns]
        places[rows, slots], labels[rows, slots] = columns, tokens[rows, columns]
        return masked, places, labels

    def _choose(self, tokens: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """bool (B, T): the pieces with the smallest random numbers, a share of each row."""
        real = ~self._special[tokens]
        wanted = np.clip(np.rint(self.share * real.sum(axis=1)), 1, self.most).astype(int)
        order = np.where(real, generator.random(tokens.shape), np.inf)
        if self.whole_word:
            order = self._by_word(order, tokens)
        smallest = np.argsort(order, axis=1, kind="stable")
        ranks = np.empty_like(smallest)
        np.put_along_axis(ranks, smallest, np.arange(tokens.shape[1])[None], axis=1)
        chosen = (ranks < wanted[:, None]) & real
        return self._without_half_words(chosen, tokens) if self.whole_word else chosen

    def _words(self, tokens: np.ndarray) -> np.ndarray:
        """The number of the word that each piece of a row is of, (B, T)."""
        return np.cumsum(~self._is_suffix[tokens], axis=1)

    def _by_word(self, order: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Gives all pieces of a word the number of its first one."""
        firsts = np.where(self._is_suffix[tokens], 0, np.arange(tokens.shape[1]))
        return np.take_along_axis(order, np.maximum.accumulate(firsts, axis=1), axis=1)

    def _without_half_words(self, chosen: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Leaves out the word of which not all pieces had room, unless it is the only one."""
        words = self._words(tokens) + (np.arange(len(tokens)) * (tokens.shape[1] + 1))[:, None]
        size = np.bincount(words.ravel())
        taken = np.bincount(words.ravel(), weights=chosen.ravel())
        whole = chosen & (taken == size)[words]
        alone = ~whole.any(axis=1, keepdims=True)
        return np.where(alone, chosen, whole)

    def _instead(self, tokens: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """What stands in the place of each token if it is chosen."""
        dice = generator.random(tokens.shape)
        others = generator.choice(self._ordinary, tokens.shape)
        instead = np.where(dice < MASKED + REPLACED, others, tokens)
        return np.where(dice < MASKED, self.tokenizer.mask, instead)
