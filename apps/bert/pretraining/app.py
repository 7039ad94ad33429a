"""The pretraining application."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from apps.bert.checkpoint.sentence_transformers import SentenceVectors
from apps.bert.checkpoint.tokenizer_files import load_tokenizer
from apps.bert.embedding.predictor import EmbeddingPredictor
from apps.bert.pretraining import data
from apps.bert.pretraining.check import describe
from apps.bert.pretraining.config import CorpusConfig, MaskingConfig, PretrainConfig
from apps.bert.pretraining.evaluator import PretrainingEvaluator
from apps.bert.pretraining.examples import PretrainingExamples
from apps.bert.pretraining.pretrainer import Pretrainer
from apps.bert.pretraining.sequences import EncodedText, encode_text
from apps.bert.pretraining.serving import VECTORS, EncoderServing
from apps.bert.start import encoder_shape, prepare_start, start_weights
from shared.common import stream
from shared.common.errors import KerasuiteError
from shared.engine.app import App, Evaluator
from shared.engine.run import Run
from shared.engine.saved_model.saved_models import EXTRA
from shared.engine.training.optimizer import build_optimizer
from shared.text.text_batches import evaluation_batches
from shared.text.text_files import lines_of

# Batch size of the validation.
VALIDATION_BATCH = 32


class PretrainApp(App):
    """BERT pretraining: an encoder from plain text."""

    name = "bert-pretrain"
    config_class = PretrainConfig
    monitor = ("val_masked_accuracy", "max")
    independent_rows = True
    predict_verb = "embed"
    limits = (
        "The encoder knows text like its training data, including their biases. Its vectors are a "
        "start for fine-tuning; without it they compare sentences only roughly."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Learns the word pieces and tokenises the text, once."""
        if "encoder" not in run.artifacts:
            start = self.prepare_start(run, lambda: lines_of(run.config.data))
            tokenizer = load_tokenizer(run.folder)
            run.artifacts = start | data.prepare_text(run.config, tokenizer, run.folder)
            run.save_artifacts()
        self.tokenizer = load_tokenizer(run.folder)
        self._made: dict[str, PretrainingExamples] = {}

    def prepare_start(self, run: Run, texts: Callable[[], Iterable[str]]) -> dict[str, Any]:
        """Word pieces and the encoder's shape, see `apps.bert.start`."""
        return prepare_start(
            run, texts, ("--sequence-length", run.config.sequences.sequence_length)
        )

    def masking(self, run: Run) -> MaskingConfig | None:
        """How word pieces are masked; None for no masking."""
        return run.config.masking

    def _examples(self, run: Run, name: str) -> PretrainingExamples:
        if name not in self._made:
            if not (run.folder / name).is_file():
                raise KerasuiteError(
                    f"{run.folder}: was imported and has no text of its own; name text files to "
                    f"evaluate it on"
                )
            text = EncodedText.load(run.folder / name)
            self._made[name] = self._examples_of(run, text, training=name == data.TRAIN)
        return self._made[name]

    def _examples_of(
        self, run: Run, text: EncodedText, training: bool, source: str = ""
    ) -> PretrainingExamples:
        masking = self.masking(run)
        return data.make_examples(text, run.config, self.tokenizer, masking, training, source)

    def steps_per_epoch(self, run: Run) -> int:
        return stream.steps_per_epoch(len(self._examples(run, data.TRAIN)), run.config.batch_size)

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        if split == "train":
            examples = self._examples(run, data.TRAIN)
            return data.training_dataset(examples, run.config, start_step, run.worker)
        examples = self._examples(run, data.VALIDATION)
        return evaluation_batches(examples, examples.lengths, VALIDATION_BATCH, run.worker)

    def unit(self, run: Run) -> str:
        return "sequences"

    def replace_validation_data(self, run: Run, data_paths: list[str]) -> None:
        text = encode_text(lines_of(data_paths), self.tokenizer)
        self._made[data.VALIDATION] = self._examples_of(
            run, text, training=False, source=" ".join(data_paths)
        )

    def check(self, config: CorpusConfig) -> tuple[list[str], list[str]]:
        return describe(config)

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        config = run.config
        model = self.make_model(run)
        model.build()
        model.compile(
            optimizer=build_optimizer(
                config.optimization, config.learning_rate, max(run.total_steps, 1)
            )
        )
        return model

    def make_model(self, run: Run) -> keras.Model:
        paired = run.config.sequences.pairs != "none"
        return Pretrainer(encoder_shape(run), run.artifacts["vocabulary_size"], paired)

    def init_weights(self, run: Run, model: keras.Model) -> None:
        start_weights(run, model)

    # === Results ===

    def evaluator(self, run: Run) -> Evaluator:
        return PretrainingEvaluator(self.tokenizer)

    def serving(self, run: Run, model: keras.Model) -> dict[str, EncoderServing]:
        longest = encoder_shape(run).max_positions
        vectors = SentenceVectors(**run.artifacts.get("sentence_vectors", {}))
        return {"": EncoderServing(model, self.tokenizer, longest, vectors)}

    def predictor(self, saved_model: Path, **options: Any) -> EmbeddingPredictor:
        vectors = json.loads((Path(saved_model) / EXTRA / VECTORS).read_text(encoding="utf-8"))
        return EmbeddingPredictor(**options, default=vectors["pooling"])
