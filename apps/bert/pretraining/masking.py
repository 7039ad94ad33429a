"""Masking of word pieces for the masked language model.

Reference: [Devlin et al., 2019, section 3.1 and appendix A](https://arxiv.org/abs/1810.04805);
whole-word masking is from the authors' later release
"""

import dataclasses

import numpy as np

from apps.bert.checkpoint.tokenizer_files import Tokenizer
from apps.bert.encoder import IGNORED

# Shares of the chosen pieces that become [MASK] and a random piece; the rest stays.
MASKED, REPLACED = 0.8, 0.1


@dataclasses.dataclass(frozen=True)
class Masker:
    """Masks rows of word pieces.

    Args:
        tokenizer: knows the special tokens and the pieces that continue a word.
        share: float. Share of the word pieces to predict.
        whole_word: bool. Whether all pieces of a word are masked together.
        max_masked: int. Largest number of masked positions in a row.
    """

    tokenizer: Tokenizer
    share: float
    whole_word: bool
    max_masked: int

    def __post_init__(self):
        special = np.zeros(self.tokenizer.vocabulary_size, bool)
        special[[self.tokenizer.pad, self.tokenizer.cls, self.tokenizer.sep]] = True
        ordinary = np.setdiff1d(
            np.arange(self.tokenizer.vocabulary_size), self.tokenizer.special_tokens
        )
        object.__setattr__(self, "_special", special)
        object.__setattr__(self, "_ordinary", ordinary.astype(np.int32))
        object.__setattr__(self, "_is_suffix", self.tokenizer.is_suffix)

    def __call__(self, token_ids: np.ndarray, generator: np.random.Generator):
        """Chooses positions in rows and masks them.

        Args:
            token_ids: int32 (B, T).
            generator: generator of the random choices.

        Returns:
            masked int32 (B, T); positions int32 (B, K), padded by 0; labels int32 (B, K), the
            original pieces, IGNORED at padding.
        """
        chosen = self._choose(token_ids, generator)
        masked = np.where(chosen, self._replacements(token_ids, generator), token_ids)
        positions = np.zeros((len(token_ids), self.max_masked), np.int32)
        labels = np.full((len(token_ids), self.max_masked), IGNORED, np.int32)
        rows, columns = np.nonzero(chosen)
        slots = (np.cumsum(chosen, axis=1) - 1)[rows, columns]
        positions[rows, slots], labels[rows, slots] = columns, token_ids[rows, columns]
        return masked, positions, labels

    def _choose(self, token_ids: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """The chosen pieces, bool (B, T): those with the smallest random numbers of each row."""
        real = ~self._special[token_ids]
        wanted = np.clip(np.rint(self.share * real.sum(axis=1)), 1, self.max_masked).astype(int)
        order = np.where(real, generator.random(token_ids.shape), np.inf)
        if self.whole_word:
            order = self._by_word(order, token_ids)
        smallest = np.argsort(order, axis=1, kind="stable")
        ranks = np.empty_like(smallest)
        np.put_along_axis(ranks, smallest, np.arange(token_ids.shape[1])[None], axis=1)
        chosen = (ranks < wanted[:, None]) & real
        return self._without_half_words(chosen, token_ids) if self.whole_word else chosen

    def _words(self, token_ids: np.ndarray) -> np.ndarray:
        """Index of the word of each piece in its row, (B, T)."""
        return np.cumsum(~self._is_suffix[token_ids], axis=1)

    def _by_word(self, order: np.ndarray, token_ids: np.ndarray) -> np.ndarray:
        """Gives all pieces of a word the random number of its first piece."""
        firsts = np.where(self._is_suffix[token_ids], 0, np.arange(token_ids.shape[1]))
        return np.take_along_axis(order, np.maximum.accumulate(firsts, axis=1), axis=1)

    def _without_half_words(self, chosen: np.ndarray, token_ids: np.ndarray) -> np.ndarray:
        """Drops a word of which not all pieces were chosen, unless it is the only one."""
        words = (
            self._words(token_ids) + (np.arange(len(token_ids)) * (token_ids.shape[1] + 1))[:, None]
        )
        size = np.bincount(words.ravel())
        taken = np.bincount(words.ravel(), weights=chosen.ravel())
        whole = chosen & (taken == size)[words]
        alone = ~whole.any(axis=1, keepdims=True)
        return np.where(alone, chosen, whole)

    def _replacements(self, token_ids: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """The replacement of each piece if it is chosen, (B, T)."""
        dice = generator.random(token_ids.shape)
        others = generator.choice(self._ordinary, token_ids.shape)
        replacements = np.where(dice < MASKED + REPLACED, others, token_ids)
        return np.where(dice < MASKED, self.tokenizer.mask, replacements)
