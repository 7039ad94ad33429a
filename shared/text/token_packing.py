"""Rows of tokens, of texts or pairs of texts, as BERT reads them."""

import tensorflow as tf


def pack_texts(
    tokens: tf.RaggedTensor,
    pair: tf.RaggedTensor | None,
    max_length: int,
    *,
    cls: int,
    sep: int,
    pad: int,
    between: int = 1,
) -> dict[str, tf.Tensor]:
    """Rows `[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`, padded to the longest.

    All are cut to `max_length`.

    Of a pair the longer text is cut first; where both are too long they get an equal share, as
    with `truncation=True` ("longest_first") in Hugging Face's tokenizers.

    Args:
        tokens: int32 (N, None).
        pair: int32 (N, None) or None.
        max_length: int. Maximum tokens of a row, special ones included.
        cls, sep, pad: int. Ids of the special tokens.
        between: int. Number of `[SEP]` between both texts; 2 for RoBERTa.

    Returns:
        "token_ids" int32 (N, T); "segment_ids" int32 (N, T): 1 for `b [SEP]`, else 0.

    Raises:
        ValueError: if the special tokens alone are longer than `max_length`.
    """
    special = 2 if pair is None else 2 + between
    if max_length < special:
        raise ValueError(f"max_length is {max_length}, but {special} tokens are special ones")
    parts, segments = [tokens], [0]
    if pair is None:
        parts[0] = tokens[:, : max_length - special]
    else:
        parts = shorten_pair(tokens, pair, max_length - special)
        segments = [0, 1]
    rows = tokens.nrows()
    sep_column, columns, numbers = _column(sep, rows), [_column(cls, rows)], [_column(0, rows)]
    for part, segment in zip(parts, segments, strict=True):
        last = part is parts[-1]
        columns += [part, *[sep_column] * (1 if last else between)]
        numbers += [tf.fill([rows, 1], segment) + tf.zeros_like(part)]
        numbers += [_column(segment, rows)] * (1 if last else between)
    return {
        "token_ids": tf.concat(columns, 1).to_tensor(pad),
        "segment_ids": tf.concat(numbers, 1).to_tensor(0),
    }


def shorten_pair(
    first: tf.RaggedTensor, second: tf.RaggedTensor, room: int
) -> list[tf.RaggedTensor]:
    """Cuts the ends of two texts so that both together have at most `room` tokens.

    Args:
        first, second: int32 (N, None).
        room: int. Maximum tokens of both.
    """
    lengths = [first.row_lengths(), second.row_lengths()]
    shorter, longer = tf.minimum(*lengths), tf.maximum(*lengths)
    # Room for the longer one; where both must be cut, the odd token is the longer's.
    room_of_longer = tf.maximum(room - shorter, (room + 1) // 2)
    kept_shorter = tf.minimum(shorter, room // 2)
    kept_shorter = tf.where(shorter + longer <= room, shorter, kept_shorter)
    kept_longer = tf.minimum(longer, room_of_longer)
    first_is_longer = lengths[0] > lengths[1]
    return [
        keep_first(first, tf.where(first_is_longer, kept_longer, kept_shorter)),
        keep_first(second, tf.where(first_is_longer, kept_shorter, kept_longer)),
    ]


def keep_first(rows: tf.RaggedTensor, lengths: tf.Tensor) -> tf.RaggedTensor:
    """The first lengths[n] values of each row n."""
    column = tf.ragged.range(rows.row_lengths()).values
    kept = column < tf.gather(lengths, rows.value_rowids())
    values = tf.boolean_mask(rows.values, kept)
    lengths = tf.minimum(lengths, rows.row_lengths())
    return tf.RaggedTensor.from_row_lengths(values, lengths, validate=False)


def _column(number: int, rows: tf.Tensor) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_tensor(tf.fill([rows, 1], tf.constant(number, tf.int32)))
