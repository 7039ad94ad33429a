"""Base of the networks of forecasts: the contract with the engine, normalisation and losses."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from apps.tables.forecast.config import LossConfig, ModelConfig
from shared.common.config import from_dict, to_dict
from shared.losses.pinball import pinball_loss
from shared.losses.smooth_l1 import smooth_l1

# Added to a variance, so that constant windows are not divided by 0.
EPSILON = 1e-5


class ForecastNetwork(keras.Model):
    """Windows of scaled series to forecasts, or to quantiles.

    Args:
        config: ModelConfig. The network.
        loss: LossConfig. Loss and quantiles.
        history, horizon: int. Steps L that are read, and H that are predicted.
        channels: int. Targets C.
        covariates: int. Columns K that are known beforehand.

    Call arguments:
        x: {"history": float32 (B, L, C)}, with covariates "future" (B, H, K), and for teacher
            forcing "answers" (B, H, C).

    Returns:
        float32 tensor (B, H, C, Q); Q is 1 where only a forecast is made.
    """

    def __init__(
        self,
        config: ModelConfig,
        loss: LossConfig,
        history: int,
        horizon: int,
        channels: int,
        covariates: int = 0,
        name: str = "forecast_network",
        **kwargs,
    ):
        # This name and those of the layers are fixed: `--init` finds weights by them. The values of
        # a window are not rounded before its mean is subtracted.
        super().__init__(name=name, autocast=False, **kwargs)
        self.config = from_dict(ModelConfig, config)
        self.loss_config = from_dict(LossConfig, loss)
        self.history_steps, self.horizon = history, horizon
        self.channels, self.covariates = channels, covariates
        self.levels: Sequence[float] = self.loss_config.levels
        self.outputs_count = max(1, len(self.levels))

    @property
    def instance_norm(self) -> str:
        """How a window is normalised: "none", "last" or "standard"."""
        return self.config.instance_norm

    def forecast(self, history, x, training=None):
        """The forecast of normalised windows, in their terms.

        Args:
            history: float tensor (B, L, C), normalised.
            x: all inputs, of which "answers" is normalised likewise.
            training: bool or None.

        Returns:
            Tensor (B, H, C, Q).
        """
        raise NotImplementedError

    def call(self, x, training=None):
        shift, scale = self.statistics(x["history"])
        inputs = dict(x)
        if "answers" in inputs:
            inputs["answers"] = (inputs["answers"] - shift) / scale
        outputs = self.forecast((x["history"] - shift) / scale, inputs, training)
        return ops.cast(outputs, "float32") * scale[..., None] + shift[..., None]

    def statistics(self, history):
        """Shift and scale (B, 1, C) of windows, normalised to (window - shift) / scale.

        Reference: [Kim et al., 2022](https://openreview.net/forum?id=cGDAkQo1C0p)
        """
        if self.instance_norm == "last":
            last = history[:, -1:]
            return last, ops.ones_like(last)
        mean = ops.mean(history, axis=1, keepdims=True)
        if self.instance_norm == "none":
            return ops.zeros_like(mean), ops.ones_like(mean)
        variance = ops.mean(ops.square(history - mean), axis=1, keepdims=True)
        return mean, ops.sqrt(variance + EPSILON)

    # === Parts of networks ===

    def with_future(self, vectors, x):
        """Vectors of channels (B, C, W) with the covariates of all steps, (B, C, W + H K)."""
        if not self.covariates:
            return vectors
        future = ops.cast(self.flat_future(x), vectors.dtype)[:, None]
        return ops.concatenate([vectors, ops.repeat(future, self.channels, axis=1)], axis=-1)

    def flat_future(self, x):
        """The covariates of all steps, (B, H K)."""
        return ops.reshape(x["future"], (-1, self.horizon * self.covariates))

    def steps_of_channels(self, outputs):
        """(B, C, H Q) as (B, H, C, Q)."""
        outputs = ops.reshape(outputs, (-1, self.channels, self.horizon, self.outputs_count))
        return ops.transpose(outputs, (0, 2, 1, 3))

    # === Training and evaluation, as the engine asks for them ===

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean loss of the values that stand in the files.

        Args:
            y: float32 tensor (B, H, C), scaled.
            y_pred: float32 tensor (B, H, C, Q).
            sample_weight: float32 tensor (B, H, C), 0 for values that were filled.
        """
        losses = self.value_losses(y, y_pred) * sample_weight
        return {"error": ops.sum(losses) / ops.maximum(ops.sum(sample_weight), 1.0)}

    def value_losses(self, targets, predictions):
        """The loss of each value (B, H, C), of quantiles their mean."""
        if self.levels:
            return ops.mean(pinball_loss(targets, predictions, self.levels), axis=-1)
        differences = predictions[..., 0] - targets
        if self.loss_config.loss == "mae":
            return ops.abs(differences)
        if self.loss_config.loss == "huber":
            # Huber, 1964, https://doi.org/10.1214/aoms/1177703732
            delta = self.loss_config.huber_delta
            return delta * smooth_l1(differences, delta)
        return ops.square(differences)

    def loss_weight(self, x, y, sample_weight):
        """Number of values that the loss is the mean of."""
        return ops.sum(sample_weight)

    def predictions(self, x, outputs):
        """{"scaled": (B, H, C, Q)}, quantiles in their order."""
        outputs = ops.cast(outputs, "float32")
        # Quantiles that cross are put in order, which only brings them nearer to the truth:
        # Chernozhukov et al., 2010, https://doi.org/10.3982/ECTA7880
        return {"scaled": ops.sort(outputs, axis=-1) if self.outputs_count > 1 else outputs}

    @property
    def median(self) -> int:
        """Index of the forecast among the outputs."""
        return int(np.argmin(np.abs(np.array(self.levels or [0.5]) - 0.5)))

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "config": to_dict(self.config),
            "loss": to_dict(self.loss_config),
            "history": self.history_steps,
            "horizon": self.horizon,
            "channels": self.channels,
            "covariates": self.covariates,
        }
