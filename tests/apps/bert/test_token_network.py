"""BERT from token ids in other formats, in a process of its own as from the live model."""

import keras
import numpy as np
import pytest

from apps.bert.encoder_config import TEST_ENCODER, EncoderConfig
from apps.bert.finetuning.config import HeadConfig
from apps.bert.finetuning.fine_tuner import FineTuner
from apps.bert.finetuning.texts.serving import TextServing
from apps.bert.pretraining.pretrainer import Pretrainer
from apps.bert.pretraining.serving import EncoderServing
from shared.common.errors import KerasuiteError
from shared.engine.network_export.export_network import verify_network_file, write_network
from shared.engine.network_export.formats import FORMATS
from shared.text.wordpiece_tokenizer import SPECIAL_TOKENS, WordPieceTokenizer
from tests.shared.engine.network_export.records import require

WORDS = [*SPECIAL_TOKENS, "a", "b", "c"]


def serving(kind: str, tmp_path):
    keras.utils.set_random_seed(0)
    tokenizer = WordPieceTokenizer(WORDS, lowercase=True)
    config = EncoderConfig(**TEST_ENCODER)
    if kind == "encoder":
        model = Pretrainer(config, len(WORDS), paired=False)
    else:
        model = FineTuner(config, HeadConfig(), len(WORDS), kind, 2)
    model.build()
    for weight in model.trainable_weights:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape) * 0.3)
    if kind == "encoder":
        return EncoderServing(model, tokenizer, 12)
    (tmp_path / "labels.txt").write_text("no\nyes\n")
    labels = ["no", "yes"]
    return TextServing(
        model, tokenizer, labels, str(tmp_path / "labels.txt"), 12, ["a b"], paired=False
    )


def slow(*values: str):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("kind", "format"),
    [
        ("classification", "onnx"),
        slow("classification", "litert"),
        slow("classification", "keras"),
        slow("tagging", "onnx"),
        slow("question-answering", "litert"),
        slow("encoder", "onnx"),
        slow("encoder", "litert"),
        slow("encoder", "keras"),
    ],
)
def test_a_file_gives_the_outputs_of_the_model(kind, format, tmp_path):
    require(format)
    module, writer = serving(kind, tmp_path), FORMATS[format]
    file = tmp_path / writer.file_name
    write_network(writer, module, file)
    verify_network_file(writer, module, file, 1e-4)
    assert bool(writer.modules(file)) == (format == "keras")
    names = set(writer.outputs(file))
    assert names == ({"sequence", "pooled"} if kind == "encoder" else {"logits"})


def test_choices_have_no_network_alone(tmp_path):
    with pytest.raises(KerasuiteError, match="--format: choices have no fixed interface"):
        serving("choice", tmp_path).facts()
