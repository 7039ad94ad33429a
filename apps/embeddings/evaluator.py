"""Evaluation of word vectors: word similarity, analogies, nearest neighbours."""

from pathlib import Path
from typing import Any

import numpy as np

from apps.embeddings.vectors import word_analogies, word_similarity
from apps.embeddings.vectors.projection_plot import plot_projection
from apps.embeddings.vectors.word_vectors import ANALOGY_METHODS, WordVectors
from shared.common.errors import KerasuiteError
from shared.engine.app import Evaluator
from shared.report.page import Page
from shared.text.language_codes import main_language

# Words with neighbours on the page, words on the map, and first words left out: mere grammar.
NEIGHBORS_SHOWN, WORDS_PLOTTED, SKIPPED = 24, 150, 100
# Fewer covered pairs are not reported: their correlation is noise.
MIN_PAIRS = 10


class Judgements:
    """Files of human judgements for evaluation.

    Args:
        files: files of pairs (see `word_similarity`) or of analogies (see `word_analogies`), told
            apart by how they begin; without any, the sets for English that gensim includes.
        language: str. "en" for those sets; other languages have none.
    """

    def __init__(self, files: list[str], language: str = "en"):
        for file in files:
            if not Path(file).is_file():
                raise KerasuiteError(f"{file}: no such file; give files of pairs or of analogies")
        if files:
            self.analogies = [Path(file) for file in files if word_analogies.is_questions(file)]
            pairs = [Path(file) for file in files if Path(file) not in self.analogies]
            self.pairs = {path.stem: path for path in pairs}
        else:
            english = main_language(language) == "en"
            self.pairs = word_similarity.standard_files() if english else {}
            self.analogies = word_analogies.standard_files() if english else []

    def similarity(self, vectors: WordVectors) -> dict[str, word_similarity.SimilarityScore]:
        """Scores of the sets of pairs of which at least `MIN_PAIRS` are known."""
        found = {name: word_similarity.evaluate(vectors, path) for name, path in self.pairs.items()}
        return {name: score for name, score in found.items() if score.pairs >= MIN_PAIRS}

    def analogy(self, vectors: WordVectors) -> dict[str, Any]:
        """Accuracy on each set of analogies by both methods, and by section."""
        results: dict[str, Any] = {}
        for path in self.analogies:
            for method in ANALOGY_METHODS:
                scores = word_analogies.evaluate(vectors, path, method)
                if not scores.total.asked:
                    continue
                results[f"{path.stem}_{method}"] = scores.total.accuracy
                results[f"{path.stem}_asked"] = scores.total.asked
                results[f"{path.stem}_{method}_sections"] = {
                    section.name: {"correct": section.correct, "asked": section.asked}
                    for section in scores.sections
                    if section.asked
                }
        return results


class EmbeddingEvaluator(Evaluator):
    """Collects the vectors of all words, in order, and compares them with human judgement.

    Args:
        words: the vocabulary, in the order of the data set.
        judgements: files to compare with.
    """

    def __init__(self, words: list[str], judgements: Judgements):
        self.words, self.judgements = words, judgements
        self._parts: list[np.ndarray] = []

    def update(self, batch: Any, outputs: np.ndarray) -> None:
        self._parts.append(outputs)

    @property
    def word_vectors(self) -> WordVectors:
        return WordVectors(self.words, np.concatenate(self._parts))

    def result(self) -> dict[str, float]:
        """Spearman's rank correlation for each set of pairs."""
        found = self.judgements.similarity(self.word_vectors)
        return {name: score.spearman for name, score in found.items()}

    def report(self, folder: Path) -> dict[str, Any]:
        """Writes a page of neighbours and a map of words; returns coverage and analogies."""
        vectors = self.word_vectors
        write_neighbors(vectors, folder / "samples" / "neighbors.html")
        shown = shown_words(vectors.words, WORDS_PLOTTED)
        plot_projection(vectors, folder / "plots" / "words.png", shown)
        return detailed_scores(vectors, self.judgements)


def detailed_scores(vectors: WordVectors, judgements: Judgements) -> dict[str, Any]:
    """All scores by name: numbers, and sections of analogies."""
    scores: dict[str, Any] = {}
    for name, score in judgements.similarity(vectors).items():
        scores |= {name: score.spearman, f"{name}_pairs": f"{score.pairs} of {score.all_pairs}"}
    return scores | judgements.analogy(vectors)


def shown_words(words: list[str], count: int) -> list[str]:
    """Selects frequent words to show, after the first, which are mostly grammar."""
    begin = min(SKIPPED, len(words) // 10)
    return words[begin : begin + count]


def write_neighbors(vectors: WordVectors, path: Path) -> None:
    """Writes a page with the nearest neighbours of some frequent words."""
    page = Page("Nearest neighbours")
    page.text("Words with the highest cosine similarity, best first.")
    rows = [
        [word, ", ".join(f"{other} {cosine:.2f}" for other, cosine in vectors.neighbors(word, 6))]
        for word in shown_words(vectors.words, NEIGHBORS_SHOWN)
    ]
    page.table(rows, ["word", "neighbours"])
    page.write(path)
