"""Phrases against gensim's own model."""

import pytest
from gensim.models.phrases import ENGLISH_CONNECTOR_WORDS, Phrases
from gensim.test.utils import datapath

from apps.embeddings.corpus.corpus import Corpus
from apps.embeddings.corpus.phrases import PhraseModel
from shared.common.errors import KerasuiteError


@pytest.fixture(scope="module")
def documents():
    return list(Corpus([datapath("lee_background.cor")]))


def test_equals_gensim_also_after_loading(documents, tmp_path):
    truth = Phrases(documents, min_count=3, threshold=8, connector_words=ENGLISH_CONNECTOR_WORDS)
    model = PhraseModel.train(iter(documents), min_count=3, threshold=8)
    assert model.phrases == truth.export_phrases()
    model.save(tmp_path / "phrases.json")
    loaded = PhraseModel.load(tmp_path / "phrases.json")
    expected = [truth[words] for words in documents]
    assert list(model.apply(documents)) == list(loaded.apply(documents)) == expected
    assert any("_" in word for words in expected for word in words)


def test_other_languages_have_no_connector_words(documents):
    assert not PhraseModel.train(documents, language="de").connector_words


@pytest.mark.parametrize("text", ["", "[]", '{"phrases": 1}', '{"phrases": {"a_b": "x"}}'])
def test_bad_file(tmp_path, text):
    path = tmp_path / "phrases.json"
    path.write_text(text)
    with pytest.raises(KerasuiteError, match="is no phrase model"):
        PhraseModel.load(path)
