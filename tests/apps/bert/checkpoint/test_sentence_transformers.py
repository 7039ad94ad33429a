"""Sentence vectors as sentence-transformers' files describe them."""

import json

import numpy as np
import pytest

from apps.bert.checkpoint.sentence_transformers import SentenceVectors, read_sentence_vectors
from apps.bert.embedding.predictor import EmbeddingPredictor
from apps.bert.pretraining.app import PretrainApp
from apps.bert.pretraining.imported import write_imported_run
from shared.common.errors import KerasuiteError
from shared.engine.run import load_best, open_run
from tests.apps.bert.checkpoint.random_checkpoints import bert_tensors, write_hugging_face

KIND = "sentence_transformers.models"


def write_modules(folder, *kinds, **modes):
    modules = [
        {"idx": n, "name": str(n), "path": "" if kind == "Transformer" else f"{n}_{kind}",
         "type": f"{KIND}.{kind}"}
        for n, kind in enumerate(("Transformer", *kinds))
    ]  # fmt: skip
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    pooling = {"word_embedding_dimension": 32, **{f"pooling_mode_{m}": v for m, v in modes.items()}}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return folder


def test_what_a_folder_says(tmp_path, capsys):
    assert read_sentence_vectors(tmp_path) is None
    write_modules(tmp_path, "Pooling", cls_token=True, mean_tokens=False)
    assert read_sentence_vectors(tmp_path) == SentenceVectors("cls")
    write_modules(tmp_path, "Pooling", "Normalize", cls_token=False, mean_tokens=True)
    assert read_sentence_vectors(tmp_path) == SentenceVectors("mean", True)
    assert not capsys.readouterr().err
    write_modules(tmp_path, "Pooling", "Dense", max_tokens=True, mean_tokens=True)
    assert read_sentence_vectors(tmp_path) == SentenceVectors("mean")
    err = " ".join(capsys.readouterr().err.split())
    assert "pooling_mode_max_tokens and pooling_mode_mean_tokens) is not supported" in err
    assert "the module Dense is not supported" in err


@pytest.mark.parametrize("modules", [3, {}, [3], [{"type": 1}], [{"type": "a.Pooling", "path": 3}],
                                     [{"type": "a.Pooling", "path": "../x"}]])  # fmt: skip
def test_damaged_modules(tmp_path, modules):
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    if modules == {}:
        assert read_sentence_vectors(tmp_path) == SentenceVectors()
        return
    with pytest.raises(KerasuiteError, match="modules.json: "):
        read_sentence_vectors(tmp_path)


def test_an_imported_model_embeds_so(tmp_path):
    from apps.bert.checkpoint.hugging_face import read_hugging_face

    folder = write_hugging_face(tmp_path / "hf", bert_tensors())
    write_modules(folder, "Pooling", "Normalize", cls_token=True)
    app = PretrainApp()
    write_imported_run(app, read_hugging_face(folder), tmp_path / "run", {})
    run = open_run(app, tmp_path / "run")
    serving = app.serving(run, load_best(app, run))[""]
    extra = tmp_path / "saved" / "assets.extra"
    extra.mkdir(parents=True)
    for name, text in serving.extra_assets().items():
        (extra / name).write_text(text)
    predictor = app.predictor(tmp_path / "saved")
    assert isinstance(predictor, EmbeddingPredictor) and predictor.pooling == "cls"
    assert app.predictor(tmp_path / "saved", pooling="mean").pooling == "mean"
    vectors = serving.vectors(np.array(["w1 w2", "w3"], object))
    serving.sentence_vectors = SentenceVectors()
    plain = serving.vectors(np.array(["w1 w2", "w3"], object))["cls"].numpy()
    lengths = np.linalg.norm(plain, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors["cls"], plain / lengths, rtol=1e-5)
