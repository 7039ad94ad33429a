"""Generators against discriminators: the training step that every GAN shares.

    class MyGAN(GANModel):
        def generator_losses(self, batch):              # -> ({"adversarial": mean, ...}, fakes)
        def discriminator_losses(self, batch, fakes):   # -> {"discriminator": mean}

    model.compile({"generator": Adam(2e-4, 0.5), "discriminator": Adam(2e-4, 0.5)})

Both losses are means over the rows that they are given. What several replicas, uneven batches,
clipping and scaled losses ask for is done here, once.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from shared.engine.distribution.all_reduce import sum_over_replicas
from shared.engine.training.train_step import apply_gradients

GENERATOR, DISCRIMINATOR = "generator", "discriminator"

Terms = dict[str, tf.Tensor]


class GANModel(keras.Model):
    """A model whose generators and discriminators are trained in turn.

    A step first improves the generators; what they made, without its gradient, then serves to
    improve the discriminators. Subclasses build `generators` and `discriminators` in their
    constructor, so that all variables exist before the first step, and write the two losses.

    Args:
        generators, discriminators: built networks, in any number.

    Attributes:
        optimizers: {"generator": optimizer, "discriminator": optimizer}, once compiled.

    Reference: [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661)
    """

    def __init__(self, generators, discriminators, **kwargs):
        super().__init__(**kwargs)
        self.networks = {GENERATOR: list(generators), DISCRIMINATOR: list(discriminators)}
        # The engine asks each model for `optimizer`; this one has several.
        self.optimizer = None

    def compile(
        self, optimizers: Mapping[str, keras.optimizers.Optimizer], clip_norm: float = 0.0
    ) -> None:
        """Takes an optimiser for each side.

        Args:
            optimizers: one for "generator" and one for "discriminator"; never the same object.
            clip_norm: float. Clips the global norm of each side's gradient; 0 is off.
        """
        if set(optimizers) != {GENERATOR, DISCRIMINATOR}:
            raise ValueError(f"needs optimisers for generator and discriminator, got {optimizers}")
        self.optimizers = dict(optimizers)
        self.clip_norm = clip_norm

    # === What a GAN writes ===

    def generator_losses(self, batch: Any) -> tuple[Terms, Any]:
        """Losses of the generators, and what they made.

        Args:
            batch: this replica's rows, as the data set gives them.

        Returns:
            Name to scalar mean over these rows, weighed, so that the loss is their sum; and the
            generated tensors, in any structure, for `discriminator_losses`.
        """
        raise NotImplementedError

    def discriminator_losses(self, batch: Any, fakes: Any) -> Terms:
        """Losses of the discriminators: name to scalar mean over these rows, weighed.

        Args:
            batch: this replica's rows.
            fakes: what `fakes_to_judge` made of the generated tensors; no gradient passes them.
        """
        raise NotImplementedError

    def fakes_to_judge(self, batch: Any, fakes: Any) -> Any:
        """May replace the newest fakes by others (CycleGAN's image pool)."""
        return fakes

    def training_state(self) -> list[Any]:
        """Objects with `variables` that only training needs: in checkpoints, not in exports."""
        return []

    # === What the engine asks for ===

    def variables_of(self, name: str) -> list[keras.Variable]:
        """The variables that the optimiser `name` trains."""
        return [v for network in self.networks[name] for v in network.trainable_variables]

    def averaged_weights(self) -> list[keras.Variable]:
        """Weights that have a moving average: the generators', which alone are used later."""
        return [weight for network in self.networks[GENERATOR] for weight in network.weights]

    def replica_step(self, batch: Any) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """One step of each side on this replica's rows: what to report, name to (sum, weight).

        "loss" is the generators' and "discriminator_loss" the discriminators' sum of terms.
        """
        count = tf.cast(tf.shape(tf.nest.flatten(batch)[0])[0], tf.float32)
        share = count / sum_over_replicas(count)

        terms, fakes = self._improve(GENERATOR, lambda: self.generator_losses(batch), share)
        fakes = tf.nest.map_structure(tf.stop_gradient, fakes)
        fakes = self.fakes_to_judge(batch, fakes)
        judged, _ = self._improve(
            DISCRIMINATOR, lambda: (self.discriminator_losses(batch, fakes), None), share
        )
        means = {"loss": total(terms), **terms, "discriminator_loss": total(judged), **judged}
        return {name: (mean * count, count) for name, mean in means.items()}

    def _improve(self, name: str, losses: Callable[[], tuple[Terms, Any]], share: tf.Tensor):
        """Moves one side down the gradient of its mean loss over the global batch.

        Args:
            name: "generator" or "discriminator".
            losses: gives (terms, anything else).
            share: float scalar. This replica's part of the global batch, by which its mean is
                weighed: the sum over the replicas is then the mean over all rows.
        """
        optimizer, variables = self.optimizers[name], self.variables_of(name)
        with tf.GradientTape() as tape:
            terms, rest = losses()
            terms = {term: tf.cast(value, tf.float32) for term, value in terms.items()}
            scaled = optimizer.scale_loss(total(terms) * share)
        gradients = tape.gradient(scaled, [variable.value for variable in variables])
        apply_gradients(optimizer, gradients, variables, self.clip_norm)
        return terms, rest


def total(terms: Terms) -> tf.Tensor:
    """Sum of named losses."""
    return tf.add_n(list(terms.values()))
