"""Configuration of super-resolution."""

from typing import Any, ClassVar, Literal

from shared.common.config import OptimizationConfig, RunConfig, config_class, group, option

# Conditions of options, see `shared.common.option_use`.
SRRESNET = {"generator": "srresnet"}
ADVERSARIAL = {"stage": "adversarial"}
FEATURES = ADVERSARIAL | {"content_features": lambda features: features != "pixel"}


@config_class
class DataConfig:
    """Selection, cropping and caching of the images."""

    validation: str = option(
        "", "Folder of images to validate on; by default every tenth image is held out."
    )
    crop_size: int = option(96, "Side of the high-resolution training crops in pixels.", ge=8)
    crops_per_image: int = option(
        0, "Crops of each image in an epoch; 0: in proportion to its pixels.", ge=0
    )
    flips: bool = option(True, "Mirror half of the crops.")
    rotations: bool = option(True, "Rotate crops by random multiples of 90 degrees.")
    max_pixels: int = option(
        100_000_000, "Skip images of more pixels; their header is enough to tell.", ge=1
    )
    cache: Literal["auto", "memory", "off"] = option(
        "auto", "Keep decoded images in memory; auto does so below 1 GiB."
    )


@config_class
class ModelConfig:
    """The generator, and the discriminator of the second stage."""

    scale: int = option(4, "Factor of enlargement: 2, 3 or 4.", ge=2, le=4)
    generator: Literal["srresnet", "espcn"] = option("srresnet", "Architecture of the generator.")
    blocks: int = option(16, "Residual blocks of srresnet.", used_with=SRRESNET, ge=1)
    width: int = option(64, "Channels of srresnet and of espcn's first layer.", ge=12)
    batch_norm: bool = option(
        True, "Batch normalisation in the residual blocks, as in the paper.", used_with=SRRESNET
    )
    upsampling: Literal["steps", "direct"] = option(
        "steps",
        "Of srresnet: doubling by doubling, or at once in the last layer.",
        used_with=SRRESNET,
    )
    residual: Literal["none", "bicubic"] = option(
        "none", "bicubic: the network's output is added to the bicubic enlargement."
    )
    discriminator_width: int = option(
        64, "Channels of the discriminator's first layer; its last has eight times as many.",
        used_with=ADVERSARIAL, ge=12,
    )  # fmt: skip
    discriminator_dense: int = option(
        1024, "Units of the discriminator's dense layer.", used_with=ADVERSARIAL, ge=1
    )


@config_class
class LossConfig:
    """Losses of the two stages, of images in -1..1."""

    pixel_loss: Literal["l1", "l2"] = option("l2", "Absolute or squared error.")
    content_features: str = option(
        "imagenet",
        "Features of the content loss: imagenet (VGG-19 of keras.applications), pixel, or the "
        ".keras file or run folder of a classifier of this suite.",
        used_with=ADVERSARIAL,
    )
    content_layer: str = option(
        "", "Name of the feature layer; by default the last convolution.", used_with=FEATURES
    )
    content_activation: Literal["before", "after"] = option(
        "after", "Compare features before or after the layer's activation.", used_with=FEATURES
    )
    content_weight: float = option(1.0, "Weight of the content loss.", used_with=ADVERSARIAL, ge=0)
    pixel_weight: float = option(
        0.0, "Weight of the pixel loss in the adversarial stage.", used_with=ADVERSARIAL, ge=0
    )
    adversarial_weight: float = option(
        1e-3, "Weight of the adversarial loss.", used_with=ADVERSARIAL, ge=0
    )
    relativistic: bool = option(
        False, "Relativistic adversarial loss (Jolicoeur-Martineau, 2018).", used_with=ADVERSARIAL
    )


# Eight blocks without normalisation that add to the bicubic enlargement: it needs far fewer steps
# than the paper's network and a quarter of its time.
LITE_MODEL = {
    "blocks": 8,
    "width": 48,
    "batch_norm": False,
    "upsampling": "direct",
    "residual": "bicubic",
}


@config_class
class SrganConfig(RunConfig):
    """Configuration of the training of a super-resolution network."""

    task: ClassVar[str] = "srgan"
    metrics: ClassVar[dict[str, str]] = {"psnr": "max", "ssim": "max", "psnr_rgb": "max"}

    batch_size: int = option(16, "Global batch size, over all devices.", ge=1)
    learning_rate: float = option(1e-4, "Peak learning rate, of both networks.", gt=0)
    stage: Literal["pixel", "adversarial"] = option(
        "pixel", "pixel: best PSNR. adversarial: sharper; start it with --init RUN."
    )
    data_options: DataConfig = group(DataConfig)
    model: ModelConfig = group(ModelConfig)
    loss: LossConfig = group(LossConfig)
    # As in the paper: Adam at a constant rate.
    optimization: OptimizationConfig = group(
        lambda: OptimizationConfig(optimizer="adam", schedule="constant", warmup=0.0)
    )

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Both networks, tiny, in a few seconds.
        "test": {
            "stage": "adversarial",
            "epochs": 2,
            "batch_size": 8,
            "deterministic": True,
            "data_options": {"crop_size": 24},
            "model": {
                "scale": 2,
                "blocks": 1,
                "width": 16,
                "discriminator_width": 12,
                "discriminator_dense": 16,
            },
            # So small that plain gradient descent, which tests compare devices with, is stable.
            "loss": {"content_features": "pixel", "content_weight": 0.02},
        },
        # A minute or two: `kerasuite samples photos` enlarged twice.
        # kerasuite srgan train photos/train --validation photos/validation --preset tiny
        "tiny": {
            "epochs": 8,
            "learning_rate": 2e-3,
            "data_options": {"crop_size": 64},
            "model": LITE_MODEL | {"scale": 2, "blocks": 2, "width": 24},
            "loss": {"pixel_loss": "l1"},
            "optimization": {"schedule": "cosine", "warmup": 0.05, "ema": 0.99},
        },
        # kerasuite srgan train PHOTOS --preset lite
        "lite": {
            "epochs": 100,
            "learning_rate": 1e-3,
            "model": LITE_MODEL,
            "loss": {"pixel_loss": "l1"},
            "optimization": {"schedule": "cosine", "warmup": 0.01, "ema": 0.999},
        },
        "srresnet": {"epochs": 100},
        "espcn": {
            "epochs": 100,
            "learning_rate": 1e-3,
            "model": {"generator": "espcn"},
            "optimization": {"schedule": "cosine", "warmup": 0.01},
        },
        # kerasuite srgan train PHOTOS --preset srgan --init runs/srgan/srresnet
        "srgan": {"stage": "adversarial", "epochs": 100},
        # kerasuite srgan train PHOTOS --preset lite-gan --init runs/srgan/lite
        "lite-gan": {
            "stage": "adversarial",
            "epochs": 30,
            "model": LITE_MODEL | {"discriminator_width": 32, "discriminator_dense": 256},
            "loss": {"content_features": "pixel"},
            "optimization": {"ema": 0.999},
        },
    }
