"""Terms of the variational bound: divergence from the prior and likelihood of a picture.

All are in nats. Sums are over all but the first axis: a value for each picture.
"""

import math

from keras import ops

LOG_2_PI = math.log(2 * math.pi)


def kl_from_standard_normal(mean, log_variance):
    """KL(N(mean, variance) || N(0, 1)), the sum over the numbers of a code.

    `-1/2 sum (1 + log variance - mean^2 - variance)`, appendix B of the paper.

    Args:
        mean, log_variance: float tensors (B, Z).

    Returns:
        Tensor (B,).

    Reference: [Kingma and Welling, 2013](https://arxiv.org/abs/1312.6114)
    """
    terms = 1 + log_variance - ops.square(mean) - ops.exp(log_variance)
    return -0.5 * ops.sum(terms, axis=-1)


def log_normal(values, mean, log_variance):
    """Log-density of independent normal numbers.

    Args:
        values: float tensor (B, ...).
        mean, log_variance: tensors of that shape, or numbers.

    Returns:
        Tensor (B,).
    """
    squares = ops.square(values - mean) * ops.exp(-log_variance)
    return _sum(-0.5 * (LOG_2_PI + log_variance + squares))


def log_bernoulli(values, logits):
    """Log-probability of independent pixels that are 1 with the probability sigmoid(logits).

    Pixels between 0 and 1 count as that part of a 1: the negative cross-entropy.

    Args:
        values: float tensor (B, ...) in 0..1.
        logits: tensor of that shape.

    Returns:
        Tensor (B,).
    """
    return _sum(values * logits - ops.softplus(logits))


def log_importance_weight(log_likelihood, code, mean, log_variance):
    """log p(x, z) - log q(z | x) of a code z that was drawn from q.

    Args:
        log_likelihood: tensor (B,), log p(x | z).
        code: tensor (B, Z).
        mean, log_variance: tensors (B, Z) of q.

    Returns:
        Tensor (B,).
    """
    zero = ops.zeros_like(log_variance)
    return log_likelihood + log_normal(code, zero, zero) - log_normal(code, mean, log_variance)


def importance_weighted_bound(log_weights):
    """Log of the mean importance weight: a lower bound of log p(x), tighter with more samples.

    Args:
        log_weights: tensor (K, B) of K samples.

    Returns:
        Tensor (B,).

    Reference: [Burda et al., 2015](https://arxiv.org/abs/1509.00519), equation 8
    """
    return ops.logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])


def _sum(values):
    return ops.sum(ops.reshape(values, (ops.shape(values)[0], -1)), axis=-1)
