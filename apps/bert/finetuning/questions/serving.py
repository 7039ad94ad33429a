"""The SavedModel of question answering: question and context in, answer and offsets out."""

import numpy as np
import tensorflow as tf

from apps.bert.finetuning.questions.spans import best_spans, make_windows, span_offsets
from apps.bert.finetuning.serving import FineTunedServing
from shared.engine.saved_model.empty_batches import with_empty_batches
from shared.text.text_between import text_between


class QuestionServing(FineTunedServing):
    """Answers that are spans of a context of any length.

    Signatures:
        serving_default: `question` and `context` string [N] to `answer` string [N], `start` and
            `end` int32 [N] and `score` f32 [N], the sum of both logits, and `null_score`, the score
            of no answer. `context[start:end]` is the answer; offsets count Unicode characters. The
            answer is "" where the context is empty, and where `null_score` is larger than `score`
            by more than the attribute `null_threshold`.

    Args: those of `FineTunedServing`, with questions as texts, and
        contexts: some contexts to verify the export with.
        stride: int. Word pieces that windows share.
        max_answer_length: int. Longest answer in word pieces.
        null_threshold: float. Infinite where all questions have answers.
    """

    def __init__(
        self,
        *args,
        contexts: list[str],
        stride: int,
        max_answer_length: int,
        null_threshold: float,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.contexts, self.stride = contexts, stride
        self.max_answer_length = max_answer_length
        self.null_threshold = tf.Variable(null_threshold, trainable=False, name="null_threshold")

    def answer(self, question, context) -> dict[str, tf.Tensor]:
        context_ids, starts, ends = self.tokenizer.tokenize_with_offsets(context)
        question_ids = self.tokenizer(question)
        windows = make_windows(
            self.tokenizer, question_ids, context_ids, self.max_length, self.stride
        )
        x = {"token_ids": windows.token_ids, "segment_ids": windows.segment_ids}
        logits = tf.cast(self.model(x, training=False), tf.float32)
        spans = best_spans(logits[..., 0], logits[..., 1], windows, self.max_answer_length)
        begin, end = span_offsets(spans, starts, ends)
        found = (spans.first_token >= 0) & (spans.null_score - spans.score <= self.null_threshold)
        begin, end = tf.where(found, begin, 0), tf.where(found, end, 0)
        return {
            "answer": text_between(context, begin, end),
            "start": begin,
            "end": end,
            # Contexts without a token have no span.
            "score": tf.where(spans.first_token >= 0, spans.score, spans.null_score),
            "null_score": spans.null_score,
        }

    def signatures(self):
        spec = {
            name: tf.TensorSpec([None], tf.string, name=name) for name in ("question", "context")
        }
        return with_empty_batches({"serving_default": (spec, self.answer)})

    def trackables(self):
        return [*super().trackables(), self.null_threshold]

    def attributes(self):
        return {"null_threshold": self.null_threshold}

    def examples(self):
        questions = np.array([*self.texts, "", "Who?"], dtype=object)
        contexts = np.array([*self.contexts, "中文 ☃ and more.", ""], dtype=object)
        return {"serving_default": {"question": questions, "context": contexts}}

    def usage(self):
        return (
            'A request is `{"inputs": {"question": ["Who lives in Paris?"], '
            '"context": ["Anna lives in Paris."]}}`; `context[start:end]` is the answer.'
        )
