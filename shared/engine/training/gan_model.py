"""Generators against discriminators: the training step that every GAN shares.

    class MyGAN(GANModel):
        def generator_losses(self, batch):              # -> ({"adversarial": mean, ...}, fakes)
        def discriminator_losses(self, batch, fakes):   # -> {"discriminator": mean}

    model.compile({"generator": Adam(2e-4, 0.5), "discriminator": Adam(2e-4, 0.5)})

Both losses are means over the rows that they are given. What several replicas, uneven batches,
micro-batches, clipping and scaled losses ask for is done here, once.

With `critic_steps` the discriminators come first and take several steps for each of the
generators'; every tensor of a batch then has an axis of that length behind its rows, and each
step takes its part of it. Rows are what is split over replicas and micro-batches, so that a step
sees the same examples however they are split.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from shared.engine.distribution.all_reduce import sum_over_replicas
from shared.engine.training.train_step import Means, apply_gradients, in_micro_batches

GENERATOR, DISCRIMINATOR = "generator", "discriminator"
# What a side's sum of terms is reported as.
LOSS_OF = {GENERATOR: "loss", DISCRIMINATOR: "discriminator_loss"}

Terms = dict[str, tf.Tensor]


class GANModel(keras.Model):
    """A model whose generators and discriminators are trained in turn.

    A step first improves the generators; what they made, without its gradient, then serves to
    improve the discriminators. With `critic_steps` it first improves the discriminators, on fakes
    made anew for each of their steps. Subclasses build `generators` and `discriminators` in their
    constructor, so that all variables exist before the first step, and write the two losses.

    Micro-batches give the gradients of the whole batch, but for networks with batch
    normalisation: each micro-batch is then normalised by its own statistics.

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
        self,
        optimizers: Mapping[str, keras.optimizers.Optimizer],
        clip_norm: float = 0.0,
        micro_batches: int = 1,
        critic_steps: int = 0,
    ) -> None:
        """Takes an optimiser for each side.

        Args:
            optimizers: one for "generator" and one for "discriminator"; never the same object.
            clip_norm: float. Clips the global norm of each side's gradient; 0 is off.
            micro_batches: int. Parts of a batch whose gradients are summed, to save memory.
            critic_steps: int. Steps of the discriminators before each of the generators', on
                batches {name: (B, critic_steps, ...)}; 0 trains the generators first, on batches
                {name: (B, ...)}.
        """
        if set(optimizers) != {GENERATOR, DISCRIMINATOR}:
            raise ValueError(f"needs optimisers for generator and discriminator, got {optimizers}")
        self.optimizers = dict(optimizers)
        self.clip_norm, self.micro_batches = clip_norm, micro_batches
        self.critic_steps = critic_steps

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

    def make_fakes(self, batch: Any) -> Any:
        """Fakes for a step of the discriminators; with `critic_steps` only."""
        raise NotImplementedError

    def after_discriminator_step(self) -> None:
        """May change the discriminators' weights after each of their steps (weight clipping)."""
        return None

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
        total_count = sum_over_replicas(row_count(batch))
        if self.critic_steps:
            return self._critic_first(batch, total_count)
        means, fakes = self._improve(GENERATOR, self.generator_losses, batch, total_count)
        fakes = tf.nest.map_structure(tf.stop_gradient, fakes)
        fakes = self.fakes_to_judge(batch, fakes)
        return means | self._judge(
            lambda rows: (self.discriminator_losses(*rows), ()), (batch, fakes), total_count
        )

    def _critic_first(self, batch: Any, total_count: tf.Tensor) -> Means:
        """The discriminators' steps, then the generators'; reports the last of each."""

        def losses(rows):
            fakes = tf.nest.map_structure(tf.stop_gradient, self.make_fakes(rows))
            return self.discriminator_losses(rows, fakes), ()

        for index in range(self.critic_steps):
            part = tf.nest.map_structure(lambda tensor: tensor[:, index], batch)  # noqa: B023
            judged = self._judge(losses, part, total_count)
        means, _ = self._improve(
            GENERATOR, lambda rows: (self.generator_losses(rows)[0], ()), part, total_count
        )
        return means | judged

    def _judge(self, losses: Callable, batch: Any, total_count: tf.Tensor) -> Means:
        """One step of the discriminators and what follows it."""
        means, _ = self._improve(DISCRIMINATOR, losses, batch, total_count)
        self.after_discriminator_step()
        return means

    def _improve(
        self,
        name: str,
        losses: Callable[[Any], tuple[Terms, Any]],
        batch: Any,
        total_count: tf.Tensor,
    ) -> tuple[Means, Any]:
        """Moves one side down the gradient of its mean loss over the global batch.

        Args:
            name: "generator" or "discriminator".
            losses: function of rows to (terms, tensors with a row for each).
            batch: this replica's rows.
            total_count: float scalar. Rows of the global batch. A mean is weighed by its part of
                them: the sum over micro-batches and replicas is then the mean over all rows.

        Returns:
            (what to report, the tensors that `losses` gave).
        """
        optimizer, variables = self.optimizers[name], self.variables_of(name)

        def compute(rows):
            count = row_count(rows)
            with tf.GradientTape() as tape:
                terms, made = losses(rows)
                terms = {term: tf.cast(value, tf.float32) for term, value in terms.items()}
                scaled = optimizer.scale_loss(total(terms) * (count / total_count))
            gradients = tape.gradient(scaled, [variable.value for variable in variables])
            means = {LOSS_OF[name]: total(terms), **terms}
            return gradients, {key: (mean * count, count) for key, mean in means.items()}, made

        gradients, means, made = in_micro_batches(compute, batch, self.micro_batches)
        apply_gradients(optimizer, gradients, variables, self.clip_norm)
        return means, made


def input_gradient(score: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
    """The gradient of each example's score with respect to the example.

    Args:
        score: function of float (B, ...) to scores (B, ...); an example's own are averaged.

    Returns:
        Function of float (B, ...) to its gradient, as `shared.losses.gradient_penalty` takes it.
    """

    def gradient(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            scores = score(inputs)
            total = tf.reduce_sum(tf.reduce_mean(scores, axis=list(range(1, scores.shape.rank))))
        return tape.gradient(total, inputs)

    return gradient


def row_count(batch: Any) -> tf.Tensor:
    """Number of rows of a batch, a float32 scalar."""
    return tf.cast(tf.shape(tf.nest.flatten(batch)[0])[0], tf.float32)


def total(terms: Terms) -> tf.Tensor:
    """Sum of named losses."""
    return tf.add_n(list(terms.values()))
