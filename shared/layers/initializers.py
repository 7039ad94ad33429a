"""Initializers of layers that make several matrices from one initializer."""

import keras


def fresh_initializer(initializer):
    """An initializer that draws numbers of its own.

    One instance gives the same numbers at every call, so that two matrices of one shape would be
    equal; Keras clones them in its own layers, too. A seed that was given stays.

    Args:
        initializer: name, configuration or instance of a Keras initializer.
    """
    found = keras.initializers.get(initializer)
    return found.clone() if found is initializer and hasattr(found, "clone") else found


def joint_initializer(initializer, input_dim, output_dim, parts):
    """An initializer of matrices side by side that gives each what it would have alone.

    Glorot's and He's deviations depend on the shape, of which the joint matrix has another one.

    Args:
        initializer: name, configuration or instance of a Keras initializer.
        input_dim, output_dim: int. Shape of one matrix.
        parts: int. How many stand side by side.
    """
    found = fresh_initializer(initializer)
    if not isinstance(found, keras.initializers.VarianceScaling):
        return found
    growth = {
        "fan_in": 1,
        "fan_out": parts,
        "fan_avg": (input_dim + parts * output_dim) / (input_dim + output_dim),
    }
    scale = found.scale * growth[found.mode]
    return keras.initializers.VarianceScaling(scale, found.mode, found.distribution, found.seed)
