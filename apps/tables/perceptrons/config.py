"""Configuration of networks on tables."""

from operator import not_
from pathlib import Path
from typing import Any, ClassVar, Literal

from shared.common.config import OptimizationConfig, RunConfig, config_class, group, option
from shared.common.errors import KerasuiteError

# Conditions of options, see `shared.common.option_use`.
MLP, RESNET, FT = "mlp", "resnet", "ft-transformer"
# A run of --init brings its columns.
OWN_COLUMNS = {"init": not_}
MAX_HIDDEN = 65536


@config_class
class DataConfig:
    """Columns, target and held-out rows."""

    target: str = option("", "Column to predict; several of numbers with commas between them.")
    columns: str = option(
        "", "YAML file with `NAME: KIND` lines: number, category, boolean, date or ignore.",
        used_with=OWN_COLUMNS,
    )  # fmt: skip
    task_type: Literal["auto", "classification", "regression"] = option(
        "auto", "Kind of target; auto: classes, unless it has fractions or many numbers."
    )
    validation: tuple[str, ...] = option((), "Validation rows; by default a part of the data.")
    validation_split: float = option(
        0.1, "Fraction of the rows held out where there are no validation rows.",
        used_with={"validation": not_}, gt=0, le=0.5,
    )  # fmt: skip
    scaling: Literal["quantile", "standard"] = option(
        "quantile",
        "Numbers by their rank, as a normal distribution; or less mean, over deviation.",
        used_with=OWN_COLUMNS,
    )
    min_count: int = option(
        2, "Values of a category rarer than this share one place with unseen ones.",
        used_with=OWN_COLUMNS, ge=1,
    )  # fmt: skip


