"""One function that puts a layer through everything that the suite expects of a layer."""

import inspect
import json
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import ops, tree


def run_layer_test(
    layer_class,
    init_kwargs: dict,
    input_data,
    expected_output_shape=None,
    *,
    call_kwargs: dict | None = None,
    supports_padding_mask: bool = False,
    run_mixed_precision: bool = True,
    run_training_step: bool = True,
    allow_unused_weights: bool = False,
    mixed_precision_tolerance: float = 0.1,
    tolerance: float = 1e-5,
) -> None:
    """Checks one layer against the contract of DESIGN.md; raises AssertionError where it fails.

    - Config: every constructor argument is an attribute and survives a round trip as JSON.
    - Shapes: `compute_output_shape` is overridden and agrees with the eager output, for known
      and unknown batch sizes; so does the dtype.
    - Saving: a model with perturbed weights saves to `.keras`, loads in safe mode, same outputs.
    - Training: one `fit` step changes weights, reaches them all, and leaves them finite.
    - Precision: under `float32` and `mixed_bfloat16` the outputs have the compute dtype, the
      variables stay float32 and the values agree.
    - Padding (on request): what stands at padded positions changes nothing elsewhere.

    Args:
        layer_class: subclass of `keras.layers.Layer`.
        init_kwargs: dict. Constructor arguments.
        input_data: array or shape tuple (random floats) for a single input; list of these for a
            layer called with a list; dict from call-argument name to these for several inputs.
            With `supports_padding_mask`, a dict may hold the mask itself.
        expected_output_shape: shape tuple, or a nest of them for several outputs, or None.
        call_kwargs: dict. Further call arguments that are no tensors, such as `{"causal": True}`.
        supports_padding_mask: bool. Run the padding check: a boolean (B, T) argument
            `padding_mask` (or `mask`) hides positions of all inputs that begin with (B, T).
        run_mixed_precision: bool. Run the check under `mixed_bfloat16`.
        run_training_step: bool. Run the training step.
        allow_unused_weights: bool. Do not insist that the gradient reaches every weight.
        mixed_precision_tolerance: float. Allowed difference of mixed precision from float32,
            relative to the largest output.
        tolerance: float. Allowed difference where the outputs should be equal.

    Example:

    >>> from shared.layers import DropPath
    >>> run_layer_test(DropPath, {"rate": 0.2}, (2, 4), (2, 4))
    """
    case = _Case(layer_class, init_kwargs, input_data, call_kwargs or {}, tolerance)
    _check_config(case)
    _check_shapes(case, expected_output_shape)
    _check_saving(case)
    if run_training_step:
        _check_training_step(case, allow_unused_weights)
    _check_precision(case, "float32", mixed_precision_tolerance)
    if run_mixed_precision:
        _check_precision(case, "mixed_bfloat16", mixed_precision_tolerance)
    if supports_padding_mask:
        _check_padding(case)


class _Case:
    """A layer under test with its inputs; hides whether these are one, a list or a dict."""

    def __init__(self, layer_class, init_kwargs, input_data, call_kwargs, tolerance):
        self.layer_class = layer_class
        self.init_kwargs = init_kwargs
        self.call_kwargs = call_kwargs
        self.tolerance = tolerance
        generator = np.random.default_rng(0)
        self.inputs = tree.map_structure_up_to(
            _skeleton(input_data), lambda leaf: _to_array(leaf, generator), input_data
        )

    def make_layer(self, **more):
        return self.layer_class(**self.init_kwargs, **more)

    def call(self, layer, inputs=None, **more):
        inputs = self.inputs if inputs is None else inputs
        more = {**self.call_kwargs, **more}
        return layer(**inputs, **more) if isinstance(inputs, dict) else layer(inputs, **more)

    def symbolic_inputs(self, batch_size="unknown"):
        def placeholder(array):
            batch = None if batch_size == "unknown" else array.shape[0]
            return keras.Input(batch_shape=(batch, *array.shape[1:]), dtype=str(array.dtype))

        return tree.map_structure(placeholder, self.inputs)

    def functional_model(self):
        inputs = self.symbolic_inputs()
        return keras.Model(tree.flatten(inputs), self.call(self.make_layer(), inputs))

    def assert_close(self, actual, expected, what):
        for a, b in zip(_numpy_leaves(actual), _numpy_leaves(expected), strict=True):
            np.testing.assert_allclose(
                a, b, rtol=self.tolerance, atol=self.tolerance, err_msg=f"{self}: {what}"
            )

    def __str__(self):
        return self.layer_class.__name__


def _skeleton(input_data):
    """The nesting of the inputs with a placeholder at every array or shape."""
    if isinstance(input_data, dict):
        return dict.fromkeys(input_data, 0)
    return [0] * len(input_data) if isinstance(input_data, list) else 0


