"""The autoencoder: encoder, decoder and the losses of its four kinds."""

import math
from collections.abc import Sequence

import keras
from keras import ops

from apps.generative.autoencoder.bounds import (
    kl_from_standard_normal,
    log_bernoulli,
    log_importance_weight,
    log_normal,
)
from apps.generative.autoencoder.config import (
    DENOISING,
    SPARSE,
    VARIATIONAL,
    LossConfig,
    ModelConfig,
)
from apps.generative.autoencoder.networks import build_decoder, build_encoder, code_activation
from apps.generative.autoencoder.sparsity import l1_penalty, rate_divergence
from shared.common.config import from_dict, to_dict
from shared.engine.distribution.all_reduce import sum_over_replicas

# A learnt deviation is at least half a level: pixels are known no better.
MIN_LOG_VARIANCE = 2 * math.log(0.5 / 255)


@keras.saving.register_keras_serializable(package="kerasuite")
class Autoencoder(keras.Model):
    """Pictures to codes and back.

    Args:
        config: ModelConfig.
        loss: LossConfig.
        image_shape: (S, S, C) of the pictures.

    Call arguments:
        x: dict of "image", float (B, S, S, C) in 0..1; for the losses "target", the picture
            without noise; and of a variational autoencoder "epsilon", float (B, Z), standard
            normal draws.

    Returns:
        Dict of "code", float32 (B, Z); "log_variance" (B, Z) if variational, where the code is
        the mean; and "logits", float32 (B, S, S, C), of the code drawn with epsilon.

    Reference: [Vincent et al., 2008](https://dl.acm.org/doi/10.1145/1390156.1390294), denoising;
    [Ng, 2011](https://web.stanford.edu/class/cs294a/sparseAutoencoder.pdf), sparse;
    [Kingma and Welling, 2013](https://arxiv.org/abs/1312.6114), variational;
    [Higgins et al., 2017](https://openreview.net/forum?id=Sy2fzU9gl), beta
    """

    def __init__(self, config, loss, image_shape: Sequence[int], **kwargs):
        super().__init__(**kwargs)
        self.config = from_dict(ModelConfig, config)
        self.loss_config = from_dict(LossConfig, loss)
        self.image_shape = tuple(image_shape)
        activation = code_activation(self.config, self.loss_config.sparsity)
        self.encoder = build_encoder(self.config, self.image_shape, activation)
        self.decoder = build_decoder(self.config, self.image_shape)
        self.raw_log_variance = None
        if self.is_variational and self.loss_config.likelihood == "gaussian":
            self.raw_log_variance = self.add_weight(
                shape=(), initializer="zeros", dtype="float32", name="raw_log_variance"
            )
        self.built = True

    @property
    def is_variational(self) -> bool:
        return self.config.kind == VARIATIONAL

    # === Codes and pictures ===

    def call(self, x, training=False):
        if not self.is_variational:
            code = self.encoder(x["image"])
            return {"code": code, "logits": self.decoder(code)}
        mean, log_variance = self.posterior(x["image"])
        code = mean + ops.exp(0.5 * log_variance) * x["epsilon"]
        return {"code": mean, "log_variance": log_variance, "logits": self.decoder(code)}

    def posterior(self, images):
        """Mean and log-variance of the codes of pictures, each (B, Z)."""
        return ops.split(self.encoder(images), 2, axis=-1)

    def encode(self, images):
        """The code of each picture, of a variational autoencoder the mean."""
        return self.posterior(images)[0] if self.is_variational else self.encoder(images)

    def decode(self, code):
        """Pictures (B, S, S, C) in 0..1 of codes (B, Z)."""
        return ops.sigmoid(self.decoder(code))

    # === Losses ===

    @property
    def pixel_log_variance(self):
        """Of the Gaussian likelihood: learnt, but for 1 where there is nothing to weigh it with."""
        if self.raw_log_variance is None:
            return ops.zeros(())
        return MIN_LOG_VARIANCE + ops.softplus(self.raw_log_variance - MIN_LOG_VARIANCE)

    def log_likelihood(self, pictures, logits):
        """log p(picture | code) of each picture, in nats: (B, S, S, C) twice to (B,)."""
        if self.loss_config.likelihood == "bernoulli":
            return log_bernoulli(pictures, logits)
        return log_normal(pictures, ops.sigmoid(logits), self.pixel_log_variance)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean over the pictures of the negative log-likelihood, and what the kind adds to it."""
        loss = -ops.mean(self.log_likelihood(x["target"], y_pred["logits"]))
        if self.is_variational:
            divergence = kl_from_standard_normal(y_pred["code"], y_pred["log_variance"])
            return loss + self.loss_config.beta * ops.mean(divergence)
        if self.config.kind == SPARSE:
            return loss + self.loss_config.sparsity_weight * self._penalty(y_pred["code"])
        return loss

    def _penalty(self, code):
        if self.loss_config.sparsity == "l1":
            return ops.mean(l1_penalty(code))
        # Of the whole batch: the divergence of a part's mean is another one.
        count = ops.cast(ops.shape(code)[0], code.dtype)
        mean = sum_over_replicas(ops.sum(code, axis=0)) / sum_over_replicas(count)
        return rate_divergence(mean, self.loss_config.target_rate)

    def batch_metrics(self, x, y, y_pred, sample_weight=None):
        """The terms of the loss without their weights; of a sparse code its mean."""
        terms = {"reconstruction": -ops.mean(self.log_likelihood(x["target"], y_pred["logits"]))}
        if self.is_variational:
            divergence = kl_from_standard_normal(y_pred["code"], y_pred["log_variance"])
            terms["kl"] = ops.mean(divergence)
        if self.config.kind == SPARSE:
            terms["mean_activation"] = ops.mean(y_pred["code"])
        return terms

    # === Evaluation ===

    def predictions(self, x, outputs):
        """Codes, pictures as levels, and the terms of the loss of each picture.

        Returns:
            The outputs "code" and "log_variance"; "target", "input" (denoising only) and
            "reconstruction", of the code itself, uint8 (B, S, S, C); "nats", the negative
            log-likelihood of the drawn code; "mse"; and "kl", float32 (B,).
        """
        made = self.decode(outputs["code"])
        found = {name: value for name, value in outputs.items() if name != "logits"}
        found |= {
            "target": as_levels(x["target"]),
            "reconstruction": as_levels(made),
            "nats": -self.log_likelihood(x["target"], outputs["logits"]),
            "mse": squared_error(x["target"], made),
        }
        if self.config.kind == DENOISING:
            found["input"] = as_levels(x["image"])
        if self.is_variational:
            found["kl"] = kl_from_standard_normal(outputs["code"], outputs["log_variance"])
        return found

    def log_weights(self, pictures, epsilon):
        """Log importance weight of a code drawn for each picture, see `importance_weighted_bound`.

        Args:
            pictures: float (B, S, S, C) in 0..1.
            epsilon: float (B, Z), standard normal draws.
        """
        mean, log_variance = self.posterior(pictures)
        code = mean + ops.exp(0.5 * log_variance) * epsilon
        likelihood = self.log_likelihood(pictures, self.decoder(code))
        return log_importance_weight(likelihood, code, mean, log_variance)

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "config": to_dict(self.config),
            "loss": to_dict(self.loss_config),
            "image_shape": list(self.image_shape),
        }


def squared_error(pictures, made):
    """Mean squared difference of each picture, (B, S, S, C) twice to (B,)."""
    return ops.mean(ops.square(pictures - made), axis=(1, 2, 3))


def as_levels(pictures):
    """0..1 to uint8 0..255."""
    return ops.cast(ops.round(ops.clip(pictures, 0.0, 1.0) * 255.0), "uint8")
