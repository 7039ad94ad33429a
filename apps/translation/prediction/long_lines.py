"""Lines that are too long for a translator: cut into pieces, and put together again."""

import heapq
import math
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

# Scripts that put no space between words: Chinese and Japanese, Thai, Lao, Tibetan, Burmese,
# Khmer. Korean does.
_UNSPACED = "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNSPACED += "\U00020000-\U0003ffff"
# A word that never ends counts once for so many characters.
_LONGEST_WORD = 16
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]{{1,{_LONGEST_WORD}}}")
# Where a sentence ends: before a space, or behind a full-width mark. No backtracking (`++`), and
# none begins within a row of dots, so that a line of nothing but dots takes no longer.
_MARKS, _WIDE_MARKS = ".!?…।؟۔", "。！？｡"
_SENTENCE_END = re.compile(
    rf"(?<![{_MARKS}])[{_MARKS}]++[\"'”’»)\]]*+(?=\s)|[{_WIDE_MARKS}]++[”’」』）\"]*+"
)
# What translators are good at, and what fits into the exported graph letter by letter.
MAX_WORDS, MAX_CHARACTERS = 100, 450


def count_words(text: str) -> int:
    """The length of a text, cheaply: words, or characters where no spaces are written.

    >>> count_words("Two words"), count_words("四个汉字")
    (2, 4)
    """
    return sum(1 for _ in _WORD.finditer(text))


def cut_line(text: str, max_words: int = MAX_WORDS) -> list[str]:
    """Cuts a line into pieces that a translator can take, each without spaces at its ends.

    A line of up to `max_words` stays whole. A longer one is cut into its sentences, and a
    sentence that is still too long into halves, and these again: no piece is a rest of one word.

    Args:
        text: str. One line.
        max_words: int. What `count_words` gives for each piece at most. None has more than 450
            characters either.

    Returns:
        List of str; empty for an empty line.

    >>> cut_line("One two. Three four five six.", 3)
    ['One two.', 'Three four', 'five six.']
    """
    text = text.strip()
    if not text:
        return []
    if _fits(text, max_words):
        return [text]
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    sentences = [text[begin:end] for begin, end in pairwise([0, *ends, len(text)])]
    return [piece for sentence in sentences for piece in _parts(sentence, max_words)]


def _fits(text: str, max_words: int) -> bool:
    return len(text) <= MAX_CHARACTERS and count_words(text) <= max_words


def _parts(text: str, max_words: int) -> list[str]:
    text = text.strip()
    if not text or _fits(text, max_words):
        return [text] if text else []
    starts = [match.start() for match in _WORD.finditer(text)]
    middle = starts[len(starts) // 2]
    return _parts(text[:middle], max_words) + _parts(text[middle:], max_words)


def join_best(
    pieces: Sequence[Sequence[tuple[str, float]]], count: int, between: str
) -> list[tuple[str, float]]:
    """The best translations of a line, from the best translations of its pieces.

    The pieces are translated without knowing of each other, so the score of a line is the sum of
    its pieces' scores, and the best lines are the combinations with the largest sums.

    Args:
        pieces: (translation, score) of each piece, best first.
        count: int. Lines to return at most.
        between: str. What stands between two pieces.

    Returns:
        List of (translation, score), best first; without pieces, one empty translation.
    """
    # A translation is a chain (pieces before, piece), so that a line of thousands of pieces does
    # not copy its beginning for each.
    best: list[tuple[float, tuple]] = [(0.0, ())]
    for piece in pieces:
        combined = (
            (total + score, (chain, text)) for total, chain in best for text, score in piece
        )
        best = heapq.nlargest(count, combined, key=lambda item: item[0])
    return [(_joined(chain, between), sum_) for sum_, chain in best]


def _joined(chain: tuple, between: str) -> str:
    parts = []
    while chain:
        chain, text = chain
        parts.append(text)
    return between.join(part for part in reversed(parts) if part)


def batches(lengths: Sequence[int], size: int, room: float = math.inf) -> Iterator[list[int]]:
    """Positions in batches of similar lengths, longest last.

    Args:
        lengths: what each example costs.
        size: int. Examples in a batch at most.
        room: Examples times the longest length at most, unless one alone has more.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: (lengths[index], index)):
        if batch and (len(batch) == size or (len(batch) + 1) * lengths[index] > room):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
