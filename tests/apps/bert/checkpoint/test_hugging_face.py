"""Folders of Hugging Face: the numbers of BERT and DistilBERT, there and back, bad folders."""

import dataclasses
import json
import pickle
import shutil

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from apps.bert.checkpoint.checkpoint import TokenizerSettings
from apps.bert.checkpoint.hugging_face import read_hugging_face, save_hugging_face
from apps.bert.checkpoint.weights import load_encoder, load_pretraining_heads
from shared.common.errors import KerasuiteError
from tests.apps.bert.checkpoint.encoders import assert_hidden_states, encoder_of, heads_of
from tests.apps.bert.checkpoint.numpy_bert import DISTILBERT, NumpyBert
from tests.apps.bert.checkpoint.random_checkpoints import (
    BERT_CONFIG,
    DISTILBERT_CONFIG,
    HEADS,
    LAYERS,
    VOCABULARY,
    WIDTH,
    WORDS,
    bert_tensors,
    distilbert_tensors,
    random_batch,
    write_hugging_face,
)

OLD_NAMES = {"norm": ("gamma", "beta")}


def all_outputs(encoder, batch):
    return encoder(batch, output_hidden_states=True, output_attentions="scores")


# === Numbers ===


@pytest.mark.parametrize("options", [{}, {"prefix": ""}, OLD_NAMES])
def test_bert(tmp_path, options):
    tensors = bert_tensors(**options)
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, tensors))
    encoder = encoder_of(checkpoint)
    assert load_encoder(checkpoint, encoder) == []
    batch = random_batch()
    outputs = all_outputs(encoder, batch)
    plain = bert_tensors(prefix=options.get("prefix", "bert."))
    truth = NumpyBert(plain, LAYERS, HEADS, prefix=options.get("prefix", "bert."))
    hidden = assert_hidden_states(outputs, truth, batch)
    np.testing.assert_allclose(outputs["pooled"], truth.pooled(hidden[-1]), atol=1e-4)


def test_distilbert(tmp_path):
    tensors = distilbert_tensors()
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, tensors, DISTILBERT_CONFIG))
    assert checkpoint.config.attention_dropout == 0.2
    encoder = encoder_of(checkpoint)
    assert load_encoder(checkpoint, encoder) == ["pooler"]
    batch = random_batch()
    truth = NumpyBert(tensors, LAYERS, HEADS, DISTILBERT, prefix="distilbert.")
    assert_hidden_states(all_outputs(encoder, batch), truth, batch)
    assert load_pretraining_heads(checkpoint, heads_of(checkpoint)) == ["next-sentence head"]


def test_pretraining_heads(tmp_path):
    tensors = bert_tensors()
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, tensors))
    heads = heads_of(checkpoint)
    assert load_pretraining_heads(checkpoint, heads) == []
    truth = NumpyBert(tensors, LAYERS, HEADS, prefix="bert.")
    hidden = np.random.default_rng(2).normal(size=(2, 5, WIDTH)).astype(np.float32)
    words = tensors["bert.embeddings.word_embeddings.weight"]
    logits = np.asarray(heads.norm(heads.transform(hidden))) @ words.T + np.asarray(heads.bias)
    np.testing.assert_allclose(logits, truth.masked_lm(hidden), atol=1e-4)
    pooled = hidden[:, 0]
    np.testing.assert_allclose(
        heads.next_sentence(pooled), truth.dense("cls.seq_relationship", pooled), atol=1e-5
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(ml_dtypes.bfloat16, 8e-3), (np.float16, 1e-3)])
def test_half_precision(tmp_path, dtype, tolerance):
    tensors = bert_tensors()
    halves = {name: tensor.astype(dtype) for name, tensor in tensors.items()}
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, halves))
    for name, tensor in tensors.items():
        read = checkpoint.tensors[name.removeprefix("bert.")]
        assert read.dtype == np.float32
        np.testing.assert_allclose(read, tensor, rtol=tolerance, atol=1e-6)


