"""Configuration of image classification."""

from typing import Any, ClassVar, Literal

from apps.vision.backbone_names import refuse_unknown_backbone
from shared.common.config import RunConfig, config_class, group, option
from shared.text.tables.label_sets import MULTILABEL


@config_class
class DataConfig:
    """Selection, splitting and caching of the images."""

    kind: Literal["auto", "single", "multilabel"] = option(
        "auto", "One class an image, or any number of labels; auto recognises it by the tables."
    )
    threshold_split: float = option(
        0.1, "Several labels: share of the training images that choose the thresholds.",
        used_with={"kind": ("auto", "multilabel")}, gt=0, le=0.5,
    )  # fmt: skip
    validation_split: float = option(
        0.1, "Fraction of each class held out (1/k); ignored if the data have val/.", gt=0, le=0.5
    )
    fold: int = option(
        0, "Which of the 1/validation-split parts is held out (cross-validation).", ge=0
    )
    max_pixels: int = option(
        100_000_000, "Skip images of more pixels, judged by their header.", ge=1
    )
    cache: Literal["auto", "memory", "off"] = option(
        "auto", "Keep decoded images in memory; auto does so below 1 GiB."
    )


@config_class
class ModelConfig:
    """The network."""

    backbone: str = option(
        "resnet18",
        "alexnet, vgg11 to vgg19, resnet18 to resnet152, vit_tiny16 to vit_large16, or keras:NAME.",
    )
    weights: str = option(
        "none", "imagenet, none, hf:timm/NAME, or a weights file for the backbone."
    )
    image_size: int = option(
        0, "Side of the square input in pixels; 0 takes the network's own.", ge=0
    )
    crop_ratio: float = option(
        0.875, "Fraction of the short side that evaluation crops from the centre.", gt=0, le=1
    )
    small_stem: bool = option(False, "ResNet stem without reduction, for 32 to 64 pixels.")
    width: int = option(
        0, "Channels of the first stage of ResNet and VGG; 0 takes the paper's.", ge=0
    )
    head: Literal["auto", "pool", "classic"] = option(
        "auto", "Global pooling, or the fully connected layers of AlexNet and VGG."
    )
    dropout: float = option(0.0, "Dropout before the last layer.", ge=0, lt=1)
    drop_path: float = option(0.0, "Stochastic depth of residual networks.", ge=0, lt=1)
    freeze_epochs: int = option(
        0, "Train only the head for this many epochs, then everything.", ge=0
    )
    flip_average: bool = option(
        False, "Average the scores of the image and its mirror image when predicting."
    )


