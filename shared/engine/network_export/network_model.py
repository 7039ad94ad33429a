"""A network of another format than SavedModel, as batch inference needs it."""

from pathlib import Path
from types import SimpleNamespace

import tensorflow as tf

from shared.common import config as configs
from shared.common.files import read_json
from shared.engine.app import App
from shared.engine.network_export.formats import format_of
from shared.engine.saved_model.loaded_model import LoadedModel, WrongModelError
from shared.engine.saved_model.saved_models import SIDECAR


class NetworkModel(LoadedModel):
    """The signatures of a task's SavedModel, around a network that another runtime computes.

    Args:
        app: the application, which gives what belongs around the network.
        path: the file of the network.
        signature: str. The signature to call.

    Attributes: as those of `LoadedModel`.
    """

    def __init__(self, app: App, path: Path, signature: str = "serving_default"):
        self.path, self.signature = Path(path), signature
        folder = self.path.parent
        facts = read_json(folder / SIDECAR)
        network = format_of(self.path).load(self.path)

        def call(images: tf.Tensor, training: bool = False):
            return network({"image": images.numpy()})

        config = configs.load(app.config_class, folder / "config.yaml")
        serving = app.network_serving(config, facts, folder, call)
        for name in serving.graph_methods:
            method = tf.function(getattr(serving, name), autograph=False, reduce_retracing=True)
            setattr(serving, name, method)
        signatures = serving.signatures()
        self.inputs, self._function = signatures[signature]
        values = {name: tf.constant(value) for name, value in facts["values"].items()}
        calls = {name: function for name, (_, function) in signatures.items()}
        self.module = SimpleNamespace(signatures=calls, **values)

    def require(self, inputs, outputs) -> None:
        """Its signatures are this version's own: the outputs need no check."""
        if missing := set(inputs) - set(self.inputs):
            raise WrongModelError(f"{self.path}: {self.signature} has no input {min(missing)}")
