"""The gradient penalty of Wasserstein critics."""

from keras import ops


def gradient_penalty(input_gradient, real, fake, mix):
    """Penalty on critics whose gradient norm between fakes and real examples is not 1.

    Args:
        input_gradient: function of float (B, ...) to the gradient of the critic's score of each
            example with respect to it, (B, ...).
        real, fake: float (B, ...).
        mix: float (B,) in [0, 1). Weights of the real examples in the interpolation.

    Returns:
        Scalar, the mean of (norm - 1)**2.

    Reference: [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028)
    """
    fake = ops.cast(fake, real.dtype)
    axes = tuple(range(1, len(real.shape)))
    mix = ops.reshape(ops.cast(mix, real.dtype), (-1, *[1 for _ in axes]))
    squares = ops.square(input_gradient(mix * real + (1 - mix) * fake))
    norm = ops.sqrt(ops.sum(squares, axis=axes) + 1e-12)
    return ops.mean(ops.square(norm - 1.0))
