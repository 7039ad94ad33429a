"""Long lines: cut into pieces that a translator can take, and joined again."""

import heapq
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from apps.translation.config import MAX_TOKENS

# Scripts that put no space between words: Chinese and Japanese, Thai, Lao, Tibetan, Burmese,
# Khmer. Korean does.
_UNSPACED = "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNSPACED += "\U00020000-\U0003ffff"
# A word that never ends counts once for every 16 characters.
_MAX_WORD_LENGTH = 16
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]{{1,{_MAX_WORD_LENGTH}}}")
# Where a sentence ends: before a space, or behind a full-width mark. No backtracking (`++`), and
# none begins within a row of dots, so that a line of nothing but dots takes no longer.
_MARKS, _WIDE_MARKS = ".!?…।؟۔", "。！？｡"
_SENTENCE_END = re.compile(
    rf"(?<![{_MARKS}])[{_MARKS}]++[\"'”’»)\]]*+(?=\s)|[{_WIDE_MARKS}]++[”’」』）\"]*+"
)
# Lengths that translators are good at, and that fit into the exported graph letter by letter.
MAX_WORDS, MAX_CHARACTERS = 100, 450
# Tokens that fit into it, beside the end, where a vocabulary spells every character in bytes.
MAX_BYTES = MAX_TOKENS - 1
_BYTES_OF_SPACE = len("▁".encode())


def count_words(text: str) -> int:
    """The length of a text, cheaply: words, or characters where no spaces are written.

    >>> count_words("Two words"), count_words("四个汉字")
    (2, 4)
    """
    return sum(1 for _ in _WORD.finditer(text))


def count_bytes(text: str) -> int:
    """The maximum number of tokens of a text: one for each byte, three of them for "▁", a space.

    >>> count_bytes("ab"), count_bytes("四个 汉字")
    (5, 18)
    """
    words = unicodedata.normalize("NFC", text).split()
    return sum(len(word.encode("utf-8", "replace")) + _BYTES_OF_SPACE for word in words)


def cut_line(text: str, max_words: int = MAX_WORDS, max_bytes: float = math.inf) -> list[str]:
    """Cuts a line into pieces that a translator can take, each without spaces at its ends.

    A line of up to `max_words` stays whole. A longer one is cut into its sentences, and a
    sentence that is still too long into halves, and these again: no piece is a rest of one word.

    Args:
        text: str. One line.
        max_words: int. Maximum of `count_words` for each piece. None has more than 450 characters
            either.
        max_bytes: Maximum of `count_bytes` for each piece; 200 or more.

    Returns:
        List of str; empty for an empty line.

    >>> cut_line("One two. Three four five six.", 3)
    ['One two.', 'Three four', 'five six.']
    """
    text = text.strip()
    if not text:
        return []
    if _fits(text, max_words, max_bytes):
        return [text]
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    sentences = [text[begin:end] for begin, end in pairwise([0, *ends, len(text)])]
    return [piece for sentence in sentences for piece in _parts(sentence, max_words, max_bytes)]


def _fits(text: str, max_words: int, max_bytes: float) -> bool:
    return (
        len(text) <= MAX_CHARACTERS
        and count_words(text) <= max_words
        and (max_bytes == math.inf or count_bytes(text) <= max_bytes)
    )


def _parts(text: str, max_words: int, max_bytes: float) -> list[str]:
    text = text.strip()
    if not text or _fits(text, max_words, max_bytes):
        return [text] if text else []
    starts = [match.start() for match in _WORD.finditer(text)]
    middle = starts[len(starts) // 2]
    halves = text[:middle], text[middle:]
    return [piece for half in halves for piece in _parts(half, max_words, max_bytes)]


def join_best(
    pieces: Sequence[Sequence[tuple[str, float]]], count: int, between: str
) -> list[tuple[str, float]]:
    """The best translations of a line, from the best translations of its pieces.

    The pieces are translated without knowing of each other, so the score of a line is the sum of
    its pieces' scores, and the best lines are the combinations with the largest sums.

    Args:
        pieces: (translation, score) of each piece, best first.
        count: int. Maximum number of lines to return.
        between: str. Separator of two pieces.

    Returns:
        List of (translation, score), best first, each text once; without pieces, one empty
        translation.
    """
    # A translation is a chain (pieces before, piece), so that a line of thousands of pieces does
    # not copy its beginning for each.
    best: list[tuple[float, tuple]] = [(0.0, ())]
    for piece in pieces:
        combined = (
            (total + score, (chain, text)) for total, chain in best for text, score in piece
        )
        best = heapq.nlargest(count, combined, key=lambda item: item[0])
    return each_once((_joined(chain, between), sum_) for sum_, chain in best)


def each_once(found: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """(translation, score), best first, without those whose text stood before.

    >>> each_once([("a", -1.0), ("b", -2.0), ("a", -3.0)])
    [('a', -1.0), ('b', -2.0)]
    """
    best: dict[str, float] = {}
    for text, score in found:
        best.setdefault(text, score)
    return list(best.items())


def _joined(chain: tuple, between: str) -> str:
    parts = []
    while chain:
        chain, text = chain
        parts.append(text)
    return between.join(part for part in reversed(parts) if part)


def batches(lengths: Sequence[int], size: int, room: float = math.inf) -> Iterator[list[int]]:
    """Indices in batches of similar lengths, longest last.

    Args:
        lengths: cost of each example.
        size: int. Maximum number of examples in a batch.
        room: maximum of examples times the longest length, unless one alone has more.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: (lengths[index], index)):
        if batch and (len(batch) == size or (len(batch) + 1) * lengths[index] > room):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
