"""The kinds of task: what each makes of examples, and what is made of a model's answers.

One class for each family of the BERT paper. It knows how examples become features, how many outputs
the head has, which metrics count, and how the model is served.
"""

import abc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from apps.bert.finetuning.config import FinetuneConfig
from apps.bert.finetuning.evaluator import (
    ChoiceEvaluator,
    ClassificationEvaluator,
    RegressionEvaluator,
)
from apps.bert.finetuning.features import Features
from apps.bert.finetuning.questions.evaluator import QuestionEvaluator
from apps.bert.finetuning.questions.features import question_features
from apps.bert.finetuning.questions.serving import QuestionServing
from apps.bert.finetuning.serving import ChoiceServing, FineTunedServing, TextServing
from apps.bert.finetuning.tagging.evaluator import TaggingEvaluator
from apps.bert.finetuning.tagging.features import tagging_features
from apps.bert.finetuning.tagging.serving import TaggingServing
from apps.bert.finetuning.texts.features import choice_features, text_features
from apps.bert.tasks.labels import class_names, tag_names
from shared.engine.app import Evaluator
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

# Raw texts that an export is verified with.
SHOWN = 3


class Kind(abc.ABC):
    """One kind of task.

    Args:
        config: of the run.
        labels: names of classes or tags; empty where there are none.
    """

    name: ClassVar[str]

    def __init__(self, config: FinetuneConfig, labels: Sequence[str]):
        self.config, self.labels = config, list(labels)

    @classmethod
    def labels_of(cls, examples: Sequence[Any]) -> list[str]:
        """The names of the classes or tags in the training data."""
        return []

    @staticmethod
    @abc.abstractmethod
    def texts(examples: Sequence[Any]) -> Iterable[str]:
        """All texts of examples, to learn word pieces from."""

    @abc.abstractmethod
    def features(self, examples: Sequence[Any], tokenizer: WordPieceTokenizer) -> Features:
        """Examples as numbers."""

    @property
    def num_outputs(self) -> int:
        return len(self.labels)

    @abc.abstractmethod
    def evaluator(self, examples: Sequence[Any], features: Features) -> Evaluator:
        """Metrics of these examples; `score` is the one that the best model has most of."""

    @abc.abstractmethod
    def serving(
        self, *args: Any, examples: Sequence[Any], metrics: Mapping[str, Any]
    ) -> FineTunedServing:
        """The signatures, see `FineTunedServing` for the arguments; `metrics` are the run's."""

    def _shown_texts(self, examples: Sequence[Any]) -> list[str]:
        return list(self.texts(examples[:SHOWN]))[:SHOWN]


class ClassificationKind(Kind):
    """Sentences or pairs with a class."""

    name = "classification"

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
        return TextServing(*args, self._shown_texts(examples), paired=paired, columns=columns)


class RegressionKind(ClassificationKind):
    """Sentences or pairs with a number."""

    name = "regression"
    num_outputs = 1

    @classmethod
    def labels_of(cls, examples):
        return []

    def evaluator(self, examples, features):
        return RegressionEvaluator(examples)


class ChoiceKind(Kind):
    """A context with several continuations."""

    name = "choice"
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
        return ChoiceServing(*args, self._shown_texts(examples))


class TaggingKind(Kind):
    """Words with tags."""

    name = "tagging"

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
        return TaggingServing(*args, self._shown_texts(examples))


class QuestionKind(Kind):
    """Questions whose answer is a span of a context."""

    name = "question-answering"
    num_outputs = 2

    @staticmethod
    def texts(examples):
        seen = None
        for example in examples:
            yield example.question
            # Many questions in a row share their context.
            if example.context is not seen:
                yield example.context
            seen = example.context

    def features(self, examples, tokenizer):
        options = self.config.task_data
        return question_features(examples, tokenizer, options.max_length, options.stride)

    def evaluator(self, examples, features):
        return QuestionEvaluator(examples, features, self.config.task_data.max_answer_length)

    def serving(self, *args, examples, metrics):
        options = self.config.task_data
        return QuestionServing(
            *args,
            [example.question for example in examples[:SHOWN]],
            contexts=[example.context for example in examples[:SHOWN]],
            stride=options.stride,
            max_answer_length=options.max_answer_length,
            null_threshold=metrics.get("null_threshold", float("inf")),
        )


KINDS: dict[str, type[Kind]] = {
    "classification": ClassificationKind,
    "pair": ClassificationKind,
    "regression": RegressionKind,
    "choice": ChoiceKind,
    "tagging": TaggingKind,
    "question-answering": QuestionKind,
}


def balanced_weights(numbers: np.ndarray, count: int) -> tuple[float, ...]:
    """Weights of classes by the inverse of their frequency, 1 on average.

    Args:
        numbers: int (N,). The class of each example.
        count: int. Classes; one without examples, which a teacher may know, has weight 1.
    """
    from sklearn.utils.class_weight import compute_class_weight

    weights, present = np.ones(count), np.unique(numbers)
    weights[present] = compute_class_weight("balanced", classes=present, y=numbers)
    return tuple(weights.tolist())
