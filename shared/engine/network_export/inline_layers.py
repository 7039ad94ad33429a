"""A network of composite layers, written as one of Keras's own layers and operations."""

import contextlib
import inspect
from collections import Counter
from collections.abc import Iterator

import keras


def inline_layers(model: keras.Model) -> keras.Model:
    """The same network without layers of this suite, where none of them has weights of its own.

    A `ResidualBlock` becomes its convolutions, additions and activations, a network within the
    network its layers. The result loads wherever Keras is. A network with a layer that has weights
    beside those of its sublayers, or whose steps Keras cannot record, is returned as it is.

    Args:
        model: functional, for inference; its layers get other names.
    """
    with contextlib.suppress(_OwnWeights, ValueError, TypeError), _inlining():
        return keras.Model(model.input, _call(model, model.input, training=False), name="network")
    return model


class _OwnWeights(Exception):
    """A layer of this suite has weights that are none of its sublayers'."""


@contextlib.contextmanager
def _inlining() -> Iterator[None]:
    """Has layers of this suite computed by their `call`: only its steps are recorded."""
    ordinary = keras.Layer.__call__
    seen: set[int] = set()
    names: Counter[str] = Counter()

    def call(layer, *args, **kwargs):
        ours = type(layer).__module__.partition(".")[0] in ("apps", "shared")
        if ours or isinstance(layer, keras.Model):
            return _call(layer, *args, **kwargs)
        if id(layer) not in seen:
            seen.add(id(layer))
            names[layer.name] += 1
            if names[layer.name] > 1:
                layer.name = f"{layer.name}_no_{names[layer.name]}"
        return ordinary(layer, *args, **kwargs)

    keras.Layer.__call__ = call
    try:
        yield
    finally:
        keras.Layer.__call__ = ordinary


def _call(layer: keras.Layer, *args, **kwargs):
    if any(_is_own(weight, layer) for weight in layer.weights):
        raise _OwnWeights(layer.name)
    if "training" not in inspect.signature(layer.call).parameters:
        kwargs.pop("training", None)
    return layer.call(*args, **kwargs)


def _is_own(weight: keras.Variable, layer: keras.Layer) -> bool:
    """Whether a weight is not one of a sublayer, by its path."""
    _, found, below = f"/{weight.path}".partition(f"/{layer.name}/")
    return bool(found) and "/" not in below