def test_shards(tmp_path):
    tensors = bert_tensors()
    whole = read_hugging_face(write_hugging_face(tmp_path / "whole", tensors))
    folder = write_hugging_face(tmp_path / "shards", tensors)
    (folder / "model.safetensors").unlink()
    weight_map = {
        name: f"model-{1 + index % 2:05}-of-00002.safetensors" for index, name in enumerate(tensors)
    }
    for file in set(weight_map.values()):
        shard = {name: tensors[name] for name in tensors if weight_map[name] == file}
        save_file(shard, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    shards = read_hugging_face(folder)
    assert set(shards.tensors) == set(whole.tensors)
    for name, tensor in whole.tensors.items():
        np.testing.assert_array_equal(shards.tensors[name], tensor)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(KerasuiteError, match="model-00002-of-00002.safetensors: is missing"):
        read_hugging_face(folder)
    index.write_text(json.dumps({"weight_map": {"a": "../whole/model.safetensors"}}))
    with pytest.raises(KerasuiteError, match="is missing, but model.safetensors.index.json"):
        read_hugging_face(folder)


# === There and back ===


@pytest.mark.parametrize("prefix", ["bert.", ""])
def test_there_and_back(tmp_path, prefix):
    with_heads = bool(prefix)
    tensors = bert_tensors(heads=with_heads, prefix=prefix)
    checkpoint = read_hugging_face(write_hugging_face(tmp_path / "in", tensors))
    encoder = encoder_of(checkpoint)
    load_encoder(checkpoint, encoder)
    heads = heads_of(checkpoint) if with_heads else None
    if with_heads:
        load_pretraining_heads(checkpoint, heads)
    save_hugging_face(tmp_path / "out", encoder, checkpoint.vocabulary, checkpoint.settings, heads)
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert set(written) == set(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(written[name], tensor, err_msg=name)
    again = read_hugging_face(tmp_path / "out")
    assert again.config == checkpoint.config
    assert again.vocabulary == checkpoint.vocabulary
    assert again.settings == checkpoint.settings
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["architectures"] == ["BertForPreTraining" if with_heads else "BertModel"]
    assert {name: config[name] for name in BERT_CONFIG if name != "architectures"} == {
        name: value for name, value in BERT_CONFIG.items() if name != "architectures"
    }


def test_pruned_and_factorised_encoders_are_written_whole(tmp_path):
    tensors = bert_tensors()
    checkpoint = read_hugging_face(write_hugging_face(tmp_path / "in", tensors))
    encoder = encoder_of(checkpoint, embedding_dim=8, heads_per_layer=(4, 1, 3))
    generator = np.random.default_rng(3)
    for weight in encoder.trainable_weights:
        weight.assign(generator.normal(size=weight.shape) * 0.2)
    save_hugging_face(tmp_path / "out", encoder, VOCABULARY, TokenizerSettings())
    whole = read_hugging_face(tmp_path / "out")
    revived = encoder_of(whole)
    assert load_encoder(whole, revived) == []
    batch = random_batch()
    ours, theirs = encoder(batch), revived(batch)
    for name in ("sequence", "pooled"):
        np.testing.assert_allclose(ours[name], theirs[name], atol=2e-5)


def test_a_shallower_encoder_gets_the_first_blocks(tmp_path):
    tensors = bert_tensors()
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, tensors))
    encoder = encoder_of(checkpoint, num_layers=2)
    load_encoder(checkpoint, encoder)
    batch = random_batch()
    truth = NumpyBert(tensors, 2, HEADS, prefix="bert.")
    assert_hidden_states(all_outputs(encoder, batch), truth, batch)


def test_pruned_heads_of_a_config(tmp_path):
    tensors = bert_tensors()
    for part in ("query", "key", "value"):
        for end in ("weight", "bias"):
            name = f"bert.encoder.layer.1.attention.self.{part}.{end}"
            tensors[name] = tensors[name][: WIDTH // 2].copy()
    name = "bert.encoder.layer.1.attention.output.dense.weight"
    tensors[name] = tensors[name][:, : WIDTH // 2].copy()
    config = BERT_CONFIG | {"pruned_heads": {"1": [2, 3]}}
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, tensors, config))
    assert checkpoint.config.heads_per_layer == (4, 2, 4)
    assert load_encoder(checkpoint, encoder_of(checkpoint)) == []


@pytest.mark.parametrize(
    ("theirs", "ours"), [("gelu_new", "gelu_tanh"), ("relu", "relu"), ("gelu", "gelu")]
)
def test_activations(tmp_path, theirs, ours):
    config = BERT_CONFIG | {"hidden_act": theirs}
    checkpoint = read_hugging_face(write_hugging_face(tmp_path / "in", bert_tensors(), config))
    assert checkpoint.config.activation == ours
    encoder = encoder_of(checkpoint)
    save_hugging_face(tmp_path / "out", encoder, VOCABULARY, checkpoint.settings)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["hidden_act"] == theirs


