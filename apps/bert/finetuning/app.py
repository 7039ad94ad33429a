"""The fine-tuning application."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from apps.bert.checkpoint.tokenizer_files import load_tokenizer
from apps.bert.finetuning.check import describe
from apps.bert.finetuning.config import FinetuneConfig
from apps.bert.finetuning.data import (
    balanced_weights,
    check_class_weights,
    hold_out_for_thresholds,
    read_data,
    report,
)
from apps.bert.finetuning.features import Features
from apps.bert.finetuning.fine_tuner import FineTuner
from apps.bert.finetuning.layer_decay import layer_factors, scale_rates
from apps.bert.finetuning.predictor import FineTunedPredictor
from apps.bert.finetuning.saved_examples import load_examples, save_examples
from apps.bert.finetuning.serving import LABELS, TASK, FineTunedServing
from apps.bert.finetuning.task_types import TASK_TYPES, TaskType
from apps.bert.start import encoder_shape, prepare_start, start_weights
from apps.bert.tasks.examples import MULTILABEL
from apps.bert.tasks.read import FoundTask, read_files
from apps.bert.tasks.splits import validation_files
from shared.common.errors import KerasuiteError
from shared.common.files import read_json, write_text
from shared.common.messages import warn
from shared.common.splits import THRESHOLDS
from shared.engine.app import App, Evaluator
from shared.engine.multilabel.thresholds import (
    choose_thresholds,
    known_thresholds,
    refuse_threshold_split,
)
from shared.engine.run import Run, read_metrics
from shared.engine.saved_model.export import EXTRA
from shared.engine.training.optimizer import build_optimizer
from shared.metrics.multilabel import prior_logits
from shared.text.batch_plan import BatchPlan
from shared.text.tables.label_sets import SINGLE, LabelCells
from shared.text.text_batches import evaluation_batches, training_batches

TRAIN, VALIDATION, EXAMPLES = "train.npz", "validation.npz", "validation.jsonl"
# Of several labels: the training examples that choose the thresholds.
HELD_OUT, HELD_OUT_EXAMPLES = "thresholds.npz", "thresholds.jsonl"
MULTILABEL_LIMITS = (
    "Probabilities are not calibrated. A label is taken for present from its threshold on, which "
    "was chosen for the highest F1 on a part of the training data. Text beyond `max_length` word "
    "pieces is cut. The model has the biases of the text that its encoder was trained on, and of "
    "its labels."
)
# Batch size of the validation.
VALIDATION_BATCH = 32


class FinetuneApp(App):
    """BERT fine-tuning: a model of one task from labelled texts."""

    name = "bert-finetune"
    config_class = FinetuneConfig
    monitor = ("val_score", "max")
    independent_rows = True
    limits = (
        "Probabilities are not calibrated, and a text unlike the training data still gets an "
        "answer. Text beyond `max_length` word pieces is cut. The model has the biases of the text "
        "that its encoder was trained on, and of its labels."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Reads the examples and tokenises them, once."""
        if "task_type" not in run.artifacts:
            found = read_data(run.config)
            report(found)
            run.artifacts = self._write(run, found)
            run.save_artifacts()
        self.task_type = TASK_TYPES[run.artifacts["task_type"]](run.config, run.artifacts["labels"])
        if self.is_multilabel(run):
            self.limits = MULTILABEL_LIMITS
            self.task_type.thresholds = known_thresholds(run, self.task_type.labels)
        else:
            refuse_threshold_split(run.config.task_data.threshold_split)
        self.tokenizer = load_tokenizer(run.folder)
        self._train: Features | None = None
        self._validation: tuple[list, Features] | None = None
        self._has_own_validation = True

    def is_multilabel(self, run: Run) -> bool:
        """Whether examples have any number of labels."""
        return run.artifacts["task_type"] == MULTILABEL

    def _write(self, run: Run, found: FoundTask) -> dict[str, Any]:
        task_class = TASK_TYPES[found.task_type]
        train, validation = found.train.examples, found.validation.examples
        check_class_weights(run.config.head.class_weights, task_class)
        labels = self.labels_of(run, task_class, train)
        task_type = task_class(run.config, labels)
        start = self.prepare_start(run, lambda: task_type.texts(train))
        tokenizer = load_tokenizer(run.folder)
        parts = [(train, TRAIN, "training"), (validation, VALIDATION, "validation")]
        if found.task_type == MULTILABEL:
            share = run.config.task_data.threshold_split
            train, held_out = hold_out_for_thresholds(train, labels, share, run.config.seed)
            parts[0] = (train, TRAIN, "training")
            parts.append((held_out, HELD_OUT, "held-out"))
            save_examples(held_out, run.folder / HELD_OUT_EXAMPLES)
        for examples, name, purpose in parts:
            features = task_type.features(examples, tokenizer)
            if note := task_type.cut_note(features, purpose):
                warn(note)
            features.save(run.folder / name)
        save_examples(validation, run.folder / EXAMPLES)
        return start | {
            "task_type": found.task_type,
            "labels": labels,
            "label_separator": found.train.separator,
            "train_examples": len(train),
            "validation_examples": len(validation),
            "threshold_examples": len(parts[2][0]) if len(parts) > 2 else 0,
        }

    def labels_of(self, run: Run, task_type: type[TaskType], examples: list) -> list[str]:
        """The names of the classes or tags."""
        labels = task_type.labels_of(examples)
        if task_type.name in ("classification", "tagging") and len(labels) < 2:
            raise KerasuiteError(
                f"{' '.join(run.config.data)}: all labels are '{labels[0]}'; give at least two "
                f"classes, or name the right column with --label-column"
            )
        if task_type.name == MULTILABEL and not labels:
            raise KerasuiteError(f"{' '.join(run.config.data)}: no example has a label")
        return labels

    def prepare_start(self, run: Run, texts: Callable[[], Iterable[str]]) -> dict[str, Any]:
        """Word pieces and the encoder's shape, see `apps.bert.start`."""
        return prepare_start(run, texts, ("--max-length", run.config.task_data.max_length))

    def train_features(self, run: Run) -> Features:
        if self._train is None:
            self._train = Features.load(run.folder / TRAIN)
        return self._train

    def validation_data(self, run: Run) -> tuple[list, Features]:
        """The validation examples and their features."""
        if self._validation is None:
            examples = load_examples(run.artifacts["task_type"], run.folder / EXAMPLES)
            self._validation = examples, Features.load(run.folder / VALIDATION)
        return self._validation

    def plan(self, run: Run) -> BatchPlan:
        config = run.config
        return BatchPlan(self.train_features(run).lengths, 0, config.batch_size, config.seed)

    def steps_per_epoch(self, run: Run) -> int:
        return self.plan(run).steps_per_epoch

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        if split == "train":
            features = self.train_features(run)
            return training_batches(features, self.plan(run), start_step, run.worker)
        features = self.validation_data(run)[1]
        if split == THRESHOLDS:
            features = Features.load(run.folder / HELD_OUT)
        return evaluation_batches(features, features.lengths, VALIDATION_BATCH, run.worker)

    def replace_validation_data(self, run: Run, data: list[str]) -> None:
        options, task_type = run.config.task_data, run.artifacts["task_type"]
        kind = MULTILABEL if self.is_multilabel(run) else SINGLE
        cells = LabelCells(kind, run.artifacts["label_separator"])
        found = read_files(validation_files([], data), task_type, options.columns, cells)
        report(found)
        features = self.task_type.features(found.examples, self.tokenizer)
        if note := self.task_type.cut_note(features, "validation"):
            warn(note)
        self._validation = found.examples, features
        self._has_own_validation = False

    def check(self, config: FinetuneConfig) -> tuple[list[str], list[str]]:
        return describe(config)

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        model = self.make_model(run)
        model.build()
        config = run.config
        optimizer = build_optimizer(
            config.optimization, config.learning_rate, max(run.total_steps, 1)
        )
        if config.head.layer_decay < 1:
            paths = [variable.path for variable in model.trainable_variables]
            layers = encoder_shape(run).num_layers
            factors = layer_factors(paths, layers, config.head.layer_decay)
            scale_rates(optimizer, factors)
        model.compile(optimizer=optimizer)
        return model

    def make_model(self, run: Run) -> FineTuner:
        return FineTuner(*self.model_arguments(run))

    def model_arguments(self, run: Run) -> tuple:
        """The arguments of `FineTuner`."""
        head, weights = run.config.head, None
        if head.class_weights == "balanced":
            weights = balanced_weights(self.train_features(run).labels, len(self.task_type.labels))
        return (
            encoder_shape(run),
            head,
            run.artifacts["vocabulary_size"],
            run.artifacts["task_type"],
            self.task_type.num_outputs,
            weights,
        )

    def init_weights(self, run: Run, model: keras.Model) -> None:
        # Balanced labels are as probable as not, which the initial bias says already.
        if self.is_multilabel(run) and run.config.head.class_weights == "none":
            model.head.dense.bias.assign(prior_logits(self.train_features(run).labels))
        start_weights(run, model)

    def begin_epoch(self, run: Run, model: keras.Model, epoch: int) -> None:
        freeze_layers(model.encoder, run.config.head.freeze_layers)

    # === Results ===

    def calibrate(self, run: Run, model: keras.Model) -> None:
        """Chooses the thresholds of several labels."""
        if self.is_multilabel(run):
            examples = load_examples(MULTILABEL, run.folder / HELD_OUT_EXAMPLES)
            evaluator = self.task_type.evaluator(examples, None)
            self.task_type.thresholds = choose_thresholds(self, run, model, evaluator)

    def evaluator(self, run: Run) -> Evaluator:
        evaluator = self.task_type.evaluator(*self.validation_data(run))
        metrics = _metrics(run)
        if metrics and not self._has_own_validation:
            evaluator.use_thresholds(metrics)
        return evaluator

    def serving(self, run: Run, model: keras.Model) -> dict[str, FineTunedServing]:
        labels, labels_file = self.task_type.labels, run.folder / LABELS
        write_text(labels_file, "".join(f"{label}\n" for label in labels))
        arguments = model, self.tokenizer, labels, str(labels_file)
        length = run.config.task_data.max_length
        examples, _ = self.validation_data(run)
        return {
            "": self.task_type.serving(*arguments, length, examples=examples, metrics=_metrics(run))
        }

    def predictor(self, saved_model: Path) -> FineTunedPredictor:
        task = read_json(Path(saved_model) / EXTRA / TASK)
        return TASK_TYPES[task["task_type"]].predictor_class(task)


def _metrics(run: Run) -> dict[str, Any]:
    """The metrics of the run on its own validation data; empty before the training has ended."""
    return read_metrics(run.folder) if (run.folder / "metrics.json").is_file() else {}


def freeze_layers(encoder: keras.layers.Layer, count: int) -> None:
    """Freezes the embeddings and the first `count` blocks of an encoder; all of it with -1."""
    if not count:
        return
    if count < 0:
        encoder.trainable = False
        return
    if encoder.config.shared_layers:
        raise KerasuiteError(
            f"--freeze-layers {count}: all blocks of this encoder are one; give 0 or -1"
        )
    embeddings = (
        encoder.token_embedding, encoder.segment_embedding, encoder.positions,
        encoder.embedding_norm,
    )  # fmt: skip
    for layer in (*embeddings, *encoder.blocks[:count]):
        layer.trainable = False
