"""Configuration of generative adversarial networks."""

from typing import Any, ClassVar, Literal

from shared.common.config import OptimizationConfig, RunConfig, config_class, group, option
from shared.common.errors import KerasuiteError

CONVOLUTIONAL = ("dcgan", "resnet")


@config_class
class DataConfig:
    """Selection, resizing and caching of the pictures."""

    image_size: int = option(
        64, "Side in pixels of the pictures that are made.", ge=8, multiple_of=4
    )
    resize: Literal["cover", "squash"] = option(
        "cover", "Cut other shapes to a square at their centre, or squash them."
    )
    channels: Literal["auto", "grey", "colour"] = option(
        "auto", "Grey or colour pictures; auto: grey where all are."
    )
    labels: bool = option(
        False, "Learn the classes too: the folder below DATA that a picture lies in."
    )
    flip: bool = option(False, "Mirror half of the training pictures.")
    max_pixels: int = option(
        100_000_000, "Skip images of more pixels; their header is enough to tell.", ge=1
    )
    cache: Literal["auto", "memory", "off"] = option(
        "auto", "Keep resized pictures in memory; auto does so below 1 GiB."
    )


@config_class
class ModelConfig:
    """The generator and the discriminator."""

    architecture: Literal["mlp", "dcgan", "resnet"] = option(
        "dcgan", "Dense layers, DCGAN's strided convolutions, or residual blocks."
    )
    latent_dim: int = option(100, "Random numbers that a picture is made of.", ge=1)
    noise: Literal["normal", "uniform"] = option(
        "normal", "Their distribution: normal, or uniform in -1..1."
    )
    width: int = option(
        64, "Channels at half of the image size; each further halving doubles them.",
        used_with={"architecture": CONVOLUTIONAL}, ge=4,
    )  # fmt: skip
    generator_normalization: Literal["batch", "none"] = option(
        "batch", "Normalisation of the generator's layers.",
        used_with={"architecture": CONVOLUTIONAL},
    )  # fmt: skip
    discriminator_normalization: Literal["batch", "layer", "none"] = option(
        "batch", "Normalisation of the discriminator's layers; a gradient penalty forbids batch.",
        used_with={"architecture": CONVOLUTIONAL},
    )  # fmt: skip
    hidden_dim: int = option(
        1200, "Units of a hidden layer of mlp's generator.",
        used_with={"architecture": "mlp"}, ge=1,
    )  # fmt: skip
    discriminator_dim: int = option(
        240, "Units of a hidden layer of mlp's discriminator.",
        used_with={"architecture": "mlp"}, ge=1,
    )  # fmt: skip
    hidden_layers: int = option(
        2, "Hidden layers of each of mlp's networks.", used_with={"architecture": "mlp"}, ge=1
    )
    maxout: int = option(
        5, "Linear pieces of a hidden unit of mlp's discriminator; 1: a leaky ReLU instead.",
        used_with={"architecture": "mlp"}, ge=1,
    )  # fmt: skip


@config_class
class ObjectiveConfig:
    """The game between both networks."""

    loss: Literal["vanilla", "non-saturating", "least-squares", "hinge", "wasserstein"] = option(
        "non-saturating", "Adversarial loss; vanilla is the minimax game, which saturates.",
        used_with={"remedy": ("none", "unrolled", "mr")},
    )  # fmt: skip
    constraint: Literal["none", "clip", "penalty"] = option(
        "none", "Bound of the discriminator's slope: clipped weights, or a gradient penalty.",
        used_with={"remedy": ("none", "unrolled", "mr")},
    )  # fmt: skip
    clip: float = option(
        0.01, "Largest absolute weight of the discriminator.",
        used_with={"constraint": "clip"}, gt=0,
    )  # fmt: skip
    penalty: float = option(
        10.0, "Weight of the gradient penalty.", used_with={"constraint": "penalty"}, gt=0
    )
    critic_steps: int = option(
        1, "Steps of the discriminator, on a batch each, for each of the generator.", ge=1
    )
    discriminator_rate: float = option(
        1.0, "Learning rate of the discriminator, as a multiple of the generator's.", gt=0
    )
    remedy: Literal["none", "unrolled", "mad", "mr"] = option(
        "none",
        "Against mode collapse: unrolled steps of the discriminator, several generators (mad), or "
        "an encoder (mr).",
    )
    unrolled_steps: int = option(
        5, "Steps of the discriminator that the generator looks ahead.",
        used_with={"remedy": "unrolled"}, ge=1,
    )  # fmt: skip
    unrolled_rate: float = option(
        0.1, "Learning rate of these steps, which are plain gradient descent.",
        used_with={"remedy": "unrolled"}, gt=0,
    )  # fmt: skip
    generators: int = option(4, "Number of generators.", used_with={"remedy": "mad"}, ge=2)
    similarity: float = option(
        0.1, "Weight of the cosine between what the generators make of the same noise.",
        used_with={"remedy": "mad"}, ge=0,
    )  # fmt: skip
    reconstruction: float = option(
        0.2, "Weight of the squared error of real pictures that are drawn again.",
        used_with={"remedy": "mr"}, ge=0,
    )  # fmt: skip
    missed_modes: float = option(
        0.2, "Weight of the discriminator's opinion of them.", used_with={"remedy": "mr"}, ge=0
    )