def _to_array(leaf, generator):
    """An array from a shape tuple (normal noise) or anything array-like."""
    if isinstance(leaf, tuple):
        return generator.normal(size=leaf).astype("float32")
    array = np.asarray(leaf)
    return array.astype("float32") if array.dtype == np.float64 else array


def _numpy_leaves(outputs):
    leaves = [ops.convert_to_numpy(leaf) for leaf in tree.flatten(outputs)]
    return [leaf.astype("float32") if _is_float(leaf) else leaf for leaf in leaves]


def _is_float(tensor):
    return "float" in keras.backend.standardize_dtype(tensor.dtype)


def _check_config(case):
    layer = case.make_layer()
    assert not layer.weights, f"{case} creates weights in the constructor instead of in build()"
    config = layer.get_config()
    for name in _constructor_arguments(case.layer_class):
        assert hasattr(layer, name), f"{case} has no attribute for its argument {name!r}"
        assert name in config, f"get_config() of {case} lacks the argument {name!r}"

    serialized = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    revived = keras.saving.deserialize_keras_object(serialized, safe_mode=True)
    assert type(revived) is case.layer_class, f"{case} revives as {type(revived).__name__}"
    assert _as_json(revived.get_config()) == _as_json(config), (
        f"the config of {case} changes in a round trip"
    )
    for name, value in case.init_kwargs.items():
        if isinstance(value, (bool, int, float, str)) and isinstance(config.get(name), type(value)):
            assert config[name] == value, f"the config of {case} has a wrong value for {name!r}"


def _constructor_arguments(layer_class):
    parameters = inspect.signature(layer_class.__init__).parameters.values()
    ignored = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.name != "self" and p.kind not in ignored]


def _as_json(config):
    return json.dumps(keras.saving.serialize_keras_object(config), sort_keys=True)


def _check_shapes(case, expected_output_shape):
    assert case.layer_class.compute_output_shape is not keras.layers.Layer.compute_output_shape, (
        f"{case} has no compute_output_shape()"
    )
    eager = tree.flatten(case.call(case.make_layer()))
    known = tree.flatten(case.call(case.make_layer(), case.symbolic_inputs("known")))
    unknown = tree.flatten(case.call(case.make_layer(), case.symbolic_inputs()))
    assert len(eager) == len(known), f"{case}: symbolic and eager outputs differ in number"

    if expected_output_shape is not None:
        expected = [tuple(shape) for shape in _flatten_shapes(expected_output_shape)]
        shapes = [tuple(leaf.shape) for leaf in eager]
        assert shapes == expected, f"{case}: output shape is {shapes}, expected {expected}"
    for value, symbol, open_symbol in zip(eager, known, unknown, strict=True):
        shape = tuple(value.shape)
        assert tuple(symbol.shape) == shape, (
            f"{case}: symbolic shape {tuple(symbol.shape)} is not the eager shape {shape}"
        )
        assert _compatible(open_symbol.shape, shape), (
            f"{case}: with an unknown batch size the symbolic shape {tuple(open_symbol.shape)} "
            f"does not fit the eager shape {shape}"
        )
        dtypes = [keras.backend.standardize_dtype(leaf.dtype) for leaf in (symbol, value)]
        assert dtypes[0] == dtypes[1], f"{case}: symbolic dtype is not the eager one: {dtypes}"


def _flatten_shapes(shapes):
    if isinstance(shapes, dict):
        return _flatten_shapes([shapes[key] for key in sorted(shapes)])
    if len(shapes) and not isinstance(shapes[0], int):
        return [shape for nested in shapes for shape in _flatten_shapes(nested)]
    return [shapes]


def _compatible(symbolic, shape):
    return len(symbolic) == len(shape) and all(
        a is None or a == b for a, b in zip(symbolic, shape, strict=True)
    )


def _check_saving(case):
    model = case.functional_model()
    _perturb(model.weights)
    inputs = tree.flatten(case.inputs)
    expected = model(inputs, training=False)
    case.assert_close(model(inputs, training=False), expected, "inference is not deterministic")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.keras"
        model.save(path)
        revived = keras.saving.load_model(path, safe_mode=True, compile=False)
    case.assert_close(revived(inputs, training=False), expected, "outputs differ after reload")


def _perturb(weights):
    """Moves every float weight off its initial value, or a lost weight would go unnoticed."""
    generator = np.random.default_rng(1)
    for weight in weights:
        if _is_float(weight):
            weight.assign_add(generator.uniform(0.05, 0.15, size=weight.shape))