@config_class
class LossConfig:
    """Loss and regularisation."""

    label_smoothing: float = option(0.0, "Fraction of the target spread evenly.", ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = option(
        "none",
        "Weight of each class in the loss; balanced is the inverse of its frequency. Of several "
        "labels the images with a label then weigh as much as those without.",
    )
    l1: float = option(0.0, "L1 penalty on kernels.", ge=0)
    l2: float = option(0.0, "L2 penalty on kernels.", ge=0)


@config_class
class AugmentConfig:
    """Random augmentation of the training images, a pure function of (seed, global step)."""

    crop: Literal["resized", "padded", "none"] = option(
        "resized", "Random area and aspect ratio, or shift by padding (small images)."
    )
    crop_area: float = option(
        0.25, "Smallest fraction of the area of a resized crop.",
        used_with={"crop": "resized"}, gt=0, le=1,
    )  # fmt: skip
    padding: int = option(
        4, "Pixels of padding of a padded crop.", used_with={"crop": "padded"}, ge=0
    )
    horizontal_flip: bool = option(True, "Mirror half of the images.")
    rotation: float = option(0.0, "Largest rotation in degrees.", ge=0, le=180)
    brightness: float = option(0.0, "Largest relative change of brightness.", ge=0, le=1)
    contrast: float = option(0.0, "Largest relative change of contrast.", ge=0, le=1)
    saturation: float = option(0.0, "Largest relative change of saturation.", ge=0, le=1)
    hue: float = option(0.0, "Largest shift of hue, as a fraction of the circle.", ge=0, le=0.5)
    rand_augment: int = option(0, "Number of RandAugment operations.", ge=0)
    rand_magnitude: float = option(
        9.0, "Magnitude of RandAugment.", used_with={"rand_augment": bool}, ge=0, le=30
    )
    erase: float = option(0.0, "Probability of erasing a random rectangle.", ge=0, le=1)
    mixup: float = option(0.0, "MixUp alpha; 0 is off.", ge=0)
    cutmix: float = option(0.0, "CutMix alpha; 0 is off.", ge=0)


@config_class
class ClassifyConfig(RunConfig):
    """Configuration of one training of an image classifier."""

    task: ClassVar[str] = "classify"
    metrics: ClassVar[dict[str, str]] = {"loss": "min"} | dict.fromkeys(
        (
            "accuracy", "top5", "precision", "recall", "f1",
            "mean_average_precision", "f1_macro", "f1_micro", "exact_match",
        ),
        "max",
    )  # fmt: skip

    data_options: DataConfig = group(DataConfig)
    model: ModelConfig = group(ModelConfig)
    loss: LossConfig = group(LossConfig)
    augment: AugmentConfig = group(AugmentConfig)

    @property
    def is_multilabel(self) -> bool:
        """Whether an image has any number of labels; known once the data have been read."""
        return self.data_options.kind == MULTILABEL

    def refuse_mistakes(self) -> None:
        super().refuse_mistakes()
        refuse_unknown_backbone(self.model.backbone)

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Small enough for tests: a second or two an epoch on the digits.
        "test": {
            "epochs": 2,
            "batch_size": 8,
            "deterministic": True,
            "model": {
                "backbone": "resnet18",
                "width": 16,
                "small_stem": True,
                "image_size": 16,
                "crop_ratio": 1.0,
            },
            "augment": {"crop": "padded", "padding": 2},
        },
        # Pictures of 8 to 24 pixels, as `kerasuite samples digits` makes them.
        # kerasuite classify train digits --preset tiny
        "tiny": {
            "epochs": 12,
            "batch_size": 64,
            "learning_rate": 2e-3,
            "optimization": {"weight_decay": 0.01, "ema": 0.99},
            "model": {
                "backbone": "resnet18",
                "width": 16,
                "small_stem": True,
                "image_size": 16,
                "crop_ratio": 1.0,
            },
            "augment": {"crop": "padded", "padding": 2, "horizontal_flip": False},
        },
        # Ten thousand pictures of 32 pixels from scratch on two CPU cores.
        # kerasuite classify train cifar10 --preset cifar
        "cifar": {
            "epochs": 30,
            "batch_size": 128,
            "learning_rate": 0.1,
            "optimization": {
                "optimizer": "sgd",
                "weight_decay": 5e-3,
                "warmup": 0.1,
                "ema": 0.998,
            },
            "loss": {"label_smoothing": 0.1},
            "model": {
                "backbone": "vgg13_bn",
                "width": 32,
                "head": "pool",
                "image_size": 32,
                "crop_ratio": 1.0,
                "flip_average": True,
            },
            "augment": {"crop": "padded", "erase": 0.5},
        },
        # A few hundred pictures from scratch: much augmentation, a small network, and classes that
        # weigh the same, as their shares elsewhere are not known.
        # cat_noncat, five folds, two seeds, the last epoch, mean of both classes' recalls: .883;
        # without RandAugment .860, without equal weights as well .829.
        # kerasuite classify train cats --preset few
        "few": {
            "epochs": 60,
            "batch_size": 32,
            "learning_rate": 2e-3,
            "optimization": {"weight_decay": 0.05, "ema": 0.98, "warmup": 0.1},
            "loss": {"label_smoothing": 0.1, "class_weights": "balanced"},
            "model": {
                "backbone": "resnet18",
                "width": 32,
                "image_size": 64,
                "crop_ratio": 1.0,
                "dropout": 0.2,
                "flip_average": True,
            },
            "augment": {
                "crop": "resized",
                "crop_area": 0.4,
                "rotation": 10.0,
                "brightness": 0.3,
                "contrast": 0.3,
                "saturation": 0.3,
                "rand_augment": 1,
                "cutmix": 0.5,
                "mixup": 0.2,
            },
        },
    }
