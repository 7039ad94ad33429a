"""Alignment of the pieces of a translation with those of its source: attention, and links."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Pieces that are no text: padding, and the ends of sentences.
_NO_TEXT = frozenset(("", "<pad>", "<s>", "</s>"))

Link = tuple[int, int]


@dataclass(frozen=True)
class Alignment:
    """The attention of a translation's pieces (T) on the pieces of its source (S).

    Attributes:
        source, target: lists of S and of T str, as the vocabulary names them.
        attention: float array (T, S); each row sums to 1.
    """

    source: list[str]
    target: list[str]
    attention: np.ndarray

    def without_ends(self) -> "Alignment":
        """The part that is text: without the ends of the sentences, which attention falls on."""
        rows = [row for row, piece in enumerate(self.target) if piece not in _NO_TEXT]
        columns = [column for column, piece in enumerate(self.source) if piece not in _NO_TEXT]
        return Alignment(
            [self.source[column] for column in columns],
            [self.target[row] for row in rows],
            self.attention[np.ix_(rows, columns)],
        )

    def links(self) -> list[Link]:
        """(source piece, target piece) for each target piece: where its attention is highest."""
        if not self.source:
            return []
        return [(int(source), target) for target, source in enumerate(self.attention.argmax(-1))]


def read_alignment(outputs: Mapping[str, np.ndarray]) -> Alignment:
    """One row of the outputs of the signature `align`, without its padding."""
    source, target = (_texts(outputs[f"{side}_pieces"]) for side in ("source", "target"))
    attention = np.asarray(outputs["attention"], np.float32)
    return Alignment(source, target, attention[: len(target), : len(source)])


def join_links(alignments: Sequence[Alignment]) -> list[Link]:
    """The links of a line that was translated in parts, numbered from the line's beginning."""
    links: list[Link] = []
    source = target = 0
    for part in alignments:
        links += [(i + source, j + target) for i, j in part.links()]
        source, target = source + len(part.source), target + len(part.target)
    return links


def pharaoh(links: Sequence[Link]) -> str:
    """Links in the format of Pharaoh and Moses.

    >>> pharaoh([(0, 0), (2, 1)])
    '0-0 2-1'
    """
    return " ".join(f"{source}-{target}" for source, target in links)


def _texts(pieces: np.ndarray) -> list[str]:
    """Padded pieces (N,) as bytes to text; padding is empty and stands at the end."""
    return [piece.decode("utf-8", "replace") for piece in pieces if piece]
