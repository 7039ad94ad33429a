"""Analogies: the share of questions like "Athens Greece Baghdad Iraq" whose last word is found.

gensim's `evaluate_word_analogies` has no 3CosMul, and searches the vocabulary once for every
question: 16.4 CPU seconds for the 16,901 questions that 48,000 words of 100 numbers cover, on one
thread, where the blocks of `_answers` take 0.8.
"""

import os
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gensim.test.utils import datapath

from apps.embeddings.vectors.word_vectors import (
    ANALOGY_METHODS,
    WordVectors,
    three_cos_add,
    three_cos_mul,
)
from shared.common.errors import KerasuiteError
from shared.common.files import open_file

# Cosines of a block stay in the processor's cache while a batch of questions uses them.
WORDS_PER_BLOCK = 8_192
QUESTIONS_PER_BATCH = 64
COMMENTS = (b"#", b"//")


@dataclass(frozen=True)
class SectionScore:
    """One section of the questions, or all of them.

    Attributes:
        name: str. The section's name; "total" for all.
        correct: int. Questions whose fourth word was found.
        asked: int. Questions of which all four words are known; the others do not count.
        questions: int. All questions.
    """

    name: str
    correct: int
    asked: int
    questions: int

    @property
    def accuracy(self) -> float:
        """Share of correct answers among the questions asked; NaN if none was."""
        return self.correct / self.asked if self.asked else float("nan")


@dataclass(frozen=True)
class AnalogyScores:
    """The sections of a file in their order, and all questions together."""

    sections: list[SectionScore]
    total: SectionScore


def standard_files() -> list[Path]:
    """The questions of Mikolov et al. (2013), which gensim includes."""
    return [Path(datapath("questions-words.txt"))]


def is_questions(path: str | os.PathLike) -> bool:
    """Whether a file begins, as all files of questions do, with the name of a section."""
    with open_file(path) as file:
        lines = file.read(4096).removeprefix(BOM_UTF8).splitlines()
    first = next((line for line in lines if line.strip() and not line.startswith(COMMENTS)), b"")
    return first.lstrip().startswith(b":")


def evaluate(
    vectors: WordVectors,
    path: str | os.PathLike,
    method: str = "3cosadd",
    restrict_vocab: int = 300_000,
) -> AnalogyScores:
    """Answers all questions of a file in the format of questions-words.txt.

    Equal to gensim's `evaluate_word_analogies` with its defaults: upper and lower case are one,
    the three given words are no answers, questions with unknown words are left out.

    Args:
        vectors: most frequent words first.
        path: file with sections `: NAME` and lines of four words; `#` and `//` begin comments.
        method: "3cosadd" or "3cosmul"; see `WordVectors.analogy`.
        restrict_vocab: int. Number of most frequent words that are known and can be answers.

    Returns:
        The counts of each section and of all questions.

    Raises:
        KerasuiteError: if the file is malformed or the method unknown.
    """
    if method not in ANALOGY_METHODS:
        raise KerasuiteError(f"'{method}': unknown method; one of {', '.join(ANALOGY_METHODS)}")
    sections, questions = read_analogies(path)
    case = _Cases(vectors.words[:restrict_vocab])
    ids = np.array([[case.ids.get(word, -1) for word in words] for _, words in questions])
    section = np.array([number for number, _ in questions])
    asked = (ids >= 0).all(axis=1)
    correct = np.zeros(len(questions), bool)
    if asked.any():
        score = three_cos_add if method == "3cosadd" else three_cos_mul
        answers = _answers(vectors.unit()[:restrict_vocab], case, ids[asked, :3], score)
        correct[asked] = answers == ids[asked, 3]

    def section_score(name: str, rows: np.ndarray) -> SectionScore:
        return SectionScore(name, int(correct[rows].sum()), int(asked[rows].sum()), int(rows.sum()))

    parts = [section_score(name, section == number) for number, name in enumerate(sections)]
    return AnalogyScores(parts, section_score("total", np.ones(len(questions), bool)))


def read_analogies(path: str | os.PathLike) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Reads a file of questions.

    Returns:
        The names of the sections, and (number of the section, four upper-case words) for each
        question.

    Raises:
        KerasuiteError: if the file cannot be read, is empty, or a line is malformed.
    """
    sections: list[str] = []
    questions: list[tuple[int, list[str]]] = []
    try:
        with open(path, encoding="utf-8-sig") as file:
            for row, line in enumerate(file, start=1):
                words = line.upper().split()
                if line.encode().startswith(COMMENTS):
                    continue
                if line.lstrip().startswith(":"):
                    sections.append(line.strip()[1:].strip())
                elif words and (len(words) != 4 or not sections):
                    raise KerasuiteError(
                        f"{path}, row {row}: expected four words below a line ': SECTION'; "
                        f"correct or remove the row"
                    )
                elif words:
                    questions.append((len(sections) - 1, words))
    except (OSError, UnicodeDecodeError) as error:
        raise KerasuiteError(f"{path}: cannot be read ({error}); give another file") from error
    if not questions:
        raise KerasuiteError(f"{path}: holds no questions; give another file")
    return sections, questions


class _Cases:
    """Words that differ in case only are one; the most frequent of them gives the vector."""

    def __init__(self, words: list[str]):
        self.ids: dict[str, int] = {}
        first = [self.ids.setdefault(word.upper(), index) for index, word in enumerate(words)]
        self.first = np.array(first)
        self.others: dict[int, list[int]] = {}
        for index, same in enumerate(first):
            if index != same:
                self.others.setdefault(same, []).append(index)

    def all_of(self, given: np.ndarray) -> np.ndarray:
        """All spellings of the given words, (Q, 3) to (Q, E), padded with the first one."""
        rows = [
            [*row, *(other for word in row for other in self.others.get(word, ()))]
            for row in given.tolist()
        ]
        width = max(map(len, rows))
        return np.array([row + row[:1] * (width - len(row)) for row in rows])


def _answers(unit: np.ndarray, case: _Cases, given: np.ndarray, score: Callable) -> np.ndarray:
    """The best word for each question (Q, 3), as the first spelling of it, (Q,).

    The questions have few different words, whose cosines with a block of the vocabulary are
    computed once and then only looked up.
    """
    used, indices = np.unique(given, return_inverse=True)
    indices = indices.reshape(given.shape)
    excluded = case.all_of(given)
    best = np.full(len(given), -np.inf, np.float32)
    answers = np.zeros(len(given), np.int64)
    for begin in range(0, len(unit), WORDS_PER_BLOCK):
        cosines = unit[used] @ unit[begin : begin + WORDS_PER_BLOCK].T
        for start in range(0, len(given), QUESTIONS_PER_BATCH):
            batch = slice(start, start + QUESTIONS_PER_BATCH)
            scores = score(*(cosines[column] for column in indices[batch].T))
            within = excluded[batch] - begin
            rows, columns = np.nonzero((within >= 0) & (within < scores.shape[1]))
            scores[rows, within[rows, columns]] = -np.inf
            winner = scores.argmax(axis=1)
            top = scores[np.arange(len(scores)), winner]
            better = top > best[batch]
            answers[batch] = np.where(better, winner + begin, answers[batch])
            best[batch] = np.where(better, top, best[batch])
    return case.first[answers]
