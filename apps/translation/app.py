"""The translation application, as the engine sees it."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from apps.translation import data
from apps.translation.config import MIN_RATIO, TranslateConfig
from apps.translation.evaluator import TranslationEvaluator
from apps.translation.languages import Languages
from apps.translation.pairs.encoded_pairs import EncodedPairs
from apps.translation.pairs.pair_files import other_scripts, read_pairs
from apps.translation.pairs.sentence_pairs import SentencePairs
from apps.translation.predictor import TranslationPredictor
from apps.translation.recurrent_translator import RecurrentTranslator
from apps.translation.serving import TranslatorServing
from apps.translation.transformer_translator import TransformerTranslator
from shared.common.errors import KerasuiteError
from shared.common.messages import warn
from shared.engine.app import App
from shared.engine.run import Run
from shared.engine.training.optimizer import build_optimizer
from shared.text.text_batches import evaluation_batches, training_batches

# Maximum sentence pairs of a validation batch, and tokens of their longer sides with padding.
VALIDATION_BATCH, VALIDATION_TOKENS = 64, 8192
ARCHITECTURES = {"transformer": TransformerTranslator, "recurrent": RecurrentTranslator}


class TranslateApp(App):
    """Translation: pairs of sentences to a model that translates text."""

    name = "translate"
    config_class = TranslateConfig
    monitor = ("val_bleu", "max")
    independent_rows = True
    limits = (
        "Translations are fluent before they are right: names, numbers and negations may be wrong "
        "or missing, and nothing marks them. Sentences are translated one by one, without what "
        "stands around them. Text of another kind than the training data fares worse."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Learns the vocabularies and encodes the pairs, once."""
        if "source_vocabulary" not in run.artifacts:
            ARCHITECTURES[run.config.model.architecture].check(run.config.model)
            run.config = data.resolved_with_init(run.config)
            run.artifacts = data.prepare_pairs(run.config, run.folder)
            run.save_artifacts()
        self.tokenizers = data.Tokenizers.load(run.folder)
        self._validation: tuple[SentencePairs, EncodedPairs] | None = None
        if "train_pairs" not in run.artifacts:
            return  # An imported model.
        self.train_pairs = EncodedPairs.load(run.folder / data.TRAIN)
        self.plan = data.batch_plan(self.train_pairs, run.config, run.strategy.num_replicas_in_sync)

    def steps_per_epoch(self, run: Run) -> int:
        return self.plan.steps_per_epoch

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        if split == "train":
            return training_batches(self.train_pairs, self.plan, start_step, run.worker)
        pairs = self._validation_pairs(run)[1]
        # END included.
        max_length = 1 + max(pairs.source.lengths.max(), pairs.target.lengths.max())
        rows = min(VALIDATION_BATCH, max(1, VALIDATION_TOKENS // int(max_length)))
        return evaluation_batches(pairs, pairs.source.lengths, rows, run.worker)

    def unit(self, run: Run) -> str:
        return "target tokens"

    def items_per_step(self, run: Run) -> float:
        targets = self.train_pairs.target
        return (len(targets.tokens) + len(targets)) / self.plan.steps_per_epoch

    def _validation_pairs(self, run: Run) -> tuple[SentencePairs, EncodedPairs]:
        if self._validation is None and "validation_pairs" not in run.artifacts:
            raise KerasuiteError(
                f"{run.folder}: was imported and has no sentence pairs of its own; name some to "
                f"evaluate it on"
            )
        if self._validation is None:
            encoded = EncodedPairs.load(run.folder / data.VALIDATION)
            self._validation = data.read_validation(run.folder), encoded
        return self._validation

    def replace_validation_data(self, run: Run, data_paths: list[str]) -> None:
        languages = Languages.of_run(run.artifacts)
        pairs = read_pairs(data_paths, run.config, languages.sides)
        for note in (*pairs.notes, *other_scripts(pairs, languages)):
            warn(note)
        encoded = data.encode_validation(pairs, self.tokenizers, run.config)
        self._validation = pairs, encoded

    def check(self, config: TranslateConfig) -> tuple[list[str], list[str]]:
        from apps.translation.check import describe

        return describe(config)

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        config = run.config
        # Scheduled sampling rises over the training.
        more = {"total_steps": run.total_steps} if config.model.scheduled_sampling else {}
        model = ARCHITECTURES[config.model.architecture](
            config.model,
            config.loss,
            config.decoding,
            run.artifacts["source_vocabulary"],
            run.artifacts["target_vocabulary"],
            shared_vocabulary=config.tokens.shared_vocabulary,
            # The benchmark's runs have none.
            length_ratio=run.artifacts.get("length_ratio", MIN_RATIO),
            **more,
        )
        model.build()
        model.compile(
            optimizer=build_optimizer(
                config.optimization, config.learning_rate, max(run.total_steps, 1)
            )
        )
        return model

    # === Results ===

    def evaluator(self, run: Run) -> TranslationEvaluator:
        pairs, _ = self._validation_pairs(run)
        language = run.artifacts["target_language"]
        return TranslationEvaluator(self.tokenizers.target, pairs, language, run.config.decoding)

    def serving(self, run: Run, model: keras.Model) -> dict[str, TranslatorServing]:
        has_pairs = "validation_pairs" in run.artifacts
        sentences = self._validation_pairs(run)[0].source[:3] if has_pairs else []
        languages = Languages.of_run(run.artifacts)
        return {"": TranslatorServing(model, self.tokenizers, run.config, languages, sentences)}

    def predictor(self, saved_model: Path, **options: Any) -> TranslationPredictor:
        return TranslationPredictor(**options)
