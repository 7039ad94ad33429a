"""Losses of the generators and discriminators of a GAN, from the discriminator's logits."""

from keras import ops


def generator_loss(kind: str, fake_logits):
    """Loss of a generator whose fakes should be taken for real.

    Args:
        kind: "vanilla", the minimax game `mean log(1 - D(fake))`, and "non-saturating",
            `-mean log D(fake)` (both [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661));
            "least-squares" ([Mao et al., 2016](https://arxiv.org/abs/1611.04076)); "hinge"
            ([Lim and Ye, 2017](https://arxiv.org/abs/1705.02894)); or "wasserstein"
            ([Arjovsky et al., 2017](https://arxiv.org/abs/1701.07875)).
        fake_logits: float tensor (B, ...). The discriminator's logits of generated images.

    Returns:
        Scalar, the mean over all logits.
    """
    if kind == "vanilla":
        return -_to_fake(kind, fake_logits)
    if kind == "hinge":
        return -ops.mean(fake_logits)
    return _to_real(kind, fake_logits)


def discriminator_loss(kind: str, real_logits, fake_logits):
    """Loss of a discriminator that tells real images from fakes.

    Args:
        kind: as for `generator_loss`; "vanilla" and "non-saturating" are the same here.
        real_logits, fake_logits: float tensors (B, ...).

    Returns:
        Scalar, the sum of the means over the real and over the fake logits.
    """
    return _to_real(kind, real_logits) + _to_fake(kind, fake_logits)


def _to_real(kind: str, logits):
    if kind == "least-squares":
        return ops.mean(ops.square(logits - 1.0))
    if kind in ("vanilla", "non-saturating"):
        return ops.mean(ops.softplus(-logits))
    if kind == "hinge":
        return ops.mean(ops.relu(1.0 - logits))
    return -ops.mean(logits)


def _to_fake(kind: str, logits):
    if kind == "least-squares":
        return ops.mean(ops.square(logits))
    if kind in ("vanilla", "non-saturating"):
        return ops.mean(ops.softplus(logits))
    if kind == "hinge":
        return ops.mean(ops.relu(1.0 + logits))
    return ops.mean(logits)
