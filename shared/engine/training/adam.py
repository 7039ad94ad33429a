"""Adam in one pass over the weights."""

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

    def update_step(self, gradient, variable, learning_rate):
        if isinstance(gradient, tf.IndexedSlices) or self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index].value, self._velocities[index].value
        step = tf.cast(self.iterations.value + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=momentum.handle,
            v=velocity.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=tf.cast(self.beta_1, variable.dtype),
            beta2=tf.cast(self.beta_2, variable.dtype),
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
        )


@keras.saving.register_keras_serializable(package="kerasuite")
class AdamW(Adam):
    """The same; with `weight_decay` this is its name, which its variables have in checkpoints."""
