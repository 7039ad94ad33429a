"""Each check of `run_layer_test` must catch the fault that it is there for."""

import keras
import numpy as np
import pytest
from keras import ops

from shared.testing.layer_test import run_layer_test


def registered(layer_class):
    return keras.saving.register_keras_serializable(package="kerasuite_test")(layer_class)


@registered
class Scale(keras.layers.Layer):
    """A correct layer; the faulty ones below differ from it in one point."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs):
        return inputs * self.kernel * self.factor

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@registered
class MaskedMean(keras.layers.Layer):
    """Mean over the real positions; takes several call inputs."""

    def __init__(self, honest=True, **kwargs):
        super().__init__(**kwargs)
        self.honest = honest
        self.supports_masking = True

    def call(self, values, padding_mask=None):
        if padding_mask is None or not self.honest:
            return ops.mean(values, axis=1)
        real = ops.cast(padding_mask, values.dtype)[..., None]
        return ops.sum(values * real, axis=1) / ops.sum(real, axis=1)

    def compute_output_shape(self, values_shape, padding_mask_shape=None):
        return (values_shape[0], values_shape[2])

    def get_config(self):
        return {**super().get_config(), "honest": self.honest}


@registered
class Lookup(keras.layers.Layer):
    """Integer inputs and a sublayer."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def build(self, input_shape):
        self.embedding = keras.layers.Embedding(self.size, 2, dtype=self.dtype_policy)
        self.embedding.build(input_shape)

    def call(self, tokens):
        return self.embedding(tokens)

    def compute_output_shape(self, input_shape):
        return (*input_shape, 2)

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@registered
class CrossAttention(keras.layers.Layer):
    """Two tensor inputs and a mask, one plain call argument, two outputs."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, query_shape, value_shape, padding_mask_shape=None):
        self.attention = keras.layers.MultiHeadAttention(2, 3, dtype=self.dtype_policy)
        self.attention.build(query_shape, value_shape)

    def call(self, query, value, padding_mask=None, causal=False):
        return self.attention(
            query,
            value,
            key_mask=padding_mask,
            use_causal_mask=causal,
            return_attention_scores=True,
        )

    def compute_output_shape(self, query_shape, value_shape, padding_mask_shape=None):
        batch, queries, _ = query_shape
        return query_shape, (batch, 2, queries, value_shape[1])


@registered
class NoArgumentInConfig(Scale):
    def get_config(self):
        return keras.layers.Layer.get_config(self)


@registered
class ConfigForgetsValue(Scale):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(2.0, **kwargs)


@registered
class NoAttribute(Scale):
    def __init__(self, factor=2.0, **kwargs):
        keras.layers.Layer.__init__(self, **kwargs)
        self._factor = factor

    def get_config(self):
        return {**keras.layers.Layer.get_config(self), "factor": self._factor}


@registered
class WeightsInConstructor(Scale):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(factor, **kwargs)
        self.kernel = self.add_weight(shape=(3,), initializer="ones")

    def build(self, input_shape):
        pass


@registered
class WrongShape(Scale):
    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)


@registered
class FixedBatch(Scale):
    def compute_output_shape(self, input_shape):
        return (input_shape[0] or 7, *input_shape[1:])


@registered
class NoShape(keras.layers.Layer):
    def call(self, inputs):
        return inputs


@registered
class LosesWeight(Scale):
    def load_own_variables(self, store):
        pass


@registered
class RandomAtInference(Scale):
    def call(self, inputs):
        return super().call(inputs) + keras.random.normal(ops.shape(inputs))


@registered
class NoGradient(Scale):
    def call(self, inputs):
        return inputs * ops.stop_gradient(self.kernel)


@registered
class UnusedWeight(Scale):
    def build(self, input_shape):
        super().build(input_shape)
        self.forgotten = self.add_weight(shape=(1,), name="forgotten")


@registered
class NotFinite(Scale):
    def call(self, inputs):
        return ops.sqrt(ops.relu(inputs * (self.kernel - 1)))


@registered
class AlwaysFloat32(Scale):
    def call(self, inputs):
        return ops.cast(super().call(inputs), "float32")


@registered
class HalfWeights(Scale):
    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1],), initializer="ones", dtype=self.compute_dtype
        )


@registered
class InaccurateInHalf(Scale):
    def call(self, inputs):
        return super().call(inputs + 1000.0) - 1000.0 * self.kernel * self.factor


@registered
class Unmaskable(Scale):
    pass


def test_correct_layers_pass():
    run_layer_test(Scale, {"factor": 3.0}, (4, 3), (4, 3))
    run_layer_test(keras.layers.Add, {}, [(2, 3), (2, 3)], (2, 3))
    run_layer_test(Lookup, {"size": 5}, np.ones((2, 3), int), (2, 3, 2))


def test_several_call_inputs_and_several_outputs_pass():
    mask = np.array([[True] * 4 + [False], [True] * 2 + [False] * 3])
    inputs = {"query": (2, 3, 4), "value": (2, 5, 4), "padding_mask": mask}
    shapes = [(2, 3, 4), (2, 2, 3, 5)]
    run_layer_test(CrossAttention, {}, inputs, shapes, supports_padding_mask=True)
    # The keys' bias cancels in the softmax, so only the gradient's existence can be asked for.
    run_layer_test(CrossAttention, {}, inputs, shapes, call_kwargs={"causal": True})


@pytest.mark.parametrize(
    "faulty, message",
    [
        (NoArgumentInConfig, "lacks the argument 'factor'"),
        (ConfigForgetsValue, "wrong value for 'factor'"),
        (NoAttribute, "no attribute for its argument 'factor'"),
        (WeightsInConstructor, "in the constructor"),
        (WrongShape, "is not the eager shape"),
        (FixedBatch, "unknown batch size"),
        (LosesWeight, "outputs differ after reload"),
        (RandomAtInference, "inference is not deterministic"),
        (NoGradient, "changes no weight|No gradients|Gradients do not exist"),
        (UnusedWeight, "Gradients do not exist"),
        (NotFinite, "not finite after a training step"),
        (AlwaysFloat32, "not bfloat16"),
        (HalfWeights, "bfloat16 under mixed_bfloat16"),
        (InaccurateInHalf, "under mixed_bfloat16 are off by"),
    ],
)
def test_faults_are_caught(faulty, message):
    with pytest.raises((AssertionError, ValueError), match=message):
        run_layer_test(faulty, {"factor": 3.0}, (4, 3))


def test_missing_shape_inference_is_caught():
    with pytest.raises(AssertionError, match="no compute_output_shape"):
        run_layer_test(NoShape, {}, (2, 3))


def test_unregistered_layer_is_caught():
    class Unregistered(Scale):
        pass

    with pytest.raises(TypeError, match="Unregistered"):
        run_layer_test(Unregistered, {}, (2, 3))


def test_wrong_expected_shape_is_caught():
    with pytest.raises(AssertionError, match="expected"):
        run_layer_test(Scale, {}, (4, 3), (4, 4))


def test_padding_is_checked():
    mask = np.array([[True, True, False], [True, False, False]])
    values = {"values": (2, 3, 4), "padding_mask": mask}
    run_layer_test(MaskedMean, {}, values, (2, 4), supports_padding_mask=True)
    run_layer_test(MaskedMean, {}, (2, 3, 4), supports_padding_mask=True)
    with pytest.raises(AssertionError, match="padded positions change the output"):
        run_layer_test(MaskedMean, {"honest": False}, values, supports_padding_mask=True)
    with pytest.raises(AssertionError, match="hides nothing"):
        everything = {**values, "padding_mask": np.ones((2, 3), bool)}
        run_layer_test(MaskedMean, {}, everything, supports_padding_mask=True)
    with pytest.raises(AssertionError, match="supports_masking"):
        run_layer_test(Unmaskable, {}, (2, 3), supports_padding_mask=True)
