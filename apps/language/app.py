"""The language-model application, as the engine sees it."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from apps.language import data
from apps.language.config import LanguageConfig
from apps.language.evaluator import LanguageEvaluator
from apps.language.language_model import LanguageModel
from apps.language.prediction.score_predictor import ScorePredictor
from apps.language.prediction.text_predictor import TextPredictor
from apps.language.prediction.writing import Writing
from apps.language.recurrent_language_model import RecurrentLanguageModel
from apps.language.sample_writer import SampleWriter
from apps.language.serving import LanguageServing
from apps.language.token_stream import TextSize
from apps.language.tokenizers.kinds import load_tokenizer
from apps.language.transformer_language_model import TransformerLanguageModel
from apps.language.windows import EvaluationWindows, TrainingWindows
from shared.common import stream
from shared.common.checksums import verify_checksum
from shared.common.errors import KerasuiteError
from shared.common.splits import TRAIN, VALIDATION
from shared.engine.app import App
from shared.engine.run import Run, load_init
from shared.engine.training.optimizer import build_optimizer
from shared.text.token_file import open_tokens

# Tokens of a validation batch, and its windows at most.
VALIDATION_TOKENS, VALIDATION_ROWS = 1 << 17, 64


class LanguageApp(App):
    """Language model: running text to a model that writes on."""

    name = "lm"
    config_class = LanguageConfig
    monitor = ("val_loss", "min")
    validation = "the validation text"
    independent_rows = True
    limits = (
        "The model writes what is likely after a text of its training data, not what is true: "
        "names, numbers and sources in its texts are made up. It may repeat passages of the "
        "training text word by word, and its prejudices. Text of another kind or language than "
        "the training text surprises it, and the figures above do not hold there."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Learns the vocabulary and encodes the texts, once."""
        if "vocabulary_size" not in run.artifacts:
            run.config = data.resolved_with_init(run.config)
            run.artifacts = data.prepare_text(run.config, run.folder)
            run.save_artifacts()
        elif run.is_training:
            for path in data.prepared_files(run.config, run.folder):
                verify_checksum(path)
        self.tokenizer = load_tokenizer(run.config.tokens.vocabulary, run.folder)
        self._other_text: tuple[np.ndarray, TextSize] | None = None
        self._model: LanguageModel | None = None
        self._sample_writer: SampleWriter | None = None

    def _windows(self, run: Run) -> TrainingWindows:
        tokens = open_tokens(run.folder / data.TOKENS[TRAIN])
        return TrainingWindows(tokens, run.config.text.sequence_length, run.config.seed)

    def steps_per_epoch(self, run: Run) -> int:
        return stream.steps_per_epoch(len(self._windows(run)), run.config.batch_size)

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        if split == TRAIN:
            windows = self._windows(run)
            return data.training_dataset(windows, run.config.batch_size, start_step, run.worker)
        tokens, _ = self._validation_text(run)
        window = model_class_of(run.config).evaluation_window(run.config.text.sequence_length)
        windows = EvaluationWindows(tokens, *window)
        rows = min(VALIDATION_ROWS, max(1, VALIDATION_TOKENS // windows.length))
        return data.evaluation_dataset(windows, rows, run.worker)

    def _validation_text(self, run: Run) -> tuple[np.ndarray, TextSize]:
        if self._other_text is not None:
            return self._other_text
        if VALIDATION not in run.artifacts:
            raise KerasuiteError(
                f"{run.folder}: was imported and has no text of its own; name text files to "
                f"evaluate it on"
            )
        size = data.text_size(run.artifacts[VALIDATION])
        return open_tokens(run.folder / data.TOKENS[VALIDATION]), size

    def unit(self, run: Run) -> str:
        return "tokens"

    def items_per_step(self, run: Run) -> float:
        return run.config.batch_size * run.config.text.sequence_length

    def replace_validation_data(self, run: Run, data_paths: list[str]) -> None:
        self._other_text = data.read_text(data_paths, run.config, self.tokenizer)

    def check(self, config: LanguageConfig) -> tuple[list[str], list[str]]:
        from apps.language.check import describe

        return describe(config)

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        config = run.config
        model = model_class_of(config)(
            config.model, run.artifacts["vocabulary_size"], config.text.sequence_length
        )
        model.build()
        model.compile(
            optimizer=build_optimizer(
                config.optimization, config.learning_rate, max(run.total_steps, 1)
            )
        )
        self._model = model
        return model

    def init_weights(self, run: Run, model: keras.Model) -> None:
        load_init(run, model, first_positions)

    # === Results ===

    def evaluator(self, run: Run) -> LanguageEvaluator:
        _, size = self._validation_text(run)
        return LanguageEvaluator(size, self.tokenizer, self._writer(run))

    def _writer(self, run: Run) -> SampleWriter:
        """Writes with the newest model that was built; compiled once for all epochs."""
        writer = self._sample_writer
        if writer is None or writer.model is not self._model:
            writer = SampleWriter(self._model, self.tokenizer, run.config.writing)
            self._sample_writer = writer
        return writer

    def serving(self, run: Run, model: keras.Model) -> dict[str, LanguageServing]:
        return {"": LanguageServing(model, self.tokenizer, run.config)}

    def predictor(
        self,
        saved_model: Path,
        writing: Writing | None = None,
        whole_files: bool = False,
        score: bool = False,
    ) -> TextPredictor | ScorePredictor:
        return ScorePredictor() if score else TextPredictor(writing or Writing(), whole_files)


def model_class_of(config: LanguageConfig) -> type[LanguageModel]:
    """The class of the network of a configuration."""
    is_transformer = config.model.architecture == "transformer"
    return TransformerLanguageModel if is_transformer else RecurrentLanguageModel


def first_positions(variable: keras.Variable, found: keras.Variable):
    """The first rows of learned positions, for a model with shorter windows; None for others."""
    length = variable.shape[0]
    is_positions = variable.path.endswith("positions/positions/embeddings")
    return found[:length] if is_positions and found.shape[0] > length else None
