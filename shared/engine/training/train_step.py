"""One optimisation step: the gradient of the mean loss over the global batch.

Each replica computes the mean over its own rows and weighs it by its share of the global
number of items, so that the sum over replicas is the mean over all items, however unevenly
they are split. Gradients are summed over the replicas once, then clipped, then applied.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from shared.common.config import OptimizationConfig
from shared.engine.distribution.all_reduce import sum_over_replicas
from shared.engine.training.keras_patches import expect_reduced_gradients
from shared.engine.training.weight_average import WeightAverage

# Name to (sum over items, number of items): what a step reports and the engine averages.
Means = dict[str, tuple[tf.Tensor, tf.Tensor]]


def build_train_step(
    model: keras.Model,
    strategy: tf.distribute.Strategy,
    config: OptimizationConfig,
    average: WeightAverage | None = None,
    batch_spec: Any = None,
    cpu_data_parallel: bool = False,
    xla: bool = False,
) -> Callable[[Any], Means]:
    """Compiles the step of a model.

    Args:
        model: a compiled, built model (see `shared.engine.app`).
        strategy: the strategy that the model was built under.
        config: clipping and accumulation.
        average: moved after every step, if given.
        batch_spec: specs of a batch; with lengths that differ from batch to batch (None there)
            there is then one graph from the start.
        cpu_data_parallel: whether two micro-batches are computed at once, see
            `cpu_data_parallel.py`.
        xla: whether XLA compiles the step, see `use_xla`.

    Returns:
        Function of a batch, as `replicas.split` gives it, to `Means` over all replicas.
    """
    replica_step = getattr(model, "replica_step", None) or _default_step(
        model, config, cpu_data_parallel
    )

    # Without a spec, which the values of several replicas have not, a second length makes a graph
    # for any length.
    signature = None if batch_spec is None else [batch_spec]

    # AutoGraph, which no model needs (see `App.batches`), took a third of the time of tracing.
    @tf.function(
        input_signature=signature,
        autograph=False,
        reduce_retracing=signature is None,
        jit_compile=xla or None,
    )
    def step(batch):
        means = strategy.run(replica_step, args=(batch,))
        if average is not None:
            average.update()
        return tf.nest.map_structure(
            lambda value: strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None), means
        )

    return step


def prepare_optimizer(model: keras.Model) -> None:
    """Creates the variables of the optimisers for all weights, before any layer is frozen.

    Called once, in the scope of the strategy, so that checkpoints always hold them all. A model
    with several optimisers (a GAN) keeps them in the dict `optimizers` and says with
    `variables_of(name)` what each of them trains; its `replica_step` takes the gradient of
    `optimizer.scale_loss(loss)` and calls `apply_gradients`.
    """
    if getattr(model, "optimizers", None):
        for name, optimizer in model.optimizers.items():
            model.optimizers[name] = _prepared(with_loss_scale(optimizer), model.variables_of(name))
    elif model.optimizer is not None:
        _prepared(model.optimizer, model.trainable_variables)


def _prepared(optimizer, variables):
    optimizer.build(variables)
    expect_reduced_gradients(optimizer)
    return optimizer


def with_loss_scale(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Scales losses under mixed_float16, as `compile` does for a model's only optimiser."""
    half = keras.config.dtype_policy().name == "mixed_float16"
    if half and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _default_step(
    model: keras.Model, config: OptimizationConfig, cpu_data_parallel: bool
) -> Callable[[Any], Means]:
    optimizer = model.optimizer

    def step(batch):
        total = sum_over_replicas(item_count(model, batch))

        def compute(rows):
            return *gradients_and_means(model, rows, total), ()

        count, parallel = (2, 2) if cpu_data_parallel else (config.micro_batches, 1)
        gradients, means, _ = in_micro_batches(compute, batch, count, parallel)
        apply_gradients(optimizer, gradients, model.trainable_variables, config.clip_norm)
        return means

    return step


