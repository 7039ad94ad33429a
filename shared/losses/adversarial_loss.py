"""Losses of the generators and discriminators of a GAN, from the discriminator's logits."""

from keras import ops

KINDS = ("least_squares", "vanilla", "wasserstein")


def generator_loss(kind: str, fake_logits):
    """Loss of a generator whose fakes should be taken for real.

    Args:
        kind: "least_squares" ([Mao et al., 2016](https://arxiv.org/abs/1611.04076)), "vanilla"
            ([Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661), the non-saturating form)
            or "wasserstein" ([Arjovsky et al., 2017](https://arxiv.org/abs/1701.07875)).
        fake_logits: float tensor (B, ...). The discriminator's logits of generated images.

    Returns:
        Scalar, the mean over all logits.
    """
    return _to_real(kind, fake_logits)


def discriminator_loss(kind: str, real_logits, fake_logits):
    """Loss of a discriminator that tells real images from fakes.

    Args:
        kind: as for `generator_loss`.
        real_logits, fake_logits: float tensors (B, ...).

    Returns:
        Scalar, the sum of the means over the real and over the fake logits.
    """
    return _to_real(kind, real_logits) + _to_fake(kind, fake_logits)


def _to_real(kind: str, logits):
    if kind == "least_squares":
        return ops.mean(ops.square(logits - 1.0))
    if kind == "vanilla":
        return ops.mean(ops.softplus(-logits))
    return -ops.mean(logits)


def _to_fake(kind: str, logits):
    if kind == "least_squares":
        return ops.mean(ops.square(logits))
    if kind == "vanilla":
        return ops.mean(ops.softplus(logits))
    return ops.mean(logits)
