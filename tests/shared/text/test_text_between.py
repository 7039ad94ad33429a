"""Parts of texts against Python's slices."""

import tensorflow as tf

from shared.text.text_between import text_between


def test_equals_slices():
    texts = ["Zoë 🍕 aß", "e\u0301x 我们", "", "\x00a\ufeffb"]
    starts = [[0, 4, 7], [0, 4, 1], [0, 0, 0], [0, 2, 1]]
    ends = [[3, 5, 8], [2, 6, 1], [0, 0, 0], [4, 4, 2]]
    found = text_between(tf.constant(texts), tf.constant(starts), tf.constant(ends))
    for text, firsts, lasts, row in zip(texts, starts, ends, found.numpy(), strict=True):
        for first, last, part in zip(firsts, lasts, row, strict=True):
            assert part.decode() == text[first:last]


def test_one_part_each():
    found = text_between(tf.constant(["abc", "äöü"]), tf.constant([0, 1]), tf.constant([2, 3]))
    assert [part.decode() for part in found.numpy()] == ["ab", "öü"]


def test_bytes_that_are_no_utf8_count():
    texts = [b"\xff\xfe\xe4b c", b"a\xed\xa0\x80b"]
    lengths = tf.strings.unicode_decode(texts, "UTF-8", errors="replace").row_lengths()
    ends = tf.cast(lengths, tf.int32)
    found = text_between(tf.constant(texts), ends - 1, ends)
    assert found.numpy().tolist() == [b"c", b"b"]
