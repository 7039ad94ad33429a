"""The training stream of word2vec: blocks of consecutive positions with their windows and noise.

A step takes the next piece of the encoded corpus, drops frequent words at random, and cuts the
rest into blocks of P consecutive positions. The positions of a block share K noise words, so
that training on it is a product of small matrices (see `block_step.py`):

    words  [c c c c c | p p p p ... p p | c c c c c]     P positions, W words of context around
    noise  [n n n n ... n]                               K words, the same for all P positions

The blocks of a step stand in `lanes` rows of text that is consecutive from left to right, and
one micro-step takes one block of every row. So the blocks that are trained on at the same time
come from different parts of the text. Neighbouring blocks would have the same rare words, and all
their updates would be computed before any of them is applied: on three million words of English
that cost a third of the correlation with SimLex-999.

The steps follow the text, as in the word2vec program. Pieces of 1,000 words in a random order
are no improvement: on twelve million words of novels, encyclopedia and news, one after the
other, they lowered the correlation with SimLex-999 from 0.32 to 0.25, and gensim loses half as
much when its two workers train on two parts of that corpus at a time.

Everything is drawn from (seed, step) alone. Every worker draws the whole step and keeps its
rows, because where a block begins depends on all words dropped before it.
"""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from apps.embeddings.word2vec.noise_sampler import NoiseSampler
from shared.common import stream

# Lanes of the smallest micro-step, and micro-steps of a step that is too small for all lanes.
MIN_LANES = 8
MIN_MICRO_STEPS = 16


