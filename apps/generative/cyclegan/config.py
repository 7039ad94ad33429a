"""Configuration of CycleGAN."""

from typing import Any, ClassVar, Literal

from shared.common.config import OptimizationConfig, RunConfig, config_class, group, option


@config_class
class DataConfig:
    """Selection, cropping and caching of the images."""

    image_size: int = option(
        256, "Side in pixels of the squares that are trained on.", ge=32, multiple_of=4
    )
    load_size: int = option(
        0, "Side that images are resized to before the crop; 0: 286/256 of the image size.",
        used_with={"resize": ("squash", "cover")}, ge=0,
    )  # fmt: skip
    resize: Literal["squash", "cover", "none"] = option(
        "squash", "Squash to a square as in the paper, cover it in proportion, or do not resize."
    )
    flip: bool = option(True, "Mirror half of the training images.")
    validation_split: float = option(
        0.1, "Fraction of each domain held out, unless the data have testA and testB.", gt=0, le=0.5
    )
    max_pixels: int = option(
        100_000_000, "Skip images of more pixels; their header is enough to tell.", ge=1
    )
    cache: Literal["auto", "memory", "off"] = option(
        "auto", "Keep resized images in memory; auto does so below 1 GiB."
    )


@config_class
class ModelConfig:
    """The two generators and the two discriminators."""

    blocks: int = option(9, "Residual blocks of a generator: 9 from 256 pixels on, else 6.", ge=1)
    width: int = option(
        64, "Channels of a generator's first layer; its blocks have four times as many.", ge=12
    )
    upsampling: Literal["transposed", "resize"] = option(
        "transposed", "Transposed convolutions, or resize before a convolution: no checkerboards."
    )
    residual: bool = option(
        False, "Generators add to their input: details are kept, fewer steps are needed."
    )
    discriminator_width: int = option(
        64, "Channels of a discriminator's first layer; its last has eight times as many.", ge=12
    )


@config_class
class LossConfig:
    """The objective."""

    adversarial: Literal["least-squares", "non-saturating", "wasserstein"] = option(
        "least-squares", "Adversarial loss; wasserstein is with gradient penalty."
    )
    gradient_penalty: float = option(
        10.0, "Weight of wasserstein's gradient penalty.",
        used_with={"adversarial": "wasserstein"}, ge=0,
    )  # fmt: skip
    cycle: float = option(10.0, "Weight of the cycle losses.", ge=0)
    identity: float = option(
        0.5, "Weight of the identity losses, relative to that of the cycle losses.",
        used_with={"cycle": bool}, ge=0,
    )  # fmt: skip
    sides: Literal["both", "a2b"] = option(
        "both", "Directions that are trained; with a2b, B to A serves the cycle loss only."
    )
    pool_size: int = option(
        50, "Earlier fakes kept for the discriminators; 0 shows them new ones only.", ge=0
    )


@config_class
class EvaluationConfig:
    """Measures of translated images."""

    classifier_steps: int = option(
        400, "Training steps of the classifier that judges translations; 0 disables it.",
        ge=0,
    )  # fmt: skip
    features: str = option(
        "none",
        "Network for FID and KID: keras:InceptionV3, another of keras.applications, or none.",
    )
    feature_weights: str = option(
        "imagenet",
        "imagenet, or a weights file for that network.",
        used_with={"features": lambda features: features != "none"},
    )


@config_class
class CycleGANConfig(RunConfig):
    """Configuration of a CycleGAN training; the defaults are the paper's."""

    task: ClassVar[str] = "cyclegan"
    # The last model is kept, unless a metric is to choose.
    used_with: ClassVar[dict[str, Any]] = {"optimization.patience": {"metric": bool}}
    metrics: ClassVar[dict[str, str]] = {"cycle_l1": "min", "identity_l1": "min"}

    epochs: int = option(200, "Passes over the larger domain.", ge=1)
    batch_size: int = option(1, "Global batch size, over all devices.", ge=1)
    learning_rate: float = option(2e-4, "Learning rate; falls to 0 in the second half.", gt=0)
    data_options: DataConfig = group(DataConfig)
    model: ModelConfig = group(ModelConfig)
    loss: LossConfig = group(LossConfig)
    evaluation: EvaluationConfig = group(EvaluationConfig)
    optimization: OptimizationConfig = group(
        lambda: OptimizationConfig(optimizer="adam", beta_1=0.5, schedule="late_linear", warmup=0.0)
    )

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # A few steps in seconds that use every part, for tests.
        "test": {
            "epochs": 2,
            "batch_size": 4,
            "deterministic": True,
            "data_options": {"image_size": 32},
            "model": {"blocks": 2, "width": 12, "discriminator_width": 12},
            "loss": {"pool_size": 6},
            "evaluation": {"classifier_steps": 10},
        },
        # A style of colours alone, in minutes: see `kerasuite samples domains`.
        # kerasuite cyclegan train domains --preset tiny
        "tiny": {
            "epochs": 30,
            "batch_size": 4,
            "learning_rate": 1e-3,
            "data_options": {"image_size": 48},
            "model": {
                "blocks": 3,
                "width": 16,
                "upsampling": "resize",
                "discriminator_width": 16,
            },
            "optimization": {"ema": 0.98},
        },
        # Pictures of 64 pixels: an hour on a CPU core for 300 of each domain.
        # kerasuite cyclegan train monet2photo --preset small
        "small": {
            "epochs": 32,
            "batch_size": 4,
            "learning_rate": 4e-4,
            "data_options": {"image_size": 64},
            "model": {
                "blocks": 6,
                "width": 32,
                "upsampling": "resize",
                "residual": True,
                "discriminator_width": 32,
            },
            # A generator that begins as the identity needs less to hold it there.
            "loss": {"cycle": 5.0, "identity": 0.1},
            "optimization": {"ema": 0.995},
        },
        # The paper's, for a GPU.
        # kerasuite cyclegan train horse2zebra --preset paper
        "paper": {},
    }
