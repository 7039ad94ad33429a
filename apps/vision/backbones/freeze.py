"""Freezing of the feature extractor: the new layers learn first, then everything."""

import keras


def set_backbone_trainable(model: keras.Model, trainable: bool) -> None:
    """Freezes or unfreezes everything but the head.

    Args:
        model: has `backbone_layers`, the names of the layers of its feature extractor.
        trainable: bool. A frozen layer also keeps its batch-normalisation statistics.
    """
    for name in model.backbone_layers:
        model.get_layer(name).trainable = trainable
