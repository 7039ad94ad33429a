"""Penalties that keep most numbers of a code at rest."""

from keras import ops

EPSILON = 1e-6


def l1_penalty(code):
    """Sum of the absolute values of each code: float (B, Z) to (B,)."""
    return ops.sum(ops.abs(code), axis=-1)


def rate_divergence(mean_activation, target_rate: float):
    """Sum over the numbers of a code of KL(target rate || mean activation), both of a coin.

    Args:
        mean_activation: float tensor (Z,) in 0..1, the mean of each number over pictures.
        target_rate: float in 0..1.

    Returns:
        Scalar.

    Reference: [Ng, 2011](https://web.stanford.edu/class/cs294a/sparseAutoencoder.pdf), Sparse
    autoencoder, section 3
    """
    rate = ops.clip(mean_activation, EPSILON, 1 - EPSILON)
    active = target_rate * ops.log(target_rate / rate)
    resting = (1 - target_rate) * ops.log((1 - target_rate) / (1 - rate))
    return ops.sum(active + resting)
