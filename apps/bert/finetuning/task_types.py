"""The task types, one class for each family of tasks in the BERT paper.

A task type defines how examples become features, how many outputs the head has, the metrics, and
how the model is served.
"""

import abc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from apps.bert.checkpoint.tokenizer_files import Tokenizer
from apps.bert.finetuning.config import FinetuneConfig
from apps.bert.finetuning.features import Features
from apps.bert.finetuning.predictor import FineTunedPredictor
from apps.bert.finetuning.questions.evaluator import QuestionEvaluator
from apps.bert.finetuning.questions.features import question_features
from apps.bert.finetuning.questions.predictor import QuestionPredictor
from apps.bert.finetuning.questions.serving import QuestionServing
from apps.bert.finetuning.questions.spans import longest_question
from apps.bert.finetuning.serving import FineTunedServing
from apps.bert.finetuning.tagging.evaluator import TaggingEvaluator
from apps.bert.finetuning.tagging.features import tagging_features
from apps.bert.finetuning.tagging.predictor import TaggingPredictor
from apps.bert.finetuning.tagging.serving import TaggingServing
from apps.bert.finetuning.texts.evaluator import (
    ChoiceEvaluator,
    ClassificationEvaluator,
    LabelsEvaluator,
    RegressionEvaluator,
)
from apps.bert.finetuning.texts.features import choice_features, text_features
from apps.bert.finetuning.texts.predictor import ChoicePredictor, LabelsPredictor, TextPredictor
from apps.bert.finetuning.texts.serving import ChoiceServing, LabelsServing, TextServing
from apps.bert.tasks.labels import class_names, label_names, tag_names
from shared.engine.app import Evaluator
from shared.metrics.multilabel import THRESHOLD

# Raw texts to verify an export with.
SAMPLES = 3


class TaskType(abc.ABC):
    """Base class of the task types.

    Args:
        config: configuration of the run.
        labels: names of classes or tags; empty where there are none.

    Class attributes:
        name: name of the type on the command line.
        predictor_class: batch inference.
    """

    name: ClassVar[str]
    predictor_class: ClassVar[type[FineTunedPredictor]]

    def __init__(self, config: FinetuneConfig, labels: Sequence[str]):
        self.config, self.labels = config, list(labels)

    @classmethod
    def labels_of(cls, examples: Sequence[Any]) -> list[str]:
        """The names of the classes or tags in the training data."""
        return []

    @staticmethod
    @abc.abstractmethod
    def texts(examples: Sequence[Any]) -> Iterable[str]:
        """All texts of examples, from which word pieces are learnt."""

    @abc.abstractmethod
    def features(self, examples: Sequence[Any], tokenizer: Tokenizer) -> Features:
        """The features of examples."""

    def cut_note(self, features: Features, name: str) -> str:
        """A line about examples of which the end is not read; empty where there are none.

        Args:
            features: the features of examples.
            name: what the examples are for, "training" or "validation".
        """
        if not features.cut:
            return ""
        return (
            f"{features.cut:,} of {len(features):,} {name} examples are longer than --max-length "
            f"{self.config.task_data.max_length} word pieces and are cut"
        )

    @property
    def num_outputs(self) -> int:
        return len(self.labels)

    @abc.abstractmethod
    def evaluator(self, examples: Sequence[Any], features: Features) -> Evaluator:
        """Metrics of examples; the best model is the one with the highest `score`."""

    @abc.abstractmethod
    def serving(
        self, *args: Any, examples: Sequence[Any], metrics: Mapping[str, Any]
    ) -> FineTunedServing:
        """The SavedModel.

        Args:
            args: the first arguments of `FineTunedServing`.
            examples: validation examples, some of which verify the export.
            metrics: metrics of the run.
        """

    def _sample_texts(self, examples: Sequence[Any]) -> list[str]:
        return list(self.texts(examples[:SAMPLES]))[:SAMPLES]


class ClassificationTask(TaskType):
    """Sentences or pairs with a class."""

    name = "classification"
    predictor_class = TextPredictor

    @classmethod
    def labels_of(cls, examples):
        return class_names(examples)

    @staticmethod
    def texts(examples):
        for example in examples:
            yield example.text
            if example.text_pair is not None:
                yield example.text_pair

    def features(self, examples, tokenizer):
        labels = self.labels or None
        return text_features(examples, labels, tokenizer, self.config.task_data.max_length)

    def evaluator(self, examples, features):
        return ClassificationEvaluator(examples, self.labels)

    def serving(self, *args, examples, metrics):
        paired = examples[0].text_pair is not None
        columns = self.config.task_data.columns
        return TextServing(*args, self._sample_texts(examples), paired=paired, columns=columns)


