"""Losses of classes and of numbers, one for each row."""

from keras import ops

from apps.tables.perceptrons.config import LossConfig
from shared.losses.smooth_l1 import smooth_l1
from shared.losses.smoothed_cross_entropy import smoothed_cross_entropy


def class_losses(labels, logits, config: LossConfig, smoothing: float = 0.0):
    """The loss of each row.

    Args:
        labels: int tensor (B,).
        logits: float32 tensor (B, C).
        config: kind of loss.
        smoothing: float. Part of the label spread over all classes.

    Returns:
        float32 tensor (B,).
    """
    if config.loss == "hinge":
        return hinge(labels, logits)
    if config.loss == "perceptron":
        return perceptron_criterion(labels, logits)
    losses = smoothed_cross_entropy(labels, logits, smoothing)
    if config.loss == "focal":
        # Lin et al., 2017, https://arxiv.org/abs/1708.02002, equation 4.
        losses = losses * (1.0 - ops.exp(-losses)) ** config.focal_gamma
    return losses


def hinge(labels, logits):
    """max(0, 1 + the largest other logit - the label's).

    Args:
        labels: int tensor (B,).
        logits: float32 tensor (B, C).

    Reference: [Crammer and Singer, 2001](https://jmlr.org/papers/v2/crammer01a.html)
    """
    return ops.relu(1.0 - margins(labels, logits))


def perceptron_criterion(labels, logits):
    """How far a row is on the wrong side; a step against its gradient is Rosenblatt's rule.

    A row that is right changes nothing. Of one that is not, or is undecided, the inputs are added
    to the weights of the label, and taken from those of the class that has the largest logit.

    Args:
        labels: int tensor (B,).
        logits: float32 tensor (B, C).

    Reference: [Rosenblatt, 1958](https://doi.org/10.1037/h0042519)
    """
    distance = margins(labels, logits)
    return ops.where(distance > 0, 0.0, -distance)


def margins(labels, logits):
    """The logit of the label less the largest other one: (B,)."""
    is_label = ops.cast(ops.one_hot(labels, logits.shape[-1]), "bool")
    own = ops.sum(ops.where(is_label, logits, 0.0), axis=-1)
    return own - ops.max(ops.where(is_label, -1e30, logits), axis=-1)


def number_losses(targets, outputs, config: LossConfig):
    """The loss of each row, the mean over its targets.

    Args:
        targets, outputs: float32 tensors (B, T), in standard deviations.
        config: kind of loss.

    Returns:
        float32 tensor (B,).
    """
    differences = outputs - targets
    if config.loss == "mae":
        losses = ops.abs(differences)
    elif config.loss == "huber":
        # Huber, 1964, https://doi.org/10.1214/aoms/1177703732
        losses = config.huber_delta * smooth_l1(differences, config.huber_delta)
    else:
        losses = ops.square(differences)
    return ops.mean(losses, axis=-1)
