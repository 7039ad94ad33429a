"""Imports from every source: what is found, printed and written."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from apps.bert.checkpoint.hugging_face import read_hugging_face
from apps.bert.checkpoint.resolve import resolve_checkpoint
from apps.bert.checkpoint.tokenizer_files import load_tokenizer
from apps.bert.checkpoint.tools import export_hugging_face, import_checkpoint
from apps.bert.checkpoint.weights import load_encoder
from apps.bert.encoder import BertEncoder
from apps.bert.pretraining.app import PretrainApp
from apps.bert.start import encoder_shape
from shared.common.errors import KerasuiteError
from shared.engine.run import load_best, open_run
from tests.apps.bert.checkpoint.random_checkpoints import (
    DISTILBERT_CONFIG,
    VOCABULARY,
    WIDTH,
    bert_tensors,
    distilbert_tensors,
    write_hugging_face,
)
from tests.apps.bert.checkpoint.test_google import write_google

# === Places ===


def test_both_kinds_of_folder(tmp_path):
    hugging_face = write_hugging_face(tmp_path / "hf", bert_tensors())
    google = write_google(tmp_path / "cased_google")
    assert resolve_checkpoint(str(hugging_face)).settings.lowercase
    assert not resolve_checkpoint(str(google)).settings.lowercase
    assert resolve_checkpoint(str(google), lowercase=True).settings.lowercase


def test_a_folder_with_both_is_read_as_far_as_it_can_be(tmp_path):
    folder = write_google(write_hugging_face(tmp_path, bert_tensors()))
    assert resolve_checkpoint(str(folder)).tensors["cls.predictions.bias"].shape == (60,)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").touch()
    assert len(resolve_checkpoint(str(folder)).tensors) == len(bert_tensors())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "none: no such folder; give minilm, hf:ORG/NAME or a checkpoint's folder"),
        ("empty", r"is no checkpoint: it has neither config.json and model.safetensors"),
        ("empty/notes.txt", "notes.txt: is a file; give its folder"),
        ("empty/pytorch_model.bin", "pytorch_model.bin: is a pickle"),
        ("half", r"half: has no bert_model.ckpt.index"),
    ],
)
def test_bad_sources(tmp_path, name, message):
    for folder, file in (
        ("empty", "notes.txt"), ("empty", "pytorch_model.bin"), ("half", "bert_config.json"),
    ):  # fmt: skip
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / file).touch()
    write_hugging_face(tmp_path / "hf", bert_tensors())
    for file in ("vocab.txt", "config.json"):
        (tmp_path / "half" / file.replace("config", "bert_config")).write_bytes(
            (tmp_path / "hf" / file).read_bytes()
        )
    with pytest.raises(KerasuiteError, match=message):
        resolve_checkpoint(str(tmp_path / name))


# === Import and export ===


def test_import_keeps_every_bit(tmp_path, capsys):
    tensors = bert_tensors()
    folder = write_hugging_face(tmp_path / "in", tensors)
    import_checkpoint(str(folder), tmp_path / "run")
    out = capsys.readouterr().out
    export_hugging_face(tmp_path / "run", tmp_path / "out")
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert set(written) == set(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(written[name], tensor)
    count = sum(tensor.size for tensor in tensors.values())
    assert f"3 layers, 32 wide, 4 heads, 20 positions, {count:,} parameters" in out
    assert "60 word pieces, lower-cased" in out
    assert "It has no" not in out and "Left out" not in out
    assert f"kerasuite bert finetune DATA --init {tmp_path / 'run'}" in out


def test_import_of_google(tmp_path):
    import_checkpoint(str(write_google(tmp_path / "cased")), tmp_path / "run")
    export_hugging_face(tmp_path / "run", tmp_path / "out")
    import_checkpoint(str(tmp_path / "cased"), tmp_path / "lower", lowercase=True)
    for name, tensor in load_file(tmp_path / "out" / "model.safetensors").items():
        np.testing.assert_array_equal(tensor, bert_tensors()[name])
    assert not read_hugging_face(tmp_path / "out").settings.lowercase
    assert load_tokenizer(tmp_path / "lower").lowercase


def test_import_of_distilbert(tmp_path, capsys):
    tensors = distilbert_tensors() | {"classifier.weight": np.zeros((2, WIDTH), np.float32)}
    folder = write_hugging_face(tmp_path / "in", tensors, DISTILBERT_CONFIG)
    import_checkpoint(str(folder), tmp_path / "run")
    out = capsys.readouterr().out
    export_hugging_face(tmp_path / "run", tmp_path / "out")
    assert "It has no pooler and no next-sentence head" in out
    assert "Left out: classifier.weight" in out
    assert "sinusoidal" not in out
    checkpoint = read_hugging_face(tmp_path / "out")
    assert not np.any(checkpoint.tensors["embeddings.token_type_embeddings.weight"])
    np.testing.assert_array_equal(
        checkpoint.tensors["encoder.layer.2.attention.self.value.weight"],
        tensors["distilbert.transformer.layer.2.attention.v_lin.weight"],
    )
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["model_type"] == "bert" and config["architectures"] == ["BertForMaskedLM"]


def test_import_names_what_is_wrong_and_writes_nothing(tmp_path):
    tensors = bert_tensors()
    del tensors["bert.encoder.layer.0.output.dense.weight"]
    folder = write_hugging_face(tmp_path / "in", tensors)
    with pytest.raises(KerasuiteError, match="'encoder.layer.0.output.dense.weight' is missing"):
        import_checkpoint(str(folder), tmp_path / "out")
    tensors["bert.encoder.layer.0.output.dense.weight"] = np.zeros((WIDTH, 1), np.float32)
    write_hugging_face(folder, tensors)
    with pytest.raises(KerasuiteError, match=r"'encoder.layer.0.output.dense.weight' has the sha"):
        import_checkpoint(str(folder), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_heads_that_were_never_trained_are_not_exported(tmp_path, capsys):
    folder = write_hugging_face(tmp_path / "in", bert_tensors(heads=False, prefix=""))
    import_checkpoint(str(folder), tmp_path / "run")
    export_hugging_face(tmp_path / "run", tmp_path / "out")
    assert "from_pretrained" in capsys.readouterr().out
    again = read_hugging_face(tmp_path / "out")
    assert again.vocabulary == VOCABULARY
    assert set(again.tensors) == set(read_hugging_face(folder).tensors)


def test_an_imported_run_gives_vectors_and_starts_others(tmp_path):
    """The vectors are those of the checkpoint, whose hidden states are tested elsewhere."""
    folder = write_hugging_face(tmp_path / "in", bert_tensors())
    import_checkpoint(str(folder), tmp_path / "run")
    app = PretrainApp()
    run = open_run(app, tmp_path / "run")
    model = load_best(app, run)
    encoder = BertEncoder(encoder_shape(run), 60)
    encoder.build()
    load_encoder(resolve_checkpoint(str(folder)), encoder)
    x = {"token_ids": np.array([[2, 7, 8, 3]]), "segment_ids": np.zeros((1, 4), int)}
    np.testing.assert_array_equal(model.encode(x)["pooled"], encoder(x)["pooled"])
    with pytest.raises(KerasuiteError, match="was imported and has no text of its own"):
        app.dataset(run, "validation")