@config_class
class EvaluationConfig:
    """Measures of generated pictures."""

    samples: int = option(2000, "Pictures that are made and judged.", ge=8)
    classifier_steps: int = option(
        1000, "Training steps of the classifier that judges where there are classes; 0: none.", ge=0
    )
    features: str = option(
        "none",
        "Network for FID and KID: keras:InceptionV3, another of keras.applications, or none.",
    )
    feature_weights: str = option(
        "imagenet",
        "imagenet, or a weights file for that network.",
        used_with={"features": lambda features: features != "none"},
    )


ADAM = {"optimizer": "adam", "beta_1": 0.5, "schedule": "constant", "warmup": 0.0}


@config_class
class GANConfig(RunConfig):
    """Configuration of a GAN's training; the defaults are DCGAN's."""

    task: ClassVar[str] = "gan"
    # The last model is kept, unless a metric is to choose.
    used_with: ClassVar[dict[str, Any]] = {"optimization.patience": {"metric": bool}}
    metrics: ClassVar[dict[str, str]] = {"diversity": "max"}

    epochs: int = option(100, "Passes over the training pictures.", ge=1)
    batch_size: int = option(
        128, "Global batch size of a step of one network, over all devices.", ge=1
    )
    learning_rate: float = option(2e-4, "Learning rate of the generator.", gt=0)
    data_options: DataConfig = group(DataConfig)
    model: ModelConfig = group(ModelConfig)
    objective: ObjectiveConfig = group(ObjectiveConfig)
    evaluation: EvaluationConfig = group(EvaluationConfig)
    optimization: OptimizationConfig = group(lambda: OptimizationConfig(**ADAM, ema=0.999))

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # A few steps in seconds that use every part, for tests.
        "test": {
            "epochs": 2,
            "batch_size": 8,
            "deterministic": True,
            "data_options": {"image_size": 16},
            "model": {"latent_dim": 8, "width": 4},
            "optimization": {"ema": 0.9},
            "evaluation": {"samples": 24, "classifier_steps": 4},
        },
        # Digits of 16 pixels, in a minute: see `kerasuite samples digits`.
        # kerasuite gan train digits/train --preset tiny
        "tiny": {
            "epochs": 30,
            "batch_size": 64,
            "learning_rate": 5e-4,
            "data_options": {"image_size": 16},
            "model": {"latent_dim": 32, "width": 24},
            "optimization": {"ema": 0.99},
            "evaluation": {"samples": 500, "classifier_steps": 200},
        },
        # Goodfellow et al., 2014, on MNIST, without its dropout.
        # kerasuite gan train mnist --preset gan
        "gan": {
            "batch_size": 100,
            "learning_rate": 1e-3,
            "data_options": {"image_size": 28},
            "model": {"architecture": "mlp", "noise": "uniform"},
            "objective": {"loss": "non-saturating"},
            "optimization": {"ema": 0.0},
        },
        # Radford et al., 2016: all its rules, at its size.
        # kerasuite gan train faces --preset dcgan
        "dcgan": {
            "model": {"noise": "uniform", "width": 128},
            "optimization": {"ema": 0.0},
        },
        # Arjovsky et al., 2017, algorithm 1, with DCGAN's networks.
        # kerasuite gan train faces --preset wgan
        "wgan": {
            "batch_size": 64,
            "learning_rate": 5e-5,
            "model": {"width": 128},
            "objective": {"loss": "wasserstein", "constraint": "clip", "critic_steps": 5},
            "optimization": {"optimizer": "rmsprop", "momentum": 0.0, "ema": 0.0},
        },
        # Gulrajani et al., 2017, algorithm 1, with its residual networks.
        # kerasuite gan train faces --preset wgan-gp
        "wgan-gp": {
            "batch_size": 64,
            "learning_rate": 1e-4,
            "model": {
                "architecture": "resnet",
                "latent_dim": 128,
                "discriminator_normalization": "layer",
            },
            "objective": {"loss": "wasserstein", "constraint": "penalty", "critic_steps": 5},
            "optimization": {"beta_1": 0.0, "ema": 0.0},
        },
        # Metz et al., 2017, with DCGAN's networks.
        # kerasuite gan train mnist --preset unrolled
        "unrolled": {
            "data_options": {"image_size": 28},
            "objective": {"remedy": "unrolled", "loss": "vanilla", "discriminator_rate": 0.1},
            "optimization": {"ema": 0.0},
        },
        # Ghosh et al., 2018, with DCGAN's networks.
        # kerasuite gan train faces --preset mad-gan
        "mad-gan": {"objective": {"remedy": "mad"}, "optimization": {"ema": 0.0}},
        # Che et al., 2017, the regularised GAN of section 3.1, with DCGAN's networks.
        # kerasuite gan train faces --preset mrgan
        "mrgan": {"objective": {"remedy": "mr"}, "optimization": {"ema": 0.0}},
    }

    def refuse_mistakes(self) -> None:
        super().refuse_mistakes()
        convolutional = self.model.architecture in CONVOLUTIONAL
        batch = self.model.discriminator_normalization == "batch"
        if self.objective.constraint == "penalty" and convolutional and batch:
            raise KerasuiteError(
                "--constraint penalty: bounds the slope for each picture alone, which batch "
                "normalisation mixes; add --discriminator-normalization layer or none"
            )
        if self.objective.remedy == "unrolled" and self.optimization.micro_batches > 1:
            raise KerasuiteError(
                "--micro-batches: the unrolled steps take the whole batch; leave it out, or "
                "lower --batch-size"
            )
