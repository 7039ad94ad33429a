"""Base class of the SavedModels of fine-tuned models: tokenizer, labels and assets."""

import json
from typing import Any

import numpy as np
import tensorflow as tf

from apps.bert.checkpoint.tokenizer_files import Tokenizer, tokenizer_assets
from apps.bert.finetuning.fine_tuner import FineTuner
from apps.bert.token_network import TokenNetwork
from shared.common.errors import KerasuiteError
from shared.engine.app import ServingModule
from shared.text.line_tables import line_by_number

LABELS, TASK = "labels.txt", "task.json"


class FineTunedServing(TokenNetwork, ServingModule):
    """Base class of the SavedModels of all task types.

    Args:
        model: the fine-tuned model.
        tokenizer: its tokenizer.
        labels: names of the classes or tags; empty where there are none.
        labels_file: path of a file with the same names, one a line.
        max_length: int. Longest sequence in word pieces; longer texts are cut.
        texts: some raw texts to verify the export with.

    Attributes:
        paired: bool. Whether the model reads pairs of texts.
    """

    paired = False

    def __init__(
        self,
        model: FineTuner,
        tokenizer: Tokenizer,
        labels: list[str],
        labels_file: str,
        max_length: int,
        texts: list[str],
    ):
        self.model, self.tokenizer, self.labels = model, tokenizer, labels
        self.max_length, self.texts = max_length, texts
        self.names = line_by_number(labels_file) if labels else None

    def trackables(self):
        return [self.model, self.tokenizer, *filter(None, [self.names])]

    def extra_assets(self):
        labels = {LABELS: "".join(f"{name}\n" for name in self.labels)} if self.labels else {}
        return labels | {TASK: json.dumps(self.task())} | tokenizer_assets(self.tokenizer)

    def task(self) -> dict[str, Any]:
        """Content of `task.json`, which batch inference reads."""
        return {"task_type": self.model.task_type, "labels": self.labels, "paired": self.paired}

    def network_of(self, model):
        return lambda x: {"logits": model(x, training=False)}

    def facts(self) -> dict[str, Any]:
        if self.model.task_type == "choice":
            raise KerasuiteError(
                "--format: choices have no fixed interface of token ids; export the run as a "
                "SavedModel, without --format"
            )
        return {"labels": self.labels, "task_type": self.model.task_type}

    def packed(
        self, text: tf.Tensor, pair: tf.Tensor | None = None
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Encoder inputs of texts (N,) or pairs, and which of them were cut, bool (N,)."""
        first, second = self.tokenizer(text), None
        lengths = 2 + first.row_lengths()  # with [CLS] and [SEP]
        if pair is not None:
            second = self.tokenizer(pair)
            lengths += self.tokenizer.between + second.row_lengths()
        return self.tokenizer.pack(first, second, self.max_length), lengths > self.max_length

    def _example_texts(self) -> np.ndarray:
        return np.array([*self.texts, "", " odd  \tspaces ☃ 中文"], dtype=object)
