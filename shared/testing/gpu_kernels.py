"""Operations of a graph that have no kernel for a GPU.

TensorFlow's wheel registers its GPU kernels on machines without a GPU as well.
"""

import tensorflow as tf
from tensorflow.python.framework import kernels, op_def_registry

# A kernel for any device counts too.
DEVICES = {"GPU", "DEFAULT"}
# The inputs of a graph and of its functions stand for values and are never executed.
INPUTS = {"Placeholder"}


def without_gpu_kernel(graph: tf.Graph) -> set[str]:
    """Finds operations that would run on the CPU, in the graph and in all its functions.

    Returns:
        Their types with their dtypes: "DecodeRaw(out_type=int32)".
    """
    definition = graph.as_graph_def()
    functions = {function.signature.name for function in definition.library.function}
    nodes = [node for function in definition.library.function for node in function.node_def]
    known: dict[str, bool] = {}
    for node in [*definition.node, *nodes]:
        if node.op in functions | INPUTS or _is_text(node):
            continue
        name = _described(node)
        if name not in known:
            known[name] = _has_gpu_kernel(node)
    return {name for name, found in known.items() if not found}


def _is_text(node) -> bool:
    """Whether it is a constant text, such as an assertion's message, which stays with the host.

    What reads one without being made for that is found itself.
    """
    return node.op == "Const" and _types(node, "dtype") == {tf.string.as_datatype_enum}


def _has_gpu_kernel(node) -> bool:
    registered = kernels.get_registered_kernels_for_op(node.op).kernel
    return any(
        kernel.device_type in DEVICES
        and all(_types(node, c.name) <= set(c.allowed_values.list.type) for c in kernel.constraint)
        for kernel in registered
    )


def _described(node) -> str:
    """The type of an operation with the values of its attributes that are dtypes."""
    attributes = op_def_registry.get(node.op).attr
    names = [each.name for each in attributes if each.type in ("type", "list(type)")]
    dtypes = (
        f"{name}={'|'.join(sorted(tf.as_dtype(kind).name for kind in _types(node, name)))}"
        for name in names
    )
    return f"{node.op}({', '.join(dtypes)})"


def _types(node, name: str) -> set[int]:
    """The dtypes of an attribute, which has its default where the node does not say it."""
    value = node.attr.get(name)
    if value is None:
        defaults = {each.name: each.default_value for each in op_def_registry.get(node.op).attr}
        value = defaults[name]
    return set(value.list.type) or {value.type}