@dataclasses.dataclass(frozen=True)
class BlockShape:
    """Sizes of the blocks.

    Attributes:
        window: int. Largest distance W of a context word.
        positions: int. Consecutive positions P of a block.
        noise: int. Noise words K that the positions of a block share.
        lanes: int. Blocks of one micro-step, over all replicas.
    """

    window: int = 5
    positions: int = 32
    noise: int = 32
    lanes: int = 32

    @classmethod
    def for_batch(cls, batch_size: int, window: int, **sizes: int) -> "BlockShape":
        """Chooses the shape, with fewer lanes for a step that would have few micro-steps.

        Args:
            batch_size: int. Raw positions of a step.
            window: int. Largest distance of a context word.
            **sizes: int. Other attributes that differ from their defaults.
        """
        shape = cls(window, **sizes)
        lanes = max(MIN_LANES, batch_size // (shape.positions * MIN_MICRO_STEPS))
        return dataclasses.replace(shape, lanes=min(shape.lanes, lanes))

    @property
    def micro_step(self) -> int:
        """Number of positions that are trained on at the same time."""
        return self.lanes * self.positions


def steps_per_epoch(num_positions: int, batch_size: int) -> int:
    """Steps in one pass over an encoded corpus."""
    return stream.steps_per_epoch(num_positions, batch_size)


def window_blocks(
    tokens: np.ndarray,
    keep: np.ndarray,
    noise: np.ndarray,
    shape: BlockShape,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    worker: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Endless stream of steps, a pure function of (seed, global step).

    Args:
        tokens: int32 (N,). Encoded corpus with -1 between documents; usually a memmap, of which
            only the pieces of the steps at hand are read.
        keep: float (V,). Probability to keep each word (subsampling of frequent words).
        noise: float (V,). Distribution of the noise words.
        shape: sizes of the blocks.
        batch_size: int. Raw positions of a step, over all replicas and workers.
        seed: int. Seed of the run.
        start_step: int. Global step of the first batch.
        worker: (index, count). Each worker gets its share of the lanes.

    Returns:
        Dataset of dicts, with L lanes and M micro-steps, of int32 tensors:
            "words": (L, M, P + 2 W). The positions of each block and the words around them.
            "left", "right": (L, M, P). Numbers of context words on each side; both are 0 where
                a position is padding.
            "noise": (L, M, K). The noise words of each block.
            "micro_steps": (L,). In every row the number of micro-steps that hold words.
            "raw_words": (L,). Their sum is the number of words read, dropped ones included.
    """
    draw = _StepDrawer(keep, noise, shape, batch_size)
    begin, end = stream.worker_slice(shape.lanes, worker)
    steps = steps_per_epoch(len(tokens), batch_size)

    def read(step):
        return _read(tokens, int(step % steps) * batch_size, batch_size)

    def blocks(step):
        text = tf.numpy_function(read, [step], tf.int32, stateful=False)
        text = tf.ensure_shape(text, [batch_size])
        step_seed = stream.position_seeds(step[None], seed)[0]
        return {name: value[begin:end] for name, value in draw(text, step_seed).items()}

    # The last step that int64 can count is out of reach of any training.
    dataset = tf.data.Dataset.range(start_step, 2**62)
    return dataset.map(blocks, num_parallel_calls=2).prefetch(2)


def _read(tokens: np.ndarray, begin: int, length: int) -> np.ndarray:
    """A piece of the corpus; the last one is padded with -1."""
    if isinstance(tokens, np.memmap):
        # Mapped for this step only: else every page that was ever read would stay in memory.
        tokens = np.memmap(tokens.filename, tokens.dtype, "r")
    part = np.array(tokens[begin : begin + length], np.int32)
    return np.pad(part, (0, length - len(part)), constant_values=-1)


class _StepDrawer:
    """Makes the random choices of one step and cuts it into blocks."""

    def __init__(self, keep: np.ndarray, noise: np.ndarray, shape: BlockShape, positions: int):
        self.keep = tf.constant(keep, tf.float32)
        self.sampler = NoiseSampler(noise)
        self.shape = shape
        self.max_micro_steps = max(1, math.ceil(positions / shape.micro_step))

    def __call__(self, text: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        keep_seed, window_seed, noise_seed = tf.unstack(tf.random.split(seed, 3))
        words, documents = self._subsample(text, keep_seed)
        left, right = draw_windows(documents, self.shape.window, window_seed)
        blocks = self._cut(words, left, right)
        micro_steps = tf.shape(blocks["words"])[1]
        noise_shape = [self.shape.lanes, micro_steps, self.shape.noise]
        blocks["noise"] = self.sampler.draw(noise_shape, noise_seed)
        return {
            **{name: self._padded(value) for name, value in blocks.items()},
            "micro_steps": tf.fill([self.shape.lanes], micro_steps),
            "raw_words": _spread(
                tf.math.count_nonzero(text >= 0, dtype=tf.int32), self.shape.lanes
            ),
        }

    def _subsample(self, text, seed):
        """Drops frequent words; returns the rest (T,) and the document of each (T,)."""
        is_word = text >= 0
        coins = tf.random.stateless_uniform(tf.shape(text), seed)
        is_kept = is_word & (coins < tf.gather(self.keep, tf.maximum(text, 0)))
        indices = tf.where(is_kept)[:, 0]
        documents = tf.cumsum(tf.cast(~is_word, tf.int32))
        return tf.gather(text, indices), tf.gather(documents, indices)

    def _cut(self, words, left, right):
        """Cuts (T,) words into (L, m, ...) blocks, m as small as holds them all."""
        shape = self.shape
        micro_steps = tf.maximum(-(-tf.size(words) // shape.micro_step), 1)
        missing = micro_steps * shape.micro_step - tf.size(words)

        def positions(values):
            padded = tf.pad(values, [[0, missing]])
            return tf.reshape(padded, [shape.lanes, micro_steps, shape.positions])

        around = tf.pad(words, [[shape.window, missing + shape.window]])
        starts = shape.positions * tf.range(shape.lanes * micro_steps)
        offsets = tf.range(shape.positions + 2 * shape.window)
        framed = tf.gather(around, starts[:, None] + offsets)
        return {
            "words": tf.reshape(framed, [shape.lanes, micro_steps, offsets.shape[0]]),
            "left": positions(left),
            "right": positions(right),
        }

    def _padded(self, value):
        """Pads axis 1 to the largest number of micro-steps of a step, for a static shape."""
        missing = self.max_micro_steps - tf.shape(value)[1]
        padded = tf.pad(value, [[0, 0], [0, missing], [0, 0]])
        return tf.ensure_shape(padded, (self.shape.lanes, self.max_micro_steps, None))


def draw_windows(documents: tf.Tensor, window: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the number of context words to the left and right of each position.

    The size of each window is drawn evenly from 1 to `window`, so that near words count more,
    and windows end at the ends of their document.

    Args:
        documents: int32 (T,). Ascending; the document of each position.
        window: int. Largest distance W of a context word.
        seed: int32 (2,).

    Returns:
        (left, right), int32 (T,) each.

    Reference: [Mikolov et al., 2013](https://arxiv.org/abs/1301.3781)
    """
    position = tf.range(tf.size(documents))
    size = tf.random.stateless_uniform(
        tf.shape(documents), seed, minval=1, maxval=window + 1, dtype=tf.int32
    )
    first = tf.gather(tf.math.segment_min(position, documents), documents)
    last = tf.gather(tf.math.segment_max(position, documents), documents)
    return tf.minimum(size, position - first), tf.minimum(size, last - position)


def _spread(total: tf.Tensor, rows: int) -> tf.Tensor:
    """An int32 (rows,) tensor whose sum is `total`."""
    index = tf.range(rows)
    return total // rows + tf.cast(index < total % rows, tf.int32)
