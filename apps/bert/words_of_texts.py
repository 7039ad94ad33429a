"""Tokens of words put together to those of the texts that the words are of."""

import tensorflow as tf


def tokens_of_texts(
    tokens: tf.RaggedTensor, leads: tf.RaggedTensor, words: tf.RaggedTensor, unknown: int
) -> tuple[tf.RaggedTensor, ...]:
    """Tokens, word_index and leads of texts; see `WordPieceTokenizer.tokenize_words`.

    Args:
        tokens: int32 (P, None). Tokens of each word.
        leads: bool (P, None). Whether a token begins a word.
        words: string (N, None). The P words of all texts.
        unknown: int. The token of a word that has none.
    """
    missing = tf.cast(tokens.row_lengths() == 0, tf.int64)
    count = tf.reduce_sum(missing)
    rest = tf.fill([count], tf.constant(unknown, tf.int32)), tf.fill([count], True)
    tokens, leads = (
        tf.concat([rows, tf.RaggedTensor.from_row_lengths(more, missing)], axis=1)
        for rows, more in zip((tokens, leads), rest, strict=True)
    )
    index = tf.ragged.range(words.row_lengths()).values
    index = tf.cast(tf.gather(index, tokens.value_rowids()), tf.int32)
    splits = tf.gather(tokens.row_splits, words.row_splits)
    return tuple(
        tf.RaggedTensor.from_row_splits(values, splits, validate=False)
        for values in (tokens.values, index, leads.values)
    )
