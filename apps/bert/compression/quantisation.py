"""int8 weights with a scale for each column of a matrix, dequantised when used.

Activations stay float32, so that only the rounding of the weights changes the outputs
([Jacob et al., 2018](https://arxiv.org/abs/1712.05877) quantise both).
"""

import keras
from keras.quantizers import Int8QuantizationConfig


def quantise_weights(model: keras.Model) -> int:
    """Quantises the dense layers and embeddings of a model's encoder to int8, in place.

    Returns:
        The number of these layers.
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
