"""Fixtures of the tests of batch inference."""

import pytest

from shared.engine.prediction import predict as predict_module
from shared.engine.saved_model.loaded_model import LoadedModel
from tests.shared.engine.prediction import predict_helpers as helpers
from tests.shared.engine.prediction import predict_support as support


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return helpers.make_model(tmp_path_factory.mktemp("models") / "1")


@pytest.fixture
def load_once(model, monkeypatch):
    """For tests that predict hundreds of times."""
    loaded = LoadedModel(model)
    monkeypatch.setattr(predict_module, "LoadedModel", lambda *arguments: loaded)


@pytest.fixture
def inputs(tmp_path):
    return support.make_inputs(tmp_path / "in")