def _check_training_step(case, allow_unused_weights):
    model = case.functional_model()
    inputs = tree.flatten(case.inputs)
    outputs = _numpy_leaves(model(inputs))
    if not model.trainable_weights or not all(_is_float(leaf) for leaf in outputs):
        model.predict(_batch_of(inputs), verbose=0)  # It must at least run in a compiled graph.
        return
    # A product carries no Keras mask, which would otherwise weight (or not fit) the loss.
    model = keras.Model(model.inputs, [leaf * 1.0 for leaf in tree.flatten(model.outputs)])
    model.compile(keras.optimizers.SGD(0.1), ["mse"] * len(outputs), jit_compile=False)
    before = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    generator = np.random.default_rng(2)
    targets = [generator.normal(size=leaf.shape).astype("float32") for leaf in outputs]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(_batch_of(inputs), _batch_of(targets), batch_size=len(inputs[0]), verbose=0)

    after = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    assert all(np.isfinite(weight).all() for weight in after), (
        f"{case}: weights are not finite after a training step"
    )
    assert any((a != b).any() for a, b in zip(before, after, strict=True)), (
        f"{case}: a training step changes no weight"
    )
    unused = [str(w.message) for w in caught if "Gradients do not exist" in str(w.message)]
    assert allow_unused_weights or not unused, f"{case}: {unused}"


def _batch_of(arrays):
    return arrays[0] if len(arrays) == 1 else arrays


def _check_precision(case, policy, mixed_precision_tolerance):
    reference = case.make_layer(dtype="float32")
    expected = _numpy_leaves(case.call(reference))
    layer = case.make_layer(dtype=policy)
    outputs = case.call(layer)
    layer.set_weights(reference.get_weights())
    outputs = case.call(layer)

    for weight in layer.weights:
        assert not _is_float(weight) or weight.dtype == "float32", (
            f"{case}: {weight.path} is {weight.dtype} under {policy}"
        )
    for tensor, values in zip(tree.flatten(outputs), expected, strict=True):
        if not _is_float(tensor):
            continue
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        assert dtype == layer.compute_dtype, (
            f"{case}: output is {dtype} under {policy}, not {layer.compute_dtype}"
        )
        values_here = _numpy_leaves(tensor)[0]
        assert np.isfinite(values_here).all(), f"{case}: outputs are not finite under {policy}"
        allowed = mixed_precision_tolerance * max(np.abs(values).max(initial=0.0), 1e-3)
        error = np.abs(values_here - values).max(initial=0.0)
        assert error <= allowed, f"{case}: outputs under {policy} are off by {error:.3g}"


def _check_padding(case):
    layer = case.make_layer()
    assert layer.supports_masking or _overrides(case.layer_class, "compute_mask"), (
        f"{case} neither sets supports_masking nor has compute_mask()"
    )
    name, mask, inputs = _find_mask(case, layer)
    case.call(layer, inputs, **{name: mask})  # Build, so that both calls share the weights.
    _perturb(layer.weights)
    clean = _numpy_leaves(case.call(layer, inputs, **{name: mask}))
    noisy = _numpy_leaves(case.call(layer, _spoil(inputs, mask), **{name: mask}))
    for a, b in zip(clean, noisy, strict=True):
        if a.shape[:2] == mask.shape:
            a, b = a[mask], b[mask]  # What an output holds at a padded position is its own affair.
        np.testing.assert_allclose(
            a,
            b,
            rtol=case.tolerance,
            atol=case.tolerance,
            err_msg=f"{case}: padded positions change the output",
        )


def _overrides(layer_class, method):
    return getattr(layer_class, method) is not getattr(keras.layers.Layer, method)


def _find_mask(case, layer):
    """The mask argument's name, the mask (given or made up) and the other inputs."""
    arguments = inspect.signature(layer.call).parameters
    names = [name for name in ("padding_mask", "mask") if name in arguments]
    assert names, f"{case} takes neither padding_mask nor mask"
    if not isinstance(case.inputs, dict):
        batch, length = tree.flatten(case.inputs)[0].shape[:2]
        return names[0], _some_padding(batch, length), case.inputs
    given = [name for name in names if name in case.inputs]
    if given:
        inputs = {key: value for key, value in case.inputs.items() if key != given[0]}
        mask = case.inputs[given[0]].astype(bool)
        assert not mask.all(), f"{given[0]} hides nothing: give one with some False"
        return given[0], mask, inputs
    batch, length = next(iter(case.inputs.values())).shape[:2]
    return names[0], _some_padding(batch, length), case.inputs


def _some_padding(batch, length):
    """(batch, length) mask with 1, 2, 3... padded positions at the end of the rows."""
    padded = 1 + np.arange(batch) % max(length - 1, 1)
    return np.arange(length) < (length - padded)[:, None]


def _spoil(inputs, mask):
    """The inputs with other content at every padded position."""

    def spoil(array):
        if array.shape[:2] != mask.shape or array.dtype == bool:
            return array
        hidden = ~mask.reshape(mask.shape + (1,) * (array.ndim - 2))
        if np.issubdtype(array.dtype, np.integer):
            return np.where(hidden, np.roll(array, 1) if array.size else array, array)
        return np.where(hidden, array + np.float32(100.0), array)

    return tree.map_structure(spoil, inputs)
