"""Vision Transformer: an image as a sequence of patches."""

import keras

from shared.common.errors import KerasuiteError
from shared.layers import (
    ImageNormalization,
    LayerNormalization,
    PatchTokens,
    TransformerEncoderBlock,
)

# Blocks, width and attention heads: table 1 of the paper, and the tiny one of Touvron et al.,
# 2021. The feed-forward networks are four times as wide.
SIZES = {"tiny": (12, 192, 3), "base": (12, 768, 12), "large": (24, 1024, 16)}
# As in the published folders of Hugging Face.
EPSILON = 1e-12
PATCH = 16


def build_vit(
    input_shape,
    *,
    size: str,
    patch: int = PATCH,
    normalization: str = "tf",
    kernel_regularizer=None,
    synchronized_batch_norm: bool = False,
    name: str = "vit",
) -> keras.Model:
    """Vision Transformer up to its token for the whole image.

    Args:
        input_shape: (H, W, 3), fixed; of each side the pixels beyond the last whole patch are not
            read.
        size: str. A key of `SIZES`.
        patch: int. Side of a patch in pixels.
        normalization: str. Mode of `ImageNormalization`.
        kernel_regularizer: must be None.
        synchronized_batch_norm: without meaning, as it has no batch normalisation.
        name: str. Name of the model.

    Returns:
        keras.Model: RGB images (B, H, W, 3) in 0..255 -> features (B, 1, 1, D).

    Raises:
        KerasuiteError: if the image size is not fixed, or weights are to be penalised.

    Reference: [Dosovitskiy et al., 2021](https://arxiv.org/abs/2010.11929)
    """
    if kernel_regularizer is not None:
        raise KerasuiteError("--l1, --l2: are for convolutions; give --weight-decay for ViT")
    if None in input_shape[:2]:
        raise KerasuiteError(f"{name}: has positions of patches, and so one image size; give it")
    blocks, width, heads = SIZES[size]
    images = keras.Input(input_shape, name="image")
    x = ImageNormalization(normalization, dtype="float32", name="image_normalization")(images)
    x = keras.layers.Conv2D(width, patch, patch, name="patch_embedding")(x)
    x = PatchTokens(name="patch_tokens")(x)
    for index in range(blocks):
        x = TransformerEncoderBlock(
            heads, width, 4 * width, activation="gelu", epsilon=EPSILON, name=f"block_{index}"
        )(x)
    x = LayerNormalization(EPSILON, name="norm")(x)
    x = keras.layers.Reshape((1, 1, width), name="class_token")(x[:, :1])
    return keras.Model(images, x, name=name)
