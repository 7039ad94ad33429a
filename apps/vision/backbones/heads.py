"""From a feature map to class logits."""

import keras

from shared.layers import Dropout

# Layers with weights, from the features to the logits, under the names of keras.applications.
HEAD_LAYERS = ("fc1", "fc2", "predictions")
KINDS = ("pool", "classic")


def classification_head(
    features,
    num_classes: int,
    kind: str = "pool",
    *,
    dropout: float = 0.0,
    hidden_dim: int = 4096,
    kernel_regularizer=None,
):
    """Adds a classifier to a backbone: `keras.Model(backbone.input, logits)`.

    Args:
        features: KerasTensor (B, h, w, C), the output of a backbone.
        num_classes: int.
        kind: str. `"pool"`: global average pooling, dropout, one dense layer (ResNet).
            `"classic"`: flatten, two hidden dense layers, each with dropout, one dense layer
            (AlexNet and VGG; paper: 4096 units, dropout 0.5); needs a fixed image size.
        dropout: float in [0, 1).
        hidden_dim: int. Units of the hidden layers of `"classic"`.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.

    Returns:
        KerasTensor (B, num_classes) of logits, float32 under every precision policy.

    Raises:
        ValueError: if the kind is unknown, or "classic" meets features of unknown size.
    """
    if kind == "pool":
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(features)
        x = _dropout(x, dropout, "head_dropout")
    elif kind == "classic":
        if None in features.shape[1:]:
            raise ValueError("the classic head needs a fixed image size")
        x = keras.layers.Flatten(name="flatten")(features)
        for name in HEAD_LAYERS[:-1]:
            x = keras.layers.Dense(
                hidden_dim,
                activation="relu",
                kernel_initializer="he_normal",
                kernel_regularizer=kernel_regularizer,
                name=name,
            )(x)
            x = _dropout(x, dropout, f"{name}_dropout")
    else:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    logits = keras.layers.Dense(
        num_classes, kernel_regularizer=kernel_regularizer, dtype="float32", name="predictions"
    )
    return logits(x)


def _dropout(x, rate, name):
    return Dropout(rate, name=name)(x) if rate else x
