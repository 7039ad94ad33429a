"""Configuration of forecasts."""

from operator import not_
from typing import Any, ClassVar, Literal

from shared.common.config import OptimizationConfig, RunConfig, config_class, group, option
from shared.common.errors import KerasuiteError

RECURRENT = ("rnn", "lstm", "gru")
MLP, TRANSFORMER, AUTOREGRESSIVE = "mlp", "transformer", "autoregressive"
# Conditions of options, see `shared.common.option_use`.
SHARES = {"split_steps": not_}
DEEP = {"architecture": (MLP, *RECURRENT, TRANSFORMER)}


@config_class
class DataConfig:
    """Columns, windows and the split in time."""

    time: str = option("", "Column of times; by default the first one with dates.")
    target: str = option(
        "", "Columns to predict, with commas between them; by default all with numbers."
    )
    series: str = option("", "Column that tells several series of one file apart.")
    future: str = option(
        "", "Columns of numbers that are known beforehand, such as prices, with commas."
    )
    frequency: str = option(
        "auto", "Step of time: 15min, 1h, 1d, 1b (working days), 1w, 1mo, 1y; or a number."
    )
    history: int = option(96, "Steps that the network reads.", ge=1)
    horizon: int = option(24, "Steps that it predicts.", ge=1)
    season: int = option(
        0, "Steps of a season, for the seasonal naive forecast and MASE; 0: by the frequency.", ge=0
    )
    max_gap: int = option(
        24, "Longest gap, in steps, that is filled with the last values; others part a series.",
        ge=0,
    )  # fmt: skip
    validation_split: float = option(
        0.1, "Share of the time, before the test part, to validate on.",
        used_with=SHARES, gt=0, le=0.5,
    )  # fmt: skip
    test_split: float = option(
        0.2, "Share of the time, at its end, that the figures are of; 0: those of validation.",
        used_with=SHARES, ge=0, le=0.5,
    )  # fmt: skip
    split_steps: str = option(
        "", "Steps of training, validation and test, such as 8640,2880,2880, instead of shares."
    )

    @property
    def steps(self) -> tuple[int, int, int] | None:
        """Steps of training, validation and test, or None where shares are given.

        Raises:
            KerasuiteError: if `split_steps` is no list of three counts.
        """
        if not self.split_steps:
            return None
        parts = [part.strip() for part in self.split_steps.split(",")]
        if len(parts) != 3 or not all(map(str.isdecimal, parts)) or not all(map(int, parts[:2])):
            raise KerasuiteError(
                f"--split-steps {self.split_steps}: give steps of training, validation and test, "
                f"such as 8640,2880,2880; the last may be 0"
            )
        return tuple(map(int, parts))


@config_class
class ModelConfig:
    """The network."""

    architecture: Literal[
        "linear", "nlinear", "dlinear", "mlp", "rnn", "lstm", "gru", "transformer"
    ] = option("nlinear", "One layer over time, with two variants; a perceptron; and others.")
    moving_average: int = option(
        25, "Steps of the average that is the trend.", used_with={"architecture": "dlinear"}, ge=1
    )
    hidden_dim: int = option(64, "Width of the layers.", used_with=DEEP, ge=1)
    num_layers: int = option(2, "Layers one above the other.", used_with=DEEP, ge=1)
    num_heads: int = option(4, "Attention heads.", used_with={"architecture": TRANSFORMER}, ge=1)
    patch_length: int = option(
        16, "Steps of a token of the Transformer.", used_with={"architecture": TRANSFORMER}, ge=1
    )
    dropout: float = option(0.0, "Dropout rate.", used_with=DEEP, ge=0, lt=1)
    instance_norm: Literal["none", "last", "standard"] = option(
        "last", "Subtract from a window its last values; or its mean, over its deviation.",
        used_with=DEEP,
    )  # fmt: skip
    decoding: Literal["direct", "autoregressive"] = option(
        "direct", "All steps at once; or each from the one before, trained by teacher forcing.",
        used_with={"architecture": RECURRENT},
    )  # fmt: skip


