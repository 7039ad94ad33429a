"""Feature maps at several strides, as detectors need them, from any backbone."""

import math

import keras
from keras import tree

REFERENCE_SIZE = 256  # stands in for an unknown image size; only ratios matter
_PADDING_LAYERS = (keras.layers.ZeroPadding2D, keras.layers.Cropping2D)


def pyramid_layer_names(backbone: keras.Model) -> dict[int, str]:
    """The layer with the deepest features of each stride.

    A candidate is a layer through which the whole network passes: the end of a residual block
    or of an Inception module, not something within. Strides are rounded to powers of two,
    because networks without padding lose some pixels at the edges.

    Args:
        backbone: keras.Model. Functional, from images (B, H, W, 3) to features (B, h, w, C).

    Returns:
        dict from level to layer name; level L has the stride 2**L.
    """
    levels = _levels(backbone)
    waists = _waists(backbone)
    last = backbone.layers[-1].name
    names = {}
    for layer in backbone.layers:
        level = levels.get(layer.name)
        if level is None or level > levels[last] or isinstance(layer, _PADDING_LAYERS):
            continue
        if layer.name in waists or names.get(level) not in waists:
            names[level] = layer.name
    names[levels[last]] = last
    return names


def feature_pyramid(backbone: keras.Model, levels=(3, 4, 5)) -> keras.Model:
    """A model with the feature maps of several levels as outputs.

    Args:
        backbone: keras.Model, from `build_backbone`.
        levels: ints. Level L has the stride 2**L; 3, 4, 5 are strides 8, 16, 32.

    Returns:
        keras.Model: images -> list of feature maps (B, h, w, C) in the order of the levels. It
        shares all layers with the backbone.

    Raises:
        ValueError: if the backbone has no features of a level.
    """
    names = pyramid_layer_names(backbone)
    missing = [level for level in levels if level not in names]
    if missing:
        raise ValueError(f"{backbone.name} has the levels {sorted(names)}, but not {missing}")
    outputs = [backbone.get_layer(names[level]).output for level in levels]
    return keras.Model(backbone.input, outputs, name=f"{backbone.name}_pyramid")


def _levels(backbone):
    """Layer name -> level, for all layers with one feature map as output."""
    layers = [
        layer
        for layer in backbone.layers
        if isinstance(layer.output, keras.KerasTensor) and len(layer.output.shape) == 4
    ]
    shapes = [layer.output.shape for layer in layers]
    height = backbone.input.shape[1]
    if height is None:
        height = REFERENCE_SIZE
        every_output = keras.Model(backbone.input, [layer.output for layer in layers])
        shapes = every_output.compute_output_shape((None, height, height, 3))
    return {
        layer.name: round(math.log2(height / shape[1]))
        for layer, shape in zip(layers, shapes, strict=True)
    }


def _waists(backbone):
    """Names of the operations that no connection passes by.

    In topological order, these are the ones at which every earlier result has been used.
    """
    operations = backbone.operations
    position = {
        id(tensor): i
        for i, operation in enumerate(operations)
        for tensor in tree.flatten(operation.output)
    }
    last_use = list(range(len(operations)))
    for i, operation in enumerate(operations):
        for tensor in tree.flatten(operation.input):
            last_use[position[id(tensor)]] = i
    names = set()
    latest = 0
    for i, operation in enumerate(operations):
        if latest <= i:
            names.add(operation.name)
        latest = max(latest, last_use[i])
    return names
