"""Adam in one pass over the weights, and a step that is quick to trace."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="kerasuite")
class Adam(keras.optimizers.Adam):
    """Keras's Adam, each weight updated by TensorFlow's own operation for it.

    Keras writes the update as twelve operations that each read and write as many numbers as there
    are weights. Gradients of a few rows of an embedding (`tf.IndexedSlices`) and `amsgrad` take
    Keras's way.

    Args:
        learning_rate: float or schedule.
        weight_decay: float or None. Decoupled, as in AdamW.
        kwargs: of `keras.optimizers.Adam`.

    Reference: [Kingma and Ba, 2015](https://arxiv.org/abs/1412.6980), the form before section 2.1
    with its epsilon; [Loshchilov and Hutter, 2019](https://arxiv.org/abs/1711.05101) for the decay.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._graph_of_step, self._of_step = None, {}

    def apply(self, grads, trainable_variables=None):
        self._of_step.clear()
        super().apply(grads, trainable_variables)
        self._of_step.clear()

    @property
    def learning_rate(self):
        # Keras asks for every weight that decays; a schedule takes some thirty operations.
        return self._once("learning_rate", lambda: keras.optimizers.Adam.learning_rate.fget(self))

    @learning_rate.setter
    def learning_rate(self, value):
        keras.optimizers.Adam.learning_rate.fset(self, value)

    def update_step(self, gradient, variable, learning_rate):
        if isinstance(gradient, tf.IndexedSlices) or self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index].value, self._velocities[index].value
        dtype = variable.dtype
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=momentum.handle,
            v=velocity.handle,
            lr=tf.cast(learning_rate, dtype),
            grad=tf.cast(gradient, dtype),
            **self._once(dtype, lambda: self._arguments(dtype)),
        )

    def _arguments(self, dtype: tf.DType) -> dict[str, tf.Tensor]:
        """The arguments of the operation that are the same for all weights of a type."""
        step = tf.cast(self.iterations.value + 1, dtype)
        beta1, beta2 = tf.cast(self.beta_1, dtype), tf.cast(self.beta_2, dtype)
        return {
            "beta1": beta1,
            "beta2": beta2,
            "beta1_power": tf.pow(beta1, step),
            "beta2_power": tf.pow(beta2, step),
            "epsilon": tf.cast(self.epsilon, dtype),
        }

    def _once(self, key: Any, compute: Callable[[], Any]) -> Any:
        """A value of one `apply`, which is traced once and not for each weight."""
        if tf.executing_eagerly():
            return compute()
        graph = tf.compat.v1.get_default_graph()
        if self._graph_of_step is not graph:
            self._graph_of_step = graph
            self._of_step.clear()
        if key not in self._of_step:
            self._of_step[key] = compute()
        return self._of_step[key]


@keras.saving.register_keras_serializable(package="kerasuite")
class AdamW(Adam):
    """The same; with `weight_decay` this is its name, which its variables have in checkpoints."""
