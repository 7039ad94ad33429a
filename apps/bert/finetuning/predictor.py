"""Batch inference of a fine-tuned model: the predictor of each kind.

A file's ending says how it is read; what a model cannot read is refused as a whole, in one line.
Only a tagger looks into files: a .txt or .tsv that looks like CoNLL columns is read as such (see
`looks_like_conll`), any other .txt as lines of text.
"""

import json
from collections.abc import Callable
from pathlib import Path

from apps.bert.finetuning.questions.predictor import QuestionPredictor
from apps.bert.finetuning.serving import TASK
from apps.bert.finetuning.tagging.predictor import TaggingPredictor
from apps.bert.finetuning.texts.predictor import (
    ChoicePredictor,
    FineTunedPredictor,
    TextPredictor,
)
from shared.engine.saved_model.saved_models import EXTRA


def predictor_for(saved_model: Path) -> FineTunedPredictor:
    """The predictor of an exported model."""
    task = json.loads((Path(saved_model) / EXTRA / TASK).read_text(encoding="utf-8"))
    kinds: dict[str, Callable[[dict], FineTunedPredictor]] = {
        "classification": TextPredictor,
        "pair": TextPredictor,
        "regression": TextPredictor,
        "choice": ChoicePredictor,
        "tagging": TaggingPredictor,
        "question-answering": QuestionPredictor,
    }
    return kinds[task["kind"]](task)
