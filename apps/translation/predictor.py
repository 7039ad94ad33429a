"""Batch inference of translation: text files to text files, line by line."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from apps.translation.config import TranslateConfig
from apps.translation.languages import Languages, separator
from apps.translation.pairs.scripts import (
    CHARACTERS_READ,
    LINES_READ,
    letters_of,
    script_warning,
)
from apps.translation.prediction.alignment import Alignment, join_links, pharaoh, read_alignment
from apps.translation.prediction.long_lines import (
    MAX_WORDS,
    batches,
    count_words,
    each_once,
    join_best,
)
from apps.translation.prediction.pieces import cut_lines
from apps.translation.prediction.search import Search
from shared.common import config as configs
from shared.common.errors import UsageError
from shared.common.messages import warn
from shared.engine.prediction.line_predictor import LinePredictor
from shared.engine.saved_model.loaded_model import LoadedModel
from shared.engine.saved_model.saved_models import EXTRA
from shared.engine.saved_model.signatures import call_signature, require_signature
from shared.text.line_files import (
    clean_line,
    file_pieces,
    is_utf8,
)

# Pieces of long lines that go into one call of the model, if a batch has fewer lines.
PIECES_OF_CALL = 32
# Scores below stand for hypotheses that a search did not find.
_NOTHING = -1e8


@dataclass(frozen=True)
class Translation:
    """The translations of one line.

    Attributes:
        best: (translation, score), best first; one, or `n_best` at most.
        alignments: of each piece that the line was cut into, if asked for.
        pieces: int. How many these were; 0 for an empty line.
    """

    best: list[tuple[str, float]]
    alignments: list[Alignment]
    pieces: int


class TranslationPredictor(LinePredictor):
    """Translates text files line by line; a file keeps its name and its number of lines.

    The translation of `a/b.txt` is `translations/a/b.txt`. An empty line gives an empty line, and
    so does one that was rejected. Files whose names end with .gz are read and written compressed.

    Args:
        scores: bool. Writes the score of each line into `scores/`: the log-probability over the
            length penalty, of a line in pieces the sum of theirs.
        alignments: bool. Writes which source piece each target piece comes from into
            `alignments/`, as Pharaoh does: `0-0 2-1`.
        max_words: int. Longer lines are translated sentence by sentence, see `cut_line`.
        search: options of the search; by default as the run was configured. With
            `n_best` that many of each line are written into `n_best/`, as Moses does:
            `0 ||| translation ||| score`, lines counted from 0.

    Raises:
        UsageError: if `max_words` is less than 1.
    """

    def __init__(
        self,
        *,
        scores: bool = False,
        alignments: bool = False,
        max_words: int = MAX_WORDS,
        search: Search | None = None,
    ):
        if max_words < 1:
            raise UsageError(f"--max-words {max_words}: give at least 1")
        self.search = search or Search()
        self.signature, self.outputs = self.search.signature, self.search.outputs
        self.scores, self.alignments, self.max_words = scores, alignments, max_words
        self.between, self.script = " ", ""
        self._options: dict[str, Any] = {}
        self._warned = False

    def settings(self):
        names = ("scores", "alignments", "max_words")
        return self.search.settings() | {name: getattr(self, name) for name in names}

    def start(self, model):
        """Takes options that were not given, and the languages, from the export."""
        if self.alignments:
            require_signature(model, "align")
        languages = Languages.of_export(model.path / EXTRA)
        self.between, self.script = separator(languages.target), languages.source_script
        config = configs.load(TranslateConfig, model.path / EXTRA / "config.yaml")
        self._options = self.search.inputs(config.decoding)

    def split(self, source):
        """The lines of a file; the first file in another script than expected is warned of."""
        letters: Counter[str] = Counter()
        for number, line in enumerate(super().split(source)):
            if number < LINES_READ:
                beginning = (line.content or b"")[: 4 * CHARACTERS_READ]
                letters += letters_of([beginning.decode("utf-8", "ignore")])
            elif number == LINES_READ:
                self._warn_of_script(source.name, letters)
            yield line
        self._warn_of_script(source.name, letters)

    def _warn_of_script(self, file: str, letters: Counter[str]) -> None:
        warning = script_warning(file, "source", letters, self.script)
        if warning and not self._warned:
            self._warned = True
            warn(warning)

    def size(self, example):
        return count_words(example["text"])

    # === Lines to translations ===

    def call(self, model, examples):
        lines = [example["text"] for example in examples]
        return [{"found": found} for found in self.translate(model, lines)]

    def translate(self, model: LoadedModel, lines: Sequence[str]) -> list[Translation]:
        """Translates lines of any length, cut into pieces where they are too long."""
        cut = cut_lines(model, lines, self.max_words)
        size = max(len(lines), PIECES_OF_CALL)
        pieces = iter(self._translate_pieces(model, [text for line in cut for text in line], size))
        return [self._joined([next(pieces) for _ in line]) for line in cut]

    def _translate_pieces(self, model, texts: list[str], size: int) -> list[Translation]:
        found: list[Any] = [None] * len(texts)
        for batch in batches([count_words(text) for text in texts], size):
            chosen = [texts[index] for index in batch]
            results = self._search(model, chosen)
            if self.alignments:
                results = self._aligned(model, chosen, results)
            for index, result in zip(batch, results, strict=True):
                found[index] = result
        return found

    def _search(self, model, texts: list[str]) -> list[Translation]:
        outputs = call_signature(model, self.signature, text=texts, **self._options)
        columns = (outputs[name].reshape(len(texts), -1) for name in self.outputs)
        return [Translation(_found(*row), [], 1) for row in zip(*columns, strict=True)]

    def _aligned(self, model, texts: list[str], found: list[Translation]) -> list[Translation]:
        """Adds the alignment of each best translation."""
        best = [each.best[0][0] for each in found]
        outputs = call_signature(model, "align", text=texts, target=best)
        results = []
        for number, each in enumerate(found):
            row = {name: value[number] for name, value in outputs.items()}
            alignment = read_alignment(row).without_ends()
            results.append(replace(each, alignments=[alignment]))
        return results

    def _joined(self, pieces: list[Translation]) -> Translation:
        return Translation(
            join_best([piece.best for piece in pieces], max(self.search.n_best, 1), self.between),
            [alignment for piece in pieces for alignment in piece.alignments],
            len(pieces),
        )

    # === Translations to results ===

    def record(self, source, outputs):
        found: Translation = outputs["found"]
        best = [{"translation": text, "score": round(score, 6)} for text, score in found.best]
        record: dict[str, Any] = {**best[0], "notes": _notes(source.content, found.pieces)}
        if self.search.n_best:
            record["n_best"] = best
        if self.alignments:
            record["source_pieces"] = [text for each in found.alignments for text in each.source]
            record["target_pieces"] = [text for each in found.alignments for text in each.target]
            record["alignment"] = pharaoh(join_links(found.alignments))
        return record

    def finish(self, source, rows):
        """The files of translations, and of scores and so on, as long as the source."""
        made = {"translations": _column(rows, "translation")}
        if self.scores:
            made["scores"] = _column(rows, "score")
        if self.alignments:
            made["alignments"] = _column(rows, "alignment")
        if self.search.n_best:
            made["n_best"] = _n_best_lines(rows)
        return {
            f"{folder}/{source.name}": file_pieces(source.name, lines)
            for folder, lines in made.items()
        }


def _found(translations: np.ndarray, scores: np.ndarray) -> list[tuple[str, float]]:
    """(translation, score) of one text, without slots that the search left empty."""
    pairs = zip(translations, scores, strict=True)
    # Several rows of tokens may be spelled alike.
    found = each_once((_text(text), float(score)) for text, score in pairs)
    return [pair for pair in found if pair[1] > _NOTHING] or found[:1]


def _text(translation: bytes) -> str:
    return clean_line(translation.decode("utf-8", "replace"))


def _notes(line: bytes, pieces: int) -> list[str]:
    notes = [] if is_utf8(line) else ["invalid UTF-8 was replaced"]
    return notes + ([f"translated in {pieces} pieces"] if pieces > 1 else [])


def _column(rows: Iterable[dict[str, Any]], name: str) -> Iterator[str]:
    """One value for each line; an empty one where a line was rejected."""
    return (str(row.get(name, "")) for row in rows if "line" in row)


def _n_best_lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        for found in row.get("n_best", []):
            yield f"{row['line'] - 1} ||| {found['translation']} ||| {found['score']}"
