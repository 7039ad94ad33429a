"""Phrases: pairs of words that occur together more often than by chance become one token.

Reference: [Mikolov et al., 2013](https://arxiv.org/abs/1310.4546), section 4; the model is
gensim's, kept as readable JSON instead of a pickle.
"""

import json
import os
from collections.abc import Iterable, Iterator

from gensim.models.phrases import ENGLISH_CONNECTOR_WORDS, FrozenPhrases, Phrases

from shared.common.errors import KerasuiteError
from shared.common.files import write_json
from shared.text.language_codes import main_language

# Words and pairs that are counted at the same time: about a gigabyte.
MAX_TABLE = 8_000_000


class PhraseModel:
    """Joins the words of known phrases by an underscore: `new york` becomes `new_york`.

    Args:
        phrases: dict of joined phrase to score.
        threshold: float. Only phrases with a higher score are joined.
        connector_words: words that can be within a phrase but not at its ends.
    """

    def __init__(
        self, phrases: dict[str, float], threshold: float, connector_words: Iterable[str] = ()
    ):
        self.phrases = phrases
        self.threshold = threshold
        self.connector_words = frozenset(connector_words)
        self._model = Phrases(threshold=threshold, connector_words=self.connector_words).freeze()
        self._model.phrasegrams = phrases

    @classmethod
    def train(
        cls,
        documents: Iterable[list[str]],
        language: str = "en",
        min_count: int = 5,
        threshold: float = 10.0,
    ) -> "PhraseModel":
        """Counts words and pairs in one pass.

        Args:
            documents: the corpus, read once.
            language: str. "en" allows articles and prepositions within a phrase.
            min_count: int. Pairs with at most this many occurrences are ignored.
            threshold: float. Phrases must score higher than this.
        """
        english = main_language(language) == "en"
        model = Phrases(
            documents,
            min_count=min_count,
            threshold=threshold,
            max_vocab_size=MAX_TABLE,
            connector_words=ENGLISH_CONNECTOR_WORDS if english else frozenset(),
        )
        frozen: FrozenPhrases = model.freeze()
        return cls(frozen.phrasegrams, threshold, frozen.connector_words)

    def __call__(self, words: list[str]) -> list[str]:
        """Joins the phrases of one document."""
        return [token for token, _ in self._model.analyze_sentence(words)]

    def apply(self, documents: Iterable[list[str]]) -> Iterator[list[str]]:
        """Joins the phrases of a stream of documents."""
        return map(self, documents)

    def save(self, path: str | os.PathLike) -> None:
        """Writes JSON with `threshold`, `connector_words` and `phrases`, best first."""
        ordered = sorted(self.phrases.items(), key=lambda item: -item[1])
        write_json(
            path,
            {
                "threshold": self.threshold,
                "connector_words": sorted(self.connector_words),
                "phrases": {phrase: float(score) for phrase, score in ordered},
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike) -> "PhraseModel":
        """Reads what `save` wrote.

        Raises:
            KerasuiteError: if the file is no such JSON.
        """
        try:
            with open(path, encoding="utf-8") as file:
                values = json.load(file)
            phrases = {str(name): float(score) for name, score in values["phrases"].items()}
            return cls(phrases, float(values["threshold"]), values["connector_words"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise KerasuiteError(
                f"{path}: is no phrase model ({type(error).__name__}: {error}); "
                f"start the training again"
            ) from error
