"""How a model is opened for prediction, by what it is."""

from functools import partial
from pathlib import Path

from shared.engine.app import App
from shared.engine.prediction.predict import Loader
from shared.engine.saved_model.loaded_model import LoadedModel
from shared.engine.saved_model.saved_models import is_network_file


def loader(app: App, path: Path) -> Loader:
    """The function of a path and a signature that loads the export at `path`.

    Args:
        app: the application.
        path: a SavedModel, or the network file of another format.
    """
    if not is_network_file(path):
        return LoadedModel
    from shared.engine.network_export.network_model import NetworkModel

    return partial(NetworkModel, app)