@config_class
class ModelConfig:
    """The network."""

    architecture: Literal["mlp", "resnet", "ft-transformer"] = option(
        MLP, "Multi-layer perceptron, residual blocks, or a Transformer over columns."
    )
    hidden: str = option(
        "256,256", "Widths of the hidden layers, with commas; 0 is a perceptron without any.",
        used_with={"architecture": MLP},
    )  # fmt: skip
    num_blocks: int = option(
        3, "Residual blocks, or blocks of the Transformer.",
        used_with={"architecture": (RESNET, FT)}, ge=1,
    )  # fmt: skip
    hidden_dim: int = option(
        128, "Width between residual blocks, or of the Transformer.",
        used_with={"architecture": (RESNET, FT)}, ge=2, le=MAX_HIDDEN,
    )  # fmt: skip
    num_heads: int = option(8, "Attention heads.", used_with={"architecture": FT}, ge=1)
    attention_dropout: float = option(
        0.2, "Dropout rate of attention weights.", used_with={"architecture": FT}, ge=0, lt=1
    )
    activation: Literal[
        "relu", "leaky-relu", "prelu", "elu", "swish", "gelu", "tanh", "sigmoid"
    ] = option(
        "relu", "Activation of hidden layers.", used_with={"architecture": (MLP, RESNET)}
    )  # fmt: skip
    normalization: Literal["none", "batch", "layer"] = option(
        "none", "Normalisation of hidden layers.", used_with={"architecture": MLP}
    )
    dropout: float = option(0.0, "Dropout rate of hidden layers.", ge=0, lt=1)
    embedding_dim: int = option(
        8, "Width of the embedding of a category; 0 is one-hot.",
        used_with={"architecture": (MLP, RESNET)}, ge=0,
    )  # fmt: skip
    number_embedding: Literal["none", "periodic"] = option(
        "none", "Embedding of each number: none, or sines and cosines of learnt frequencies."
    )
    frequencies: int = option(
        24, "Frequencies of a periodic embedding.",
        used_with={"number_embedding": "periodic"}, ge=1,
    )  # fmt: skip
    frequency_scale: float = option(
        0.1, "Standard deviation of the first frequencies.",
        used_with={"number_embedding": "periodic"}, gt=0,
    )  # fmt: skip
    number_dim: int = option(
        16, "Width of the periodic embedding of a number.",
        used_with={"number_embedding": "periodic", "architecture": (MLP, RESNET)}, ge=1,
    )  # fmt: skip

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the hidden layers of a multi-layer perceptron.

        Raises:
            KerasuiteError: if `hidden` is no list of widths.
        """
        parts = [part.strip() for part in self.hidden.split(",")]
        if parts == ["0"]:
            return ()
        if not all(part.isdecimal() and 0 < int(part) <= MAX_HIDDEN for part in parts):
            raise KerasuiteError(
                f"--hidden {self.hidden}: give widths from 1 to {MAX_HIDDEN:,} with commas "
                f"between them, such as 256,256; or 0 for none"
            )
        return tuple(map(int, parts))


@config_class
class LossConfig:
    """Loss and penalties."""

    loss: Literal[
        "auto", "cross-entropy", "focal", "hinge", "perceptron", "mse", "mae", "huber"
    ] = option(
        "auto", "auto: cross-entropy of classes, mse of numbers; perceptron: Rosenblatt's rule."
    )  # fmt: skip
    focal_gamma: float = option(
        2.0,
        "How much less rows count that are nearly right.",
        used_with={"loss": "focal"},
        ge=0,
    )
    huber_delta: float = option(
        1.0, "Standard deviations of the target at which the loss becomes linear.",
        used_with={"loss": "huber"}, gt=0,
    )  # fmt: skip
    label_smoothing: float = option(
        0.0, "Fraction of the label spread over all classes.",
        used_with={"loss": ("auto", "cross-entropy")}, ge=0, lt=1,
    )  # fmt: skip
    l1: float = option(0.0, "L1 penalty on kernels.", ge=0)
    l2: float = option(0.0, "L2 penalty on kernels.", ge=0)


OF_CLASSES = ("cross-entropy", "focal", "hinge", "perceptron")
OF_NUMBERS = ("mse", "mae", "huber")
MINIMAL = dict.fromkeys(("loss", "rmse", "mae", "calibration_error"), "min")
MAXIMAL = dict.fromkeys(("r2", "accuracy", "f1", "auroc"), "max")


@config_class
class TableConfig(RunConfig):
    """Configuration of one training on a table."""

    task: ClassVar[str] = "table"
    metrics: ClassVar[dict[str, str]] = MINIMAL | MAXIMAL
    epochs: int = option(50, "Passes over the training rows.", ge=1)
    batch_size: int = option(256, "Rows per step, over all devices.", ge=1)
    data_options: DataConfig = group(DataConfig)
    model: ModelConfig = group(ModelConfig)
    loss: LossConfig = group(LossConfig)
    optimization: OptimizationConfig = group(lambda: OptimizationConfig(weight_decay=1e-4))

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Small enough for tests; no dropout, so that any number of devices agrees.
        "test": {
            "epochs": 4,
            "batch_size": 8,
            "deterministic": True,
            "model": {"hidden": "16,8", "embedding_dim": 2},
        },
        # Rosenblatt, 1958, https://doi.org/10.1037/h0042519: row by row, with a constant rate.
        # kerasuite table train xor/train.csv --target class --preset rosenblatt
        "rosenblatt": {
            "epochs": 10,
            "batch_size": 1,
            "learning_rate": 1.0,
            "data_options": {"scaling": "standard"},
            "model": {"hidden": "0", "embedding_dim": 0},
            "loss": {"loss": "perceptron"},
            "optimization": {
                "optimizer": "sgd",
                "momentum": 0.0,
                "weight_decay": 0.0,
                "schedule": "constant",
                "warmup": 0.0,
            },
        },
        # One layer: linear regression of numbers, logistic regression of classes.
        # kerasuite table train adult/train.csv.gz --target income --preset perceptron
        "perceptron": {
            "epochs": 30,
            "learning_rate": 1e-2,
            "data_options": {"scaling": "standard"},
            "model": {"hidden": "0", "embedding_dim": 0},
        },
        # kerasuite table train adult/train.csv.gz --target income --preset mlp
        "mlp": {
            "epochs": 50,
            "model": {"hidden": "256,256", "dropout": 0.2},
            "optimization": {"patience": 10},
        },
        # With periodic embeddings: Gorishniy et al., 2022, https://arxiv.org/abs/2203.05556
        # kerasuite table train housing.csv --target median_house_value --preset mlp-plr
        "mlp-plr": {
            "epochs": 60,
            "model": {"hidden": "256,256", "dropout": 0.1, "number_embedding": "periodic"},
            "optimization": {"patience": 15},
        },
        # Gorishniy et al., 2021, https://arxiv.org/abs/2106.11959, section 3.2
        # kerasuite table train housing.csv --target median_house_value --preset resnet
        "resnet": {
            "epochs": 50,
            "model": {"architecture": "resnet", "dropout": 0.2},
            "optimization": {"patience": 10},
        },
        # The same paper, section 3.3, with a third of its width, for a CPU, and with periodic
        # embeddings: with its own tokens the RMSE on California housing was 53,351 dollars after
        # 30 epochs, with periodic ones 50,345 after 40.
        # kerasuite table train housing.csv --target median_house_value --preset ft-transformer
        "ft-transformer": {
            "epochs": 40,
            "model": {
                "architecture": "ft-transformer",
                "hidden_dim": 64,
                "dropout": 0.1,
                "attention_dropout": 0.1,
                "number_embedding": "periodic",
            },
            "optimization": {"patience": 10},
        },
    }

    def refuse_mistakes(self) -> None:
        super().refuse_mistakes()
        if not self.data_options.target:
            raise KerasuiteError(
                "--target: name the column to predict; 'kerasuite table check DATA' lists them"
            )
        model = self.model
        if model.architecture == MLP:
            model.widths  # noqa: B018  (raises what is wrong)
        if model.architecture == FT and model.hidden_dim % model.num_heads:
            raise KerasuiteError(
                f"--num-heads {model.num_heads}: does not divide --hidden-dim "
                f"{model.hidden_dim}; change one of them"
            )
        if (file := self.data_options.columns) and not Path(file).is_file():
            raise KerasuiteError(f"--columns {file}: no such file; check the path")
        for type_, losses in (("classification", OF_NUMBERS), ("regression", OF_CLASSES)):
            self.refuse_loss(type_, losses)

    def refuse_loss(self, task_type: str, losses: tuple[str, ...]) -> None:
        """Raises KerasuiteError if the loss is for the other type of target."""
        if self.data_options.task_type == task_type and self.loss.loss in losses:
            raise KerasuiteError(
                f"--loss {self.loss.loss}: is not for {task_type}; leave it out, or change "
                f"--task-type"
            )
