"""The word-embedding application."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.embeddings import data
from apps.embeddings.algorithm import build_model
from apps.embeddings.config import IMPORTED, EmbedConfig
from apps.embeddings.corpus.encoded_corpus import EncodedCorpus
from apps.embeddings.corpus.vocabulary import Vocabulary
from apps.embeddings.evaluator import EmbeddingEvaluator, Judgements
from apps.embeddings.predictor import DocumentPredictor, Weighting
from apps.embeddings.serving import EmbeddingServing
from apps.embeddings.vectors.document_vectors import common_component, sif_weights
from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common import config as configs
from shared.common import stream
from shared.common.checksums import verify_checksum
from shared.common.errors import KerasuiteError
from shared.engine.app import LAST_EPOCH, App
from shared.engine.run import Run
from shared.engine.training.optimizer import build_optimizer

# Words whose vectors are computed together.
BATCH = 4096


class EmbedApp(App):
    """Word embeddings: plain text to a vector for every word, near for words used alike."""

    name = "embed"
    config_class = EmbedConfig
    # The last vectors, as in word2vec: a loss on sampled words says little about them.
    monitor = LAST_EPOCH
    validation = "the judgements of people on pairs of words"
    limits = (
        "Vectors show how words are used in the training text, its prejudices included. A word "
        "has one vector, whatever it means in a sentence. Words outside the vocabulary have none."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Counts and encodes the corpus once; GloVe counts its pairs as well."""
        if "words" not in run.artifacts:
            if run.config.model.algorithm == IMPORTED:
                raise KerasuiteError(
                    "--algorithm imported: is of vectors that were read from a file, see "
                    "`kerasuite embed import`; choose skipgram, cbow or glove to train"
                )
            run.artifacts = data.prepare_corpus(run.config, run.folder)
            run.save_artifacts()
        elif run.is_training:
            for path in data.prepared_files(run.folder):
                verify_checksum(path)
        self.vocabulary = Vocabulary.load(run.folder / data.VOCABULARY)
        self._judgement_files: list[str] = []

    def steps_per_epoch(self, run: Run) -> int:
        return data.steps_per_epoch(run.config, run.folder)

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        if split != "train":
            # The table itself is evaluated: every word once.
            return stream.evaluation_examples(len(self.vocabulary), BATCH, run.worker).batch(BATCH)
        return data.training_dataset(
            run.config, run.folder, self.vocabulary, start_step, run.worker
        )

    def unit(self, run: Run) -> str:
        return "co-occurrences" if run.config.model.algorithm == "glove" else "words"

    def replace_validation_data(self, run: Run, data: list[str]) -> None:
        self._judgement_files = data

    def check(self, config: EmbedConfig) -> tuple[list[str], list[str]]:
        from apps.embeddings.check import describe

        return describe(config)

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        config = run.config
        model = build_model(config, self.vocabulary)
        model.compile(
            optimizer=build_optimizer(
                config.optimization, config.initial_learning_rate, max(run.total_steps, 1)
            )
        )
        return model

    # === Results ===

    def init_weights(self, run: Run, model: keras.Model) -> None:
        """Starts from a run with the same words: a row of its tables belongs to a word."""
        path = Path(run.config.init) / data.VOCABULARY
        is_run = bool(run.config.init) and path.is_file()
        if is_run and Vocabulary.load(path).words != self.vocabulary.words:
            raise KerasuiteError(
                f"--init {run.config.init}: has other words than these data; start from a run on "
                f"the same data, with the same --min-count and --max-vocab"
            )
        super().init_weights(run, model)

    def evaluator(self, run: Run) -> EmbeddingEvaluator:
        judgements = Judgements(self._judgement_files, run.config.corpus.language)
        return EmbeddingEvaluator(self.vocabulary.words, judgements)

    def word_vectors(self, model: keras.Model) -> WordVectors:
        """Vectors of all words of a trained model."""
        ids = np.arange(len(self.vocabulary))
        parts = [model(ids[i : i + BATCH]).numpy() for i in range(0, len(ids), BATCH)]
        return WordVectors(self.vocabulary.words, np.concatenate(parts))

    def serving(self, run: Run, model: keras.Model) -> dict[str, EmbeddingServing]:
        words_file = data.write_words(self.vocabulary, run.folder)
        phrases_file = run.folder / data.PHRASES
        extra = {data.VOCABULARY: (run.folder / data.VOCABULARY).read_text(encoding="utf-8")}
        if phrases_file.is_file():
            extra[data.PHRASES] = phrases_file.read_text(encoding="utf-8")
        vectors, weights = self.word_vectors(model), sif_weights(self.vocabulary.counts)
        has_corpus = run.config.model.algorithm != IMPORTED
        corpus = EncodedCorpus.open(run.folder / data.TOKENS).sample() if has_corpus else []
        sif = weights, common_component(corpus, vectors.vectors, weights)
        return {"": EmbeddingServing(vectors, *sif, words_file, extra)}

    def predictor(
        self, saved_model: Path, weighting: Weighting = "mean", **_: Any
    ) -> DocumentPredictor:
        config = configs.load(EmbedConfig, saved_model / "assets.extra" / "config.yaml")
        phrases = saved_model / "assets.extra" / data.PHRASES
        return DocumentPredictor(data.text_words(config, phrases), weighting)
