"""RoBERTa and ELECTRA against PyTorch and transformers (`pip install -e '.[oracle]'`)."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from apps.bert.checkpoint.hugging_face import read_hugging_face
from apps.bert.checkpoint.tokenizer_files import make_tokenizer
from apps.bert.checkpoint.weights import load_encoder, load_pretraining_heads
from tests.apps.bert.checkpoint.encoders import encoder_of, heads_of
from tests.apps.bert.checkpoint.random_checkpoints import random_batch, write_hugging_face
from tests.apps.bert.checkpoint.random_roberta import ELECTRA_CONFIG, ROBERTA_CONFIG, write_tokens
from tests.apps.bert.checkpoint.test_roberta import TEXTS

# PyTorch's compiler, which is not used here: its library ends a process that has TensorFlow's.
sys.modules.setdefault("triton", None)
torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra `oracle`)")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed (extra `oracle`)"
)


def settings_of(config):
    names = (name for name in config if name not in ("model_type", "architectures"))
    return {name: config[name] for name in names} | {"initializer_range": 0.2}


def assert_equal_states(ours, theirs, real):
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(our)[real], their.numpy()[real], atol=1e-4, rtol=0)


def test_roberta(tmp_path):
    torch.manual_seed(0)
    theirs = transformers.RobertaForMaskedLM(
        transformers.RobertaConfig(**settings_of(ROBERTA_CONFIG))
    ).eval()
    theirs.save_pretrained(write_tokens(tmp_path))
    checkpoint = read_hugging_face(tmp_path)
    encoder = encoder_of(checkpoint)
    assert load_encoder(checkpoint, encoder) == ["pooler"]
    tokenizer = make_tokenizer(checkpoint)
    tokens = tokenizer(tf.constant(TEXTS[:3])), tokenizer(tf.constant(TEXTS[1:4]))
    batch = tokenizer.pack(*tokens, 36)
    their_tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    encoded = their_tokenizer(
        TEXTS[:3], TEXTS[1:4], truncation=True, max_length=36, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        expected = theirs(**encoded, output_hidden_states=True)
    real = encoded["attention_mask"].numpy() > 0
    outputs = encoder(batch, output_hidden_states=True)
    assert_equal_states(outputs["hidden_states"], expected.hidden_states, real)


@pytest.mark.parametrize("width", [12, 32])
def test_electra(tmp_path, width):
    torch.manual_seed(0)
    config = ELECTRA_CONFIG | {"embedding_size": width}
    theirs = transformers.ElectraForPreTraining(
        transformers.ElectraConfig(**settings_of(config))
    ).eval()
    write_hugging_face(tmp_path, {"unused": np.zeros(1, np.float32)})
    (tmp_path / "model.safetensors").unlink()
    theirs.save_pretrained(tmp_path)
    checkpoint = read_hugging_face(tmp_path)
    encoder = encoder_of(checkpoint)
    assert load_encoder(checkpoint, encoder) == ["pooler"]
    assert load_pretraining_heads(checkpoint, heads_of(checkpoint)) == [
        "masked-LM head",
        "next-sentence head",
    ]
    batch = random_batch()
    ids = torch.tensor(batch["token_ids"], dtype=torch.long)
    segments = torch.tensor(batch["segment_ids"], dtype=torch.long)
    with torch.no_grad():
        expected = theirs(
            ids, attention_mask=ids != 0, token_type_ids=segments, output_hidden_states=True
        )
    outputs = encoder(batch, output_hidden_states=True)
    assert_equal_states(outputs["hidden_states"], expected.hidden_states, batch["token_ids"] != 0)
