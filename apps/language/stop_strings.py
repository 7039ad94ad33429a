"""Strings at which a text ends, in the graph."""

import tensorflow as tf

from apps.language.tokenizers.tokenizer import Tokenizer

# Tokens more than a stop string has bytes: pieces of one character are spelled in up to four.
MARGIN = 8
# What RE2 reads as more than itself.
_SPECIAL = r"([\\.+*?()|\[\]{}^$])"


def ends_with_stop(
    tokens: tf.Tensor, index: tf.Tensor, stop: tf.Tensor, tokenizer: Tokenizer
) -> tf.Tensor:
    """Whether a stop string stands at the end of what was written: bool (B,).

    Args:
        tokens: int32 (B, L).
        index: int32 scalar. Column of the last token.
        stop: string (M,); empty ones stop nothing.
        tokenizer: of the tokens.
    """
    longest = tf.reduce_max(tf.concat([tf.strings.length(stop), [0]], axis=0))

    def found():
        tail = tokens[:, tf.maximum(index - longest - MARGIN, 0) : index + 1]
        return tf.strings.regex_full_match(
            tokenizer.detokenize(tail), tf.strings.join(["(?s).*", _any_of(stop), ".*"])
        )

    rows = tf.shape(tokens)[0]
    return tf.cond(longest > 0, found, lambda: tf.zeros([rows], tf.bool))


def cut_behind(text: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
    """Texts up to their first stop string.

    Args:
        text: string tensor of any shape.
        stop: string (M,); empty ones stop nothing.
    """
    longest = tf.reduce_max(tf.concat([tf.strings.length(stop), [0]], axis=0))
    rest = tf.strings.join(["(?s)", _any_of(stop), ".*"])
    cut = tf.raw_ops.RegexReplace(input=text, pattern=rest, rewrite="", replace_global=False)
    return tf.where(longest > 0, cut, text)


def _any_of(stop: tf.Tensor) -> tf.Tensor:
    """A pattern of RE2 that matches each of the strings that are not empty."""
    kept = tf.boolean_mask(stop, stop != "")
    escaped = tf.strings.regex_replace(kept, _SPECIAL, r"\\\1")
    return tf.strings.join(["(?:", tf.strings.reduce_join(escaped, separator="|"), ")"])
