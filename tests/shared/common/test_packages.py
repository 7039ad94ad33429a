"""Packages that may be missing: one line says which, who needs it and how to get it."""

import importlib
import sys

import pytest
import tensorflow as tf

from apps.embeddings.corpus.words import word_splitter
from shared.common.errors import KerasuiteError
from shared.common.packages import require_package
from shared.engine.saved_model.loaded_model import _load


def test_a_package_that_is_there():
    assert require_package("json.decoder", "a test", "no") is sys.modules["json.decoder"]


def test_a_missing_import_inside_of_a_package_is_no_missing_package(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import no_such_module")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        require_package("half_installed", "a test", "no")


def test_chinese_without_jieba(monkeypatch):
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(KerasuiteError, match="--language zh: needs .*jieba.*`pip install jieba`"):
        word_splitter("zh-CN")
    assert word_splitter("zh", "whitespace")("今天 天气") == ["今天", "天气"]
    assert word_splitter("de")("Guten Tag") == ["guten", "tag"]


def test_translate_and_bert_without_tensorflow_text(monkeypatch):
    import shared.text.tensorflow_text as module

    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    with pytest.raises(
        KerasuiteError, match="translate, bert and subwords in lm: needs .*there is none for Wind"
    ):
        importlib.reload(module)


def test_a_saved_model_with_a_tokenizer_without_tensorflow_text(tmp_path, monkeypatch):
    def load(path):
        raise tf.errors.NotFoundError(
            None, None, "Op type not registered 'SentencepieceOp' in binary"
        )

    monkeypatch.setattr(tf.saved_model, "load", load)
    with pytest.raises(KerasuiteError, match="cannot be loaded: .*Op type not registered"):
        _load(tmp_path)
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    with pytest.raises(KerasuiteError, match=f"{tmp_path}: needs .*tensorflow_text"):
        _load(tmp_path)
