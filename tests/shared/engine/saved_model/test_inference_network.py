"""The network of an export: constants or variables, and no normalisation left."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from shared.engine.saved_model import inference_network
from shared.engine.saved_model.inference_network import InferenceNetwork
from shared.engine.saved_model.inspect import describe
from shared.layers import ConvNormActivation
from tests.shared.engine.saved_model.folding import with_random_statistics

SPEC = tf.TensorSpec((None, None, None, 3), tf.float32)


def network():
    images = keras.Input((None, None, 3))
    x = ConvNormActivation(4)(images)
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(5, 3)(x))
    return with_random_statistics(keras.Model(images, {"features": x, "mean": keras.ops.mean(x)}))


def saved(model, folder):
    """A SavedModel with two signatures of a network, and what its graph holds."""
    call = InferenceNetwork(model, SPEC)
    functions = {
        name: tf.function(call, input_signature=[SPEC]).get_concrete_function()
        for name in ("serving_default", "again")
    }
    holder = tf.Module()
    holder.used = [variable for each in functions.values() for variable in each.variables]
    tf.saved_model.save(holder, str(folder), signatures=functions)
    proto = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return [n for f in proto.meta_graphs[0].graph_def.library.function for n in f.node_def]


# Convolutions 3 x 3 x 3 x 4 + 4 and 3 x 3 x 4 x 5 + 5.
PARAMETERS = 112 + 185


@pytest.mark.parametrize("limit", [2**20, 0])
def test_it_answers_as_the_model_from_constants_and_from_variables(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(inference_network, "CONSTANT_BYTES", limit)
    model = network()
    nodes = saved(model, tmp_path / "1")
    assert not [node.name for node in nodes if "batchnorm" in node.name]
    assert ("ReadVariableOp" in {node.op for node in nodes}) == (limit == 0)
    # Once in the file, however many signatures there are.
    assert describe(tmp_path / "1")["parameters"] == PARAMETERS
    images = np.random.default_rng(0).uniform(0, 255, (2, 9, 8, 3)).astype("float32")
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    outputs = loaded.signatures["serving_default"](images=tf.constant(images))
    expected = model(images, training=False)
    np.testing.assert_allclose(outputs["features"], expected["features"], rtol=1e-5, atol=1e-3)
