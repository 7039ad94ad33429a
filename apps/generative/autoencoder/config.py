"""Configuration of autoencoders."""

import os
from typing import Any, ClassVar, Literal

from shared.common.config import RunConfig, config_class, group, option
from shared.common.errors import KerasuiteError

PLAIN, SPARSE, DENOISING, VARIATIONAL = "plain", "sparse", "denoising", "variational"
MLP, CONV = "mlp", "conv"


@config_class
class DataConfig:
    """Selection, size and caching of the pictures."""

    image_size: int = option(28, "Side in pixels of the squares that are coded.", ge=4)
    colour: Literal["auto", "grey", "rgb"] = option(
        "auto", "Channels; auto is grey where all pictures are grey."
    )
    resize: Literal["cover", "squash"] = option(
        "cover", "Cover the square in proportion and cut the rest off, or squash to it."
    )
    flip: bool = option(False, "Mirror half of the training pictures.")
    validation_split: float = option(
        0.1, "Fraction held out; ignored if the data have val/.", gt=0, le=0.5
    )
    max_pixels: int = option(
        100_000_000, "Skip pictures of more pixels, judged by their header.", ge=1
    )
    cache: Literal["auto", "memory", "off"] = option(
        "auto", "Keep resized pictures in memory; auto does so below 1 GiB."
    )


@config_class
class ModelConfig:
    """Encoder and decoder."""

    kind: Literal["plain", "sparse", "denoising", "variational"] = option(
        PLAIN, "How the code is kept from being a copy of the picture."
    )
    architecture: Literal["mlp", "conv"] = option(MLP, "Fully connected or convolutional layers.")
    code: int = option(32, "Numbers in a code.", ge=1)
    num_layers: int = option(
        2, "Hidden layers of each side; of conv those that halve or double the size.", ge=1, le=8
    )
    hidden_dim: int = option(512, "Width of the fully connected hidden layers.", ge=1)
    width: int = option(
        32, "Channels of the first convolution; each next one has twice as many.",
        used_with={"architecture": CONV}, ge=12,
    )  # fmt: skip


@config_class
class LossConfig:
    """The objective."""

    likelihood: Literal["bernoulli", "gaussian"] = option(
        "bernoulli",
        "Of a pixel: cross-entropy for black and white, squared error for shades; the deviation "
        "of variational's gaussian is learnt.",
    )
    beta: float = option(
        1.0, "Weight of the divergence from the prior.", used_with={"kind": VARIATIONAL}, ge=0
    )
    sparsity: Literal["l1", "kl"] = option(
        "kl",
        "Penalty of active codes: their sum, or the divergence of each number's mean over the "
        "batch from --target-rate.",
        used_with={"kind": SPARSE},
    )
    sparsity_weight: float = option(1.0, "Weight of the penalty.", used_with={"kind": SPARSE}, ge=0)
    target_rate: float = option(
        0.05, "Mean of each number of a code, which is in 0..1.",
        used_with={"kind": SPARSE, "sparsity": "kl"}, gt=0, lt=1,
    )  # fmt: skip
    noise: float = option(
        0.3, "Deviation of the noise on the input, of white less black; the sum stays in between.",
        used_with={"kind": DENOISING}, gt=0, le=2,
    )  # fmt: skip


@config_class
class EvaluationConfig:
    """Measures and plots of `evaluate`."""

    bound_samples: int = option(
        100, "Samples of the importance-weighted bound; 0 leaves it out.",
        used_with={"kind": VARIATIONAL}, ge=0,
    )  # fmt: skip
    anomalies: str = option(
        "", "Folder of unusual pictures, to measure how well the error tells them apart."
    )
    projection: Literal["pca", "tsne"] = option(
        "pca", "Map of the codes: pca keeps large distances, tsne neighbourhoods."
    )

    def refuse_missing_anomalies(self) -> None:
        """Raises KerasuiteError if `--anomalies` names no file or folder."""
        if self.anomalies and not os.path.exists(self.anomalies):
            raise KerasuiteError(f"--anomalies {self.anomalies}: no such folder; check the path")


@config_class
class AutoencoderConfig(RunConfig):
    """Configuration of one training of an autoencoder."""

    task: ClassVar[str] = "autoencoder"
    metrics: ClassVar[dict[str, str]] = {"loss": "min", "mse": "min", "psnr": "max"}

    batch_size: int = option(64, "Global batch size, over all devices.", ge=1)
    data_options: DataConfig = group(DataConfig)
    model: ModelConfig = group(ModelConfig)
    loss: LossConfig = group(LossConfig)
    evaluation: EvaluationConfig = group(EvaluationConfig)

    def refuse_mistakes(self) -> None:
        super().refuse_mistakes()
        self.evaluation.refuse_missing_anomalies()
        side, layers = self.data_options.image_size, self.model.num_layers
        if self.model.architecture == CONV and 2**layers > side:
            raise KerasuiteError(
                f"--num-layers {layers}: halves {side} pixels more often than they can be; give at "
                f"most {side.bit_length() - 1}"
            )

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # A few steps in seconds, for tests.
        "test": {
            "epochs": 2,
            "batch_size": 8,
            "deterministic": True,
            "data_options": {"image_size": 8},
            "model": {
                "kind": VARIATIONAL, "architecture": CONV, "code": 4, "num_layers": 1,
                "hidden_dim": 16, "width": 12,
            },
            "evaluation": {"bound_samples": 3},
        },
        # Pictures of 8 to 24 pixels, as `kerasuite samples digits` makes them; half a minute.
        # kerasuite autoencoder train digits --preset tiny
        "tiny": {
            "epochs": 30,
            "learning_rate": 2e-3,
            "data_options": {"image_size": 16},
            "model": {"kind": VARIATIONAL, "code": 8, "hidden_dim": 256},
        },
        # Pictures of some 28 pixels: 2.5 minutes on a CPU core for 7,200 digits, which it gives a
        # bound of 96.3 nats a picture.
        # kerasuite autoencoder train mnist --preset vae
        "vae": {
            "epochs": 30,
            "batch_size": 100,
            "learning_rate": 2e-3,
            "model": {
                "kind": VARIATIONAL, "architecture": CONV, "code": 20, "hidden_dim": 256,
            },
        },
        # More numbers than are needed, few of which are active for a picture: a minute on a CPU
        # core for 7,200 digits.
        # kerasuite autoencoder train mnist --preset sparse
        "sparse": {
            "epochs": 20,
            "batch_size": 100,
            "model": {"kind": SPARSE, "code": 100},
            "loss": {"sparsity_weight": 10.0},
        },
        # Pictures without noise to learn from, to which it is added: two minutes on a CPU core for
        # 7,200 digits, which gain 7.7 dB.
        # kerasuite autoencoder train mnist --preset denoising
        "denoising": {
            "epochs": 15,
            "batch_size": 100,
            "learning_rate": 2e-3,
            "model": {
                "kind": DENOISING, "architecture": CONV, "code": 64, "hidden_dim": 256,
            },
        },
    }  # fmt: skip