# === Bad folders ===


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "xlnet"}, "config.json: model_type 'xlnet' is not supported"),
        ({"position_embedding_type": "relative_key"}, 'position_embedding_type "relative_key"'),
        ({"is_decoder": True}, "is_decoder true is not supported"),
        ({"quantization_config": {"bits": 8}}, "quantization_config"),
        ({"hidden_act": "silu"}, 'hidden_act "silu" is not supported'),
        ({"num_attention_heads": 5}, "32 dimensions do not divide by 5 heads"),
        ({"num_hidden_layers": "many"}, "config.json: num_layers = 'many'"),
        ({"vocab_size": None}, "config.json: has no number 'vocab_size'"),
        ({"vocab_size": 59}, "vocab.txt: has 60 word pieces, the model only 59"),
        ({"pruned_heads": {"1": [0, 1, 2, 3]}}, "leaves a layer without heads"),
    ],
)
def test_refused_configurations(tmp_path, change, message):
    folder = write_hugging_face(tmp_path, bert_tensors(), BERT_CONFIG | change)
    with pytest.raises(KerasuiteError, match=message):
        read_hugging_face(folder)


def test_config_without_a_size(tmp_path):
    config = {name: value for name, value in BERT_CONFIG.items() if name != "hidden_size"}
    folder = write_hugging_face(tmp_path, bert_tensors(), config)
    with pytest.raises(KerasuiteError, match="config.json: has no 'hidden_size'"):
        read_hugging_face(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(KerasuiteError, match="config.json: is no JSON"):
        read_hugging_face(folder)


def test_missing_tensor_is_named(tmp_path):
    for name in ("embeddings.word_embeddings.weight", "encoder.layer.1.attention.self.key.bias",
                 "pooler.dense.bias"):  # fmt: skip
        tensors = bert_tensors()
        del tensors[f"bert.{name}"]
        checkpoint = read_hugging_face(write_hugging_face(tmp_path, tensors))
        with pytest.raises(KerasuiteError, match=f"the tensor '{name}' is missing"):
            load_encoder(checkpoint, encoder_of(checkpoint))


def test_missing_tensor_of_a_head_is_named(tmp_path):
    tensors = bert_tensors()
    del tensors["cls.predictions.transform.LayerNorm.bias"]
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, tensors))
    with pytest.raises(KerasuiteError, match="'cls.predictions.transform.LayerNorm.bias' is miss"):
        load_pretraining_heads(checkpoint, heads_of(checkpoint))


def test_wrong_shape_is_named(tmp_path):
    tensors = bert_tensors()
    name = "encoder.layer.2.output.dense.weight"
    tensors[f"bert.{name}"] = np.zeros((48, 32), np.float32)
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, tensors))
    with pytest.raises(KerasuiteError) as caught:
        load_encoder(checkpoint, encoder_of(checkpoint))
    assert f"'{name}' has the shape (48, 32) instead of (32, 48)" in str(caught.value)


def test_what_is_not_finite_is_named(tmp_path):
    tensors = bert_tensors()
    tensors["bert.encoder.layer.1.output.dense.bias"][3] = np.nan
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, tensors))
    with pytest.raises(KerasuiteError, match="'encoder.layer.1.output.dense.bias' has values that"):
        load_encoder(checkpoint, encoder_of(checkpoint))


def test_output_matrix_of_its_own_is_refused(tmp_path):
    tensors = bert_tensors()
    words = tensors["bert.embeddings.word_embeddings.weight"]
    tensors["cls.predictions.decoder.weight"] = words
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, tensors))
    assert load_pretraining_heads(checkpoint, heads_of(checkpoint)) == []
    tensors["cls.predictions.decoder.weight"] = words + 1
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, tensors))
    with pytest.raises(KerasuiteError, match="'cls.predictions.decoder.weight' is not equal"):
        load_pretraining_heads(checkpoint, heads_of(checkpoint))


def test_either_name_of_the_output_matrix(tmp_path):
    """Writers that keep one of several equal tensors do not all keep the same."""
    tensors = bert_tensors()
    expected = read_hugging_face(write_hugging_face(tmp_path / "one", tensors))
    other = dict(tensors)
    words = other.pop("bert.embeddings.word_embeddings.weight")
    bias = other.pop("cls.predictions.bias")
    other |= {"cls.predictions.decoder.weight": words, "cls.predictions.decoder.bias": bias}
    checkpoint = read_hugging_face(write_hugging_face(tmp_path / "two", other))
    for name, tensor in expected.tensors.items():
        np.testing.assert_array_equal(checkpoint.tensors[name], tensor)
    assert load_pretraining_heads(checkpoint, heads_of(checkpoint)) == []


