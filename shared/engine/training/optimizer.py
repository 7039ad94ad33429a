"""Optimisers and learning-rate schedules from the configuration."""

import math

import keras
from keras import ops

from shared.common.config import OptimizationConfig
from shared.engine.training.adam import Adam, AdamW


@keras.saving.register_keras_serializable(package="kerasuite")
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to a peak, then a constant, cosine, linear, late, stepwise or Noam's fall.

    Args:
        peak: float. Learning rate at the end of the warm-up.
        total_steps: int. Length of the training.
        warmup_steps: int. Length of the warm-up.
        kind: "constant", "cosine", "linear", "late_linear" (constant for half of the rest, then
            linear), "step" (a tenth after half and three quarters of the rest) or "noam" (with
            the inverse root of the step).
        final: float. Where cosine and both linear ones end, as a fraction of the peak.

    Reference: [Loshchilov and Hutter, 2017](https://arxiv.org/abs/1608.03983) for cosine;
    [Goyal et al., 2017](https://arxiv.org/abs/1706.02677) for the warm-up;
    [Vaswani et al., 2017, section 5.3](https://arxiv.org/abs/1706.03762) for "noam";
    [Zhu et al., 2017, section 4](https://arxiv.org/abs/1703.10593) for "late_linear".
    """

    def __init__(self, peak, total_steps, warmup_steps=0, kind="cosine", final=0.0):
        super().__init__()
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.kind = kind
        self.final = final

    def __call__(self, step):
        step = ops.cast(step, "float32")
        warm = (step + 1.0) / max(self.warmup_steps, 1)
        rest = max(self.total_steps - self.warmup_steps, 1)
        progress = ops.clip((step - self.warmup_steps) / rest, 0.0, 1.0)
        fall = self._noam(step) if self.kind == "noam" else self._fall(progress)
        factor = ops.where(step < self.warmup_steps, warm, fall)
        return self.peak * factor

    def _fall(self, progress):
        if self.kind == "cosine":
            return self.final + (1 - self.final) * 0.5 * (1 + ops.cos(math.pi * progress))
        if self.kind == "linear":
            return 1 - (1 - self.final) * progress
        if self.kind == "late_linear":
            return 1 - (1 - self.final) * ops.maximum(2 * progress - 1, 0.0)
        if self.kind == "step":
            return ops.where(progress < 0.5, 1.0, ops.where(progress < 0.75, 0.1, 0.01))
        return ops.ones_like(progress)

    def _noam(self, step):
        """1 at the end of the warm-up, where the paper's d**-0.5 * warm-up**-0.5 is the peak."""
        first = float(max(self.warmup_steps, 1))
        return ops.sqrt(first / ops.maximum(step + 1.0, first))

    def get_config(self):
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "kind": self.kind,
            "final": self.final,
        }


def build_schedule(
    config: OptimizationConfig, learning_rate: float, total_steps: int
) -> WarmupSchedule:
    """The schedule that a configuration asks for.

    Args:
        config: kind, warm-up and final learning rate.
        learning_rate: float. The peak.
        total_steps: int. Length of the training.
    """
    return WarmupSchedule(
        learning_rate,
        total_steps,
        warmup_steps=round(config.warmup * total_steps),
        kind=config.schedule,
        final=config.final_learning_rate,
    )


def build_optimizer(
    config: OptimizationConfig, learning_rate: float, total_steps: int
) -> keras.optimizers.Optimizer:
    """The optimiser that a configuration asks for.

    Clipping, accumulation and weight averaging are not the optimiser's: Keras's own are
    wrong or impossible on several replicas, so the engine does them (`train_step.py`,
    `weight_average.py`).

    Args:
        config: the update rule and its schedule.
        learning_rate: float. The peak.
        total_steps: int. Length of the training.
    """
    rate = build_schedule(config, learning_rate, total_steps)
    decay = config.weight_decay or None
    if config.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            rate, momentum=config.momentum, nesterov=config.momentum > 0, weight_decay=decay
        )
    elif config.optimizer == "rmsprop":
        optimizer = keras.optimizers.RMSprop(rate, momentum=config.momentum, weight_decay=decay)
    elif config.optimizer == "lamb":
        # You et al., 2020, https://arxiv.org/abs/1904.00962
        optimizer = keras.optimizers.Lamb(rate, weight_decay=decay)
    else:
        optimizer_class = {"adam": Adam, "adamw": AdamW}[config.optimizer]
        optimizer = optimizer_class(rate, beta_1=config.beta_1, weight_decay=decay)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
