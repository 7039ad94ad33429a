"""Google's checkpoints: written under the original names, read, compared with plain numpy."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from apps.bert.checkpoint.google import read_google
from apps.bert.checkpoint.weights import load_encoder, load_pretraining_heads
from shared.common.errors import KerasuiteError
from tests.apps.bert.checkpoint.encoders import assert_hidden_states, encoder_of, heads_of
from tests.apps.bert.checkpoint.numpy_bert import NumpyBert
from tests.apps.bert.checkpoint.random_checkpoints import (
    BERT_CONFIG,
    HEADS,
    LAYERS,
    VOCABULARY,
    bert_tensors,
    random_batch,
)

# The names in google-research/bert's modeling.py and run_pretraining.py, in the order of
# transformers' names in `bert_tensors`; {} is a layer's number.
OUTSIDE = [
    "bert/embeddings/word_embeddings",
    "bert/embeddings/position_embeddings",
    "bert/embeddings/token_type_embeddings",
    "bert/embeddings/LayerNorm/gamma",
    "bert/embeddings/LayerNorm/beta",
]
LAYER = [
    "attention/self/query/kernel",
    "attention/self/query/bias",
    "attention/self/key/kernel",
    "attention/self/key/bias",
    "attention/self/value/kernel",
    "attention/self/value/bias",
    "attention/output/dense/kernel",
    "attention/output/dense/bias",
    "attention/output/LayerNorm/gamma",
    "attention/output/LayerNorm/beta",
    "intermediate/dense/kernel",
    "intermediate/dense/bias",
    "output/dense/kernel",
    "output/dense/bias",
    "output/LayerNorm/gamma",
    "output/LayerNorm/beta",
]
BEHIND = [
    "bert/pooler/dense/kernel",
    "bert/pooler/dense/bias",
    "cls/predictions/transform/dense/kernel",
    "cls/predictions/transform/dense/bias",
    "cls/predictions/transform/LayerNorm/gamma",
    "cls/predictions/transform/LayerNorm/beta",
    "cls/predictions/output_bias",
    "cls/seq_relationship/output_weights",
    "cls/seq_relationship/output_bias",
]
CONFIG = {
    name: value
    for name, value in BERT_CONFIG.items()
    if name not in ("model_type", "architectures", "layer_norm_eps", "position_embedding_type")
}


def google_tensors(tensors):
    """The tensors of `bert_tensors` as TensorFlow keeps them: kernels are (in, out)."""
    layers = [f"bert/encoder/layer_{n}/{name}" for n in range(LAYERS) for name in LAYER]
    names = OUTSIDE + layers + BEHIND
    arrays = dict(zip(names, tensors.values(), strict=True))
    return {name: a.T if name.endswith("/kernel") else a for name, a in arrays.items()}


def save(prefix, tensors):
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(array) for array in tensors.values()],
    )


def write_google(folder, tensors=None, name="bert_model.ckpt"):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = google_tensors(bert_tensors()) if tensors is None else tensors
    optimizer = {
        "global_step": np.int64(1000),
        "bert/pooler/dense/kernel/adam_m": np.zeros((32, 32), np.float32),
    }
    save(folder / name, tensors | optimizer)
    (folder / "bert_config.json").write_text(json.dumps(CONFIG))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in VOCABULARY))
    return folder


def test_numbers(tmp_path):
    checkpoint = read_google(write_google(tmp_path / "uncased_L-3_H-32_A-4"))
    assert checkpoint.config.epsilon == 1e-12
    encoder, heads = encoder_of(checkpoint), heads_of(checkpoint)
    assert load_encoder(checkpoint, encoder) == []
    assert load_pretraining_heads(checkpoint, heads) == []
    truth = NumpyBert(bert_tensors(), LAYERS, HEADS, prefix="bert.")
    batch = random_batch()
    outputs = encoder(batch, output_hidden_states=True, output_attentions="scores")
    hidden = assert_hidden_states(outputs, truth, batch)[-1].astype(np.float32)
    np.testing.assert_allclose(outputs["pooled"], truth.pooled(hidden), atol=1e-4)
    words = truth["bert.embeddings.word_embeddings.weight"]
    logits = np.asarray(heads.norm(heads.transform(hidden))) @ words.T + np.asarray(heads.bias)
    np.testing.assert_allclose(logits, truth.masked_lm(hidden), atol=1e-4)
    expected = truth.dense("cls.seq_relationship", hidden[:, 0])
    np.testing.assert_allclose(heads.next_sentence(hidden[:, 0]), expected, atol=1e-4)


def test_only_the_models_own_variables(tmp_path):
    checkpoint = read_google(write_google(tmp_path))
    expected = {name.removeprefix("bert.") for name in bert_tensors()}
    assert set(checkpoint.tensors) == expected


@pytest.mark.parametrize(
    ("name", "lowercase"),
    [
        ("uncased_L-12_H-768_A-12", True),
        ("cased_L-12_H-768_A-12", False),
        ("multi_cased_L-12_H-768_A-12", False),
        ("multilingual_L-12_H-768_A-12", True),
        ("chinese_L-12_H-768_A-12", True),
        ("wwm_cased_L-24_H-1024_A-16", False),
        ("bert", True),
    ],
)
def test_case_is_in_the_name(tmp_path, name, lowercase):
    assert read_google(write_google(tmp_path / name)).settings.lowercase is lowercase


def test_other_checkpoint_names(tmp_path):
    folder = write_google(tmp_path, name="model.ckpt-1000")
    assert len(read_google(folder).tensors) > 0
    for file in list(folder.glob("model.ckpt-1000.*")):
        shutil.copy(file, folder / file.name.replace("1000", "2000"))
    with pytest.raises(KerasuiteError, match="several checkpoints"):
        read_google(folder)


def test_bad_folders(tmp_path):
    folder = write_google(tmp_path)
    data = folder / "bert_model.ckpt.data-00000-of-00001"
    checkpoint = read_google(folder)
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(KerasuiteError, match=r"bert_model.ckpt: cannot be read"):
        load_encoder(read_google(folder), encoder_of(checkpoint))
    data.unlink()
    with pytest.raises(KerasuiteError, match=r"bert_model.ckpt: cannot be read"):
        load_encoder(read_google(folder), encoder_of(checkpoint))
    (folder / "bert_model.ckpt.index").write_bytes(b"no index")
    with pytest.raises(KerasuiteError, match=r"bert_model.ckpt: cannot be read"):
        read_google(folder)
    (folder / "bert_model.ckpt.index").unlink()
    with pytest.raises(KerasuiteError, match=r"has no bert_model.ckpt.index"):
        read_google(folder)
    (folder / "bert_config.json").unlink()
    with pytest.raises(KerasuiteError, match=r"has no bert_config.json"):
        read_google(folder)


def test_missing_variable_is_named(tmp_path):
    tensors = google_tensors(bert_tensors())
    del tensors["bert/encoder/layer_1/output/dense/kernel"]
    checkpoint = read_google(write_google(tmp_path, tensors))
    with pytest.raises(KerasuiteError, match="'encoder.layer.1.output.dense.weight' is missing"):
        load_encoder(checkpoint, encoder_of(checkpoint))


def test_a_checkpoint_of_something_else(tmp_path):
    folder = write_google(tmp_path, {"model/kernel": np.zeros((2, 2), np.float32)})
    with pytest.raises(KerasuiteError, match="has no bert/embeddings/word_embeddings"):
        read_google(folder)
