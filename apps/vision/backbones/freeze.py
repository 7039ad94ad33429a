"""Freezing of the feature extractor, so that the new layers learn first."""

import keras


def set_backbone_trainable(model: keras.Model, trainable: bool) -> None:
    """Freezes or unfreezes everything but the head.

    Args:
        model: keras.Model. Its `backbone_layers` name the layers of its feature extractor.
        trainable: bool. A frozen layer also keeps its batch-normalisation statistics.
    """
    for name in model.backbone_layers:
        model.get_layer(name).trainable = trainable