@config_class
class LossConfig:
    """The loss."""

    loss: Literal["mse", "mae", "huber"] = option(
        "mse", "Loss of the forecast.", used_with={"quantiles": not_}
    )
    huber_delta: float = option(
        1.0, "Standard deviations at which huber becomes linear.",
        used_with={"loss": "huber"}, gt=0,
    )  # fmt: skip
    quantiles: str = option(
        "", "Quantiles to predict by the pinball loss, such as 0.1,0.5,0.9; 0.5 is the forecast."
    )

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles, the smallest first; none where only a forecast is made.

        Raises:
            KerasuiteError: if `quantiles` is no list of them, or 0.5 is not among them.
        """
        if not self.quantiles:
            return ()
        try:
            levels = tuple(sorted({float(part) for part in self.quantiles.split(",")}))
        except ValueError:
            levels = ()
        if 0.5 not in levels or not all(0 < level < 1 for level in levels):
            raise KerasuiteError(
                f"--quantiles {self.quantiles}: give numbers between 0 and 1, 0.5 among them, such "
                f"as 0.1,0.5,0.9"
            )
        return levels


@config_class
class ForecastConfig(RunConfig):
    """Configuration of one training on time series."""

    task: ClassVar[str] = "forecast"
    metrics: ClassVar[dict[str, str]] = dict.fromkeys(("loss", "mse", "mae", "mase"), "min")
    epochs: int = option(20, "Passes over the training windows.", ge=1)
    batch_size: int = option(32, "Windows per step, over all devices.", ge=1)
    data_options: DataConfig = group(DataConfig)
    model: ModelConfig = group(ModelConfig)
    loss: LossConfig = group(LossConfig)
    optimization: OptimizationConfig = group(OptimizationConfig)

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Small enough for tests; no dropout, so that any number of devices agrees.
        "test": {
            "epochs": 2,
            "batch_size": 16,
            "deterministic": True,
            "data_options": {"history": 16, "horizon": 4},
            "model": {"architecture": "mlp", "hidden_dim": 8, "num_layers": 1},
        },
        # For the sample: a week of hours is read, a day is predicted.
        # kerasuite forecast train series/train.csv --series city --preset tiny
        # 6 s with --future offer: MSE 0.257 (last season 0.612) with --quantiles 0.1,0.5,0.9.
        "tiny": {
            "epochs": 6,
            "batch_size": 64,
            "learning_rate": 1e-2,
            "data_options": {"history": 168, "horizon": 24},
        },
        # Zeng et al., 2023, https://arxiv.org/abs/2205.13504, with their windows for ETTh1.
        # kerasuite forecast train ETTh1.csv --split-steps 8640,2880,2880 --preset nlinear
        # 30 s on two cores beside other work: MSE 0.382, MAE 0.401 of all test windows. The rate is
        # that of 5e-3, 2e-3, 1e-3, 5e-4 and 2e-4 with the smallest error of the validation windows.
        "nlinear": {
            "epochs": 15,
            "learning_rate": 1e-3,
            "data_options": {"history": 336, "horizon": 96},
        },
        # kerasuite forecast train ETTh1.csv --split-steps 8640,2880,2880 --preset dlinear
        # 24 s likewise: MSE 0.377, MAE 0.401.
        "dlinear": {
            "epochs": 10,
            "learning_rate": 1e-3,
            "data_options": {"history": 336, "horizon": 96},
            "model": {"architecture": "dlinear"},
        },
        # Hochreiter and Schmidhuber, 1997, https://doi.org/10.1162/neco.1997.9.8.1735
        # kerasuite forecast train ETTh1.csv --split-steps 8640,2880,2880 --preset lstm
        # 3 min likewise: MSE 0.456, MAE 0.468.
        "lstm": {
            "epochs": 10,
            "data_options": {"history": 336, "horizon": 96},
            "model": {"architecture": "lstm", "num_layers": 1, "dropout": 0.1},
            "optimization": {"patience": 3, "clip_norm": 1.0},
        },
        # Tokens of 16 steps of one channel, as in Nie et al., 2023,
        # https://arxiv.org/abs/2211.14730, with their small network for ETTh1.
        # kerasuite forecast train ETTh1.csv --split-steps 8640,2880,2880 --preset transformer
        # 84 s likewise: MSE 0.388, MAE 0.405.
        "transformer": {
            "epochs": 10,
            "data_options": {"history": 336, "horizon": 96},
            "model": {
                "architecture": "transformer",
                "hidden_dim": 16,
                "num_layers": 3,
                "dropout": 0.3,
                "instance_norm": "standard",
            },
            "optimization": {"patience": 3},
        },
    }

    def refuse_mistakes(self) -> None:
        super().refuse_mistakes()
        self.data_options.steps  # noqa: B018  (raises what is wrong)
        self.loss.levels  # noqa: B018
        options, model = self.data_options, self.model
        if model.architecture == TRANSFORMER:
            if model.hidden_dim % model.num_heads:
                raise KerasuiteError(
                    f"--num-heads {model.num_heads}: does not divide --hidden-dim "
                    f"{model.hidden_dim}; change one of them"
                )
            if options.history % model.patch_length:
                raise KerasuiteError(
                    f"--patch-length {model.patch_length}: does not divide --history "
                    f"{options.history}; change one of them"
                )
