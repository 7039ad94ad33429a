"""int8 weights: each column of a matrix has a scale of its own, and is turned back when it is used.

Activations stay float32, so that nothing but the rounding of weights changes what comes out
([Jacob et al., 2018](https://arxiv.org/abs/1712.05877) quantise both).
"""

import keras
from keras.quantizers import Int8QuantizationConfig


def quantise_weights(model: keras.Model) -> int:
    """Turns the dense layers and embeddings of a model's encoder to int8, in place.

    Returns:
        How many layers these are.
    """
    layers = [layer for layer in _all_layers(model.encoder) if _can_be_quantised(layer)]
    for layer in layers:
        config = Int8QuantizationConfig(activation_quantizer=None)
        layer.quantize("int8", config=config)
    return len(layers)


def _can_be_quantised(layer: keras.layers.Layer) -> bool:
    return type(layer) in (keras.layers.Dense, keras.layers.Embedding)


def _all_layers(layer: keras.layers.Layer):
    return layer._flatten_layers()