class MultilabelTask(ClassificationTask):
    """Sentences or pairs with any number of labels.

    Attributes:
        thresholds: of the labels; set once they are chosen.
    """

    name = "multilabel"
    predictor_class = LabelsPredictor

    def __init__(self, config: FinetuneConfig, labels: Sequence[str]):
        super().__init__(config, labels)
        self.thresholds = [THRESHOLD] * len(self.labels)

    @classmethod
    def labels_of(cls, examples):
        return label_names(examples)

    def evaluator(self, examples, features):
        return LabelsEvaluator(examples, self.labels, self.thresholds)

    def serving(self, *args, examples, metrics):
        paired = examples[0].text_pair is not None
        options = {"paired": paired, "columns": self.config.task_data.columns}
        texts = self._sample_texts(examples)
        return LabelsServing(*args, texts, thresholds=self.thresholds, **options)


class RegressionTask(ClassificationTask):
    """Sentences or pairs with a number."""

    name = "regression"
    num_outputs = 1

    @classmethod
    def labels_of(cls, examples):
        return []

    def evaluator(self, examples, features):
        return RegressionEvaluator(examples)


class ChoiceTask(TaskType):
    """A context with several continuations."""

    name = "choice"
    predictor_class = ChoicePredictor
    num_outputs = 1

    @staticmethod
    def texts(examples):
        for example in examples:
            yield example.context
            yield from example.choices

    def features(self, examples, tokenizer):
        return choice_features(examples, tokenizer, self.config.task_data.max_length)

    def evaluator(self, examples, features):
        return ChoiceEvaluator(examples)

    def serving(self, *args, examples, metrics):
        return ChoiceServing(*args, self._sample_texts(examples))


class TaggingTask(TaskType):
    """Words with tags."""

    name = "tagging"
    predictor_class = TaggingPredictor

    @classmethod
    def labels_of(cls, examples):
        return tag_names(examples)

    @staticmethod
    def texts(examples):
        return (" ".join(example.words) for example in examples)

    def features(self, examples, tokenizer):
        return tagging_features(examples, self.labels, tokenizer, self.config.task_data.max_length)

    def evaluator(self, examples, features):
        return TaggingEvaluator(examples, features, self.labels)

    def serving(self, *args, examples, metrics):
        columns = self.config.task_data.columns
        return TaggingServing(*args, self._sample_texts(examples), columns=columns)


class QuestionTask(TaskType):
    """Questions whose answer is a span of a context."""

    name = "question-answering"
    predictor_class = QuestionPredictor
    num_outputs = 2

    @staticmethod
    def texts(examples):
        previous = None
        for example in examples:
            yield example.question
            # Consecutive questions often share their context.
            if example.context is not previous:
                yield example.context
            previous = example.context

    def features(self, examples, tokenizer):
        options = self.config.task_data
        return question_features(examples, tokenizer, options.max_length, options.stride)

    def cut_note(self, features, name):
        """Of long contexts all is read, in windows; of questions the beginning."""
        if not features.cut:
            return ""
        longest = longest_question(self.config.task_data.max_length)
        return (
            f"{features.cut:,} of {len(features.more['starts']):,} {name} questions have more than "
            f"{longest} word pieces and are cut"
        )

    def evaluator(self, examples, features):
        return QuestionEvaluator(examples, features, self.config.task_data.max_answer_length)

    def serving(self, *args, examples, metrics):
        options = self.config.task_data
        return QuestionServing(
            *args,
            [example.question for example in examples[:SAMPLES]],
            contexts=[example.context for example in examples[:SAMPLES]],
            stride=options.stride,
            max_answer_length=options.max_answer_length,
            null_threshold=metrics.get("null_threshold", float("inf")),
        )


TASK_TYPES: dict[str, type[TaskType]] = {
    "classification": ClassificationTask,
    "pair": ClassificationTask,
    "multilabel": MultilabelTask,
    "regression": RegressionTask,
    "choice": ChoiceTask,
    "tagging": TaggingTask,
    "question-answering": QuestionTask,
}