def test_integers_are_refused(tmp_path):
    tensors = bert_tensors()
    name = "bert.encoder.layer.0.output.dense.weight"
    tensors[name] = tensors[name].astype(np.int8)
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, tensors))
    with pytest.raises(KerasuiteError, match=f"'{name}' is I8, not a floating-point number"):
        load_encoder(checkpoint, encoder_of(checkpoint))


def test_pickles_are_refused(tmp_path):
    folder = write_hugging_face(tmp_path, bert_tensors())
    (folder / "model.safetensors").unlink()
    with pytest.raises(KerasuiteError, match=r"has no weights; model.safetensors is needed"):
        read_hugging_face(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(KerasuiteError, match="pytorch_model.bin: is a pickle.*can run any code"):
        read_hugging_face(folder)
    # Under the right name it is a pickle all the same.
    for protocol in (2, 4):
        (folder / "model.safetensors").write_bytes(pickle.dumps({"a": 1}, protocol))
        with pytest.raises(KerasuiteError, match="model.safetensors: is a pickle"):
            read_hugging_face(folder)
    np.savez(folder / "zip", a=1)
    shutil.move(folder / "zip.npz", folder / "model.safetensors")
    with pytest.raises(KerasuiteError, match="model.safetensors: is a pickle"):
        read_hugging_face(folder)


@pytest.mark.parametrize("keep", [0, 5, 5_000])
def test_damaged_weights(tmp_path, keep):
    folder = write_hugging_face(tmp_path, bert_tensors())
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(KerasuiteError, match="model.safetensors: is damaged"):
        read_hugging_face(folder)


def test_an_existing_folder_is_not_written_over(tmp_path):
    folder = write_hugging_face(tmp_path / "in", bert_tensors())
    checkpoint = read_hugging_face(folder)
    encoder = encoder_of(checkpoint)
    with pytest.raises(KerasuiteError, match="exists already"):
        save_hugging_face(folder, encoder, VOCABULARY, checkpoint.settings)


def test_factorised_encoders_do_not_load(tmp_path):
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, bert_tensors()))
    with pytest.raises(KerasuiteError, match="not factorised ones"):
        load_encoder(checkpoint, encoder_of(checkpoint, embedding_dim=8))


def test_vocabulary_size_of_another_model(tmp_path):
    checkpoint = read_hugging_face(write_hugging_face(tmp_path, bert_tensors()))
    longer = dataclasses.replace(checkpoint, vocabulary=[*checkpoint.vocabulary, "more"])
    with pytest.raises(KerasuiteError, match="'embeddings.word_embeddings.weight' has the shape"):
        load_encoder(longer, encoder_of(longer))
    assert len(checkpoint.vocabulary) == WORDS


def test_the_index_says_which_file_holds_a_tensor(tmp_path):
    """A stale tensor of the same name in another file does not count."""
    tensors = bert_tensors()
    folder = write_hugging_face(tmp_path, tensors)
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[::2],
             "model-00002-of-00002.safetensors": names[1::2]}  # fmt: skip
    for file, inside in parts.items():
        stale = {name: np.zeros_like(tensors[name]) for name in names}
        save_file(stale | {name: tensors[name] for name in inside}, folder / file)
    index = {name: file for file, inside in parts.items() for name in inside}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    found = read_hugging_face(folder).tensors
    for name in names:
        np.testing.assert_array_equal(found[name.removeprefix("bert.")], tensors[name])
    save_file({names[0]: tensors[names[0]]}, folder / "model-00001-of-00002.safetensors")
    with pytest.raises(KerasuiteError, match="00001-of-00002.safetensors: has no tensor"):
        read_hugging_face(folder)
    for wrong in ({"a": 3}, ["a"], {"a": None}):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": wrong}))
        with pytest.raises(KerasuiteError, match="has no weight_map"):
            read_hugging_face(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [("vocab_size", 10**12), ("num_hidden_layers", 10**9), ("hidden_size", 10**15),
     ("vocab_size", True), ("max_position_embeddings", 1e300), ("num_hidden_layers", [2])],
)  # fmt: skip
def test_giant_numbers_are_refused(tmp_path, name, value):
    folder = write_hugging_face(tmp_path, {}, BERT_CONFIG | {name: value})
    with pytest.raises(KerasuiteError, match="config.json: "):
        read_hugging_face(folder)
