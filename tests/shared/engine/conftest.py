"""Fixtures of the tests of batch inference."""

import predict_helpers as helpers
import predict_support as support
import pytest

from shared.engine import predict as predict_module
from shared.engine.loaded_model import LoadedModel


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