def gradients_and_means(model: keras.Model, batch: Any, total: tf.Tensor):
    """Gradients of this replica's share of the global mean loss, and what to report.

    Args:
        model: the model; its optimiser scales the loss under mixed_float16.
        batch: (x, y, sample_weight) of this replica.
        total: float scalar. Number of items in the global batch.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    count = item_count(model, batch)
    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        terms = loss_terms(model, x, y, outputs, sample_weight, training=True)
        share = tf.cast(count / total, terms["loss"].dtype)
        scaled = model.optimizer.scale_loss(terms["loss"] * share)
    gradients = tape.gradient(scaled, [v.value for v in model.trainable_variables])
    for gradient, variable in zip(gradients, model.trainable_variables, strict=True):
        # A dense layer on sequences does not know its gradient's, which a loop asks for.
        if isinstance(gradient, tf.Tensor):
            gradient.set_shape(variable.shape)
    if hasattr(model, "batch_metrics"):
        terms = terms | model.batch_metrics(x, y, outputs, sample_weight)
    means = {name: (tf.cast(value, tf.float32) * count, count) for name, value in terms.items()}
    return gradients, means


def loss_terms(model, x, y, outputs, sample_weight, training: bool) -> dict[str, tf.Tensor]:
    """The loss under "loss" and, where the model names them, its terms.

    Args:
        model: the model.
        x, y, sample_weight: of a batch.
        outputs: of the model for `x`.
        training: bool. Whether they are those of a training step.
    """
    loss = model.compute_loss(
        x=x, y=y, y_pred=outputs, sample_weight=sample_weight, training=training
    )
    if not isinstance(loss, dict):
        return {"loss": loss}
    named = loss if len(loss) > 1 else {}
    return {"loss": tf.add_n(list(loss.values())), **named}


def item_count(model: keras.Model, batch: Any) -> tf.Tensor:
    """Number of items that the loss of this replica is the mean over, a float32 scalar."""
    if hasattr(model, "loss_weight"):
        return tf.cast(model.loss_weight(*keras.utils.unpack_x_y_sample_weight(batch)), tf.float32)
    return tf.cast(tf.shape(tf.nest.flatten(batch)[0])[0], tf.float32)


def apply_gradients(optimizer, gradients, variables, clip_norm: float) -> None:
    """Sums the gradients over the replicas, clips their global norm and applies them.

    Args:
        optimizer: prepared by `prepare_optimizer`.
        gradients: of this replica's share of the loss; None where there is none.
        variables: as many.
        clip_norm: float. The largest global norm; 0 does not clip.
    """
    pairs = [(g, v) for g, v in zip(gradients, variables, strict=True) if g is not None]
    gradients = sum_over_replicas([g for g, _ in pairs])
    if clip_norm:
        # The rows of an embedding that several positions share have to be added up first.
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        # Under mixed_float16 the gradients are scaled like the loss; so is the threshold.
        threshold = optimizer.scale_loss(tf.constant(clip_norm, tf.float32))
        gradients, _ = tf.clip_by_global_norm(gradients, threshold)
    optimizer.apply(gradients, [v for _, v in pairs])


def in_micro_batches(
    compute: Callable[[Any], tuple[list, Means, Any]], batch: Any, count: int, parallel: int = 1
) -> tuple[list, Means, Any]:
    """Computes a batch in micro-batches, one after the other to save memory, or in parallel.

    Args:
        compute: function of a micro-batch to its share of the gradients (None where there is
            none), its `Means`, and further tensors with a row for each of its own.
        batch: this replica's rows.
        count: int. Number of micro-batches; none has fewer rows than one.
        parallel: int. Number of them that are computed at once.

    Returns:
        The sums of gradients and means; the further tensors of all rows.
    """
    if count == 1:
        return compute(batch)
    rows = tf.shape(tf.nest.flatten(batch)[0])[0]
    count = tf.minimum(count, rows)

    def micro_batch(index):
        begin, end = index * rows // count, (index + 1) * rows // count
        return tf.nest.map_structure(lambda tensor: tensor[begin:end], batch)

    gradients, means, made = compute(micro_batch(0))
    gradients = [None if g is None else tf.convert_to_tensor(g) for g in gradients]
    used = [index for index, g in enumerate(gradients) if g is not None]
    arrays = [_row_array(tensor, count).write(0, tensor) for tensor in tf.nest.flatten(made)]

    def add(index, sums, arrays):
        more, more_means, more_made = compute(micro_batch(index))
        more = [tf.convert_to_tensor(more[i]) for i in used]
        rows_made = zip(arrays, tf.nest.flatten(more_made), strict=True)
        return (
            index + 1,
            tf.nest.map_structure(tf.add, sums, (more, more_means)),
            [array.write(index, tensor) for array, tensor in rows_made],
        )

    sums = ([gradients[i] for i in used], means)
    # The loop begins with the first micro-batch, unless it has to wait for it.
    with tf.control_dependencies(tf.nest.flatten(sums) if parallel == 1 else []):
        second = tf.constant(1)
    _, (summed, means), arrays = tf.while_loop(
        lambda index, *_: index < count,
        add,
        (second, sums, arrays),
        parallel_iterations=parallel,
    )
    for i, gradient in zip(used, summed, strict=True):
        gradients[i] = gradient
    return gradients, means, tf.nest.pack_sequence_as(made, [array.concat() for array in arrays])


def _row_array(tensor: tf.Tensor, count: tf.Tensor) -> tf.TensorArray:
    """An array for what micro-batches of unequal numbers of rows make."""
    shape = tf.TensorShape([None, *tensor.shape[1:]])
    return tf.TensorArray(tensor.dtype, count, infer_shape=False, element_shape=shape)
