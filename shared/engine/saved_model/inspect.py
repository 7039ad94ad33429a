"""Describes a SavedModel or a run folder, without building or loading the model."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.common.files import read_json

SHOWN_LINES = 5
# Their first lines say nothing; the configuration has a table of its own.
NOT_LISTS = ("README.md", "config.yaml")
# Written by TensorFlow into every SavedModel; not for callers.
INTERNAL_SIGNATURE = "__saved_model_init_op"


def inspect(path: str | Path) -> RenderableType:
    """Tables for a terminal; print them with a rich console. See `describe`."""
    facts = describe(path)
    blocks = _saved_model_tables(facts) if facts["kind"] == "saved_model" else _run_tables(facts)
    return Group(*blocks)


def describe(path: str | Path) -> dict[str, Any]:
    """Everything that `inspect` shows, as plain values for `--json`.

    Args:
        path: `<name>/`, `<name>/<version>/` or a run folder.

    Raises:
        KerasuiteError: if `path` is neither.
    """
    path = Path(path)
    from shared.engine.saved_model.saved_models import find_saved_model, is_run_folder

    if is_run_folder(path):
        return _describe_run(path)
    try:
        folder = find_saved_model(path)
    except KerasuiteError as error:
        if not path.exists():
            raise
        raise KerasuiteError(
            f"{path}: is neither a SavedModel (no saved_model.pb in it or in a numbered folder "
            f"of it) nor a run folder (no config.yaml); give one of these"
        ) from error
    return _describe_saved_model(folder)


def _describe_saved_model(folder: Path) -> dict[str, Any]:
    graph = _meta_graph(folder)
    config_file = folder / "assets.extra" / "config.yaml"
    config = configs.read_yaml(config_file) if config_file.is_file() else {}
    return {
        "kind": "saved_model",
        "path": str(folder),
        "task": config.get("task"),
        "signatures": _signatures(graph),
        "parameters": _parameters(folder) + _constant_parameters(graph),
        "bytes": _size(folder),
        "tensorflow_version": graph.meta_info_def.tensorflow_version,
        "assets": [
            _asset(file, folder)
            for name in ("assets", "assets.extra")
            for file in _files(folder, name)
        ],
        "config": config,
    }


def _meta_graph(folder: Path) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    try:
        return saved_model_pb2.SavedModel.FromString(file.read_bytes()).meta_graphs[0]
    except (DecodeError, IndexError) as error:
        raise KerasuiteError(f"{file}: is damaged; export the model again") from error


def _signatures(graph: Any) -> dict[str, Any]:
    return {
        name: {"inputs": _tensors(definition.inputs), "outputs": _tensors(definition.outputs)}
        for name, definition in sorted(graph.signature_def.items())
        if name != INTERNAL_SIGNATURE
    }


def _tensors(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Name to type and shape; a size of None is free, a shape of None wholly unknown."""
    import tensorflow as tf

    described = {}
    for name, info in sorted(tensors.items()):
        sizes = [None if axis.size < 0 else axis.size for axis in info.tensor_shape.dim]
        described[name] = {
            "dtype": tf.dtypes.as_dtype(info.dtype).name,
            "shape": None if info.tensor_shape.unknown_rank else sizes,
        }
    return described


def _parameters(folder: Path) -> int:
    """Number of floating-point weights, from the index of the variables only."""
    import tensorflow as tf

    prefix = folder / "variables" / "variables"
    if not prefix.with_suffix(".index").is_file():
        return 0
    reader = tf.train.load_checkpoint(str(prefix))
    types = reader.get_variable_to_dtype_map()
    return sum(
        tf.TensorShape(shape).num_elements()
        for name, shape in reader.get_variable_to_shape_map().items()
        if types[name].is_floating
    )


def _constant_parameters(graph: Any) -> int:
    """Number of weights that are constants of the graph; see `InferenceNetwork`."""
    import tensorflow as tf

    from shared.engine.saved_model.inference_network import WEIGHTS

    return sum(
        tf.TensorShape(node.attr["value"].tensor.tensor_shape).num_elements()
        for function in graph.graph_def.library.function
        for node in function.node_def
        if node.op == "Const" and f"{WEIGHTS}/" in node.name
    )


def _files(folder: Path, name: str = "") -> Iterator[Path]:
    return (file for file in sorted((folder / name).rglob("*")) if file.is_file())


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in _files(folder))


def _asset(file: Path, folder: Path) -> dict[str, Any]:
    return {
        "file": file.relative_to(folder).as_posix(),
        "bytes": file.stat().st_size,
        **({} if file.name in NOT_LISTS else _text_facts(file)),
    }


def _text_facts(file: Path) -> dict[str, Any]:
    """Number of lines and the first ones: for a list of labels, how many and which."""
    first, count = [], 0
    try:
        with open(file, encoding="utf-8") as lines:
            for count, line in enumerate(lines, start=1):
                if count <= SHOWN_LINES:
                    first.append(line.rstrip("\n")[:80])
    except UnicodeDecodeError:
        return {}
    return {"lines": count, "first_lines": first}


def _describe_run(folder: Path) -> dict[str, Any]:
    config = configs.read_yaml(folder / "config.yaml")
    model = folder / "model.keras"
    return {
        "kind": "run",
        "path": str(folder),
        "task": config.get("task"),
        "metrics": _read_json(folder / "metrics.json"),
        "history": _history(folder / "history.csv"),
        "checkpoints": _checkpoints(folder / "checkpoints"),
        "model_bytes": model.stat().st_size if model.is_file() else None,
        "exports": [
            file.parent.relative_to(folder).as_posix()
            for file in sorted((folder / "export").rglob("saved_model.pb"))
            if not file.parent.name.startswith(".")
        ],
        "bytes": _size(folder),
        "config": config,
    }


def _read_json(file: Path) -> dict[str, Any]:
    return read_json(file) if file.is_file() else {}


def _history(file: Path) -> dict[str, Any]:
    """Number of rows, which are epochs, and the last of them."""
    if not file.is_file():
        return {"epochs": 0, "last": {}}
    with open(file, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {"epochs": len(rows), "last": rows[-1] if rows else {}}


def _checkpoints(folder: Path) -> list[dict[str, Any]]:
    if not folder.is_dir():
        return []
    return [
        {"name": item.name, "bytes": _size(item) if item.is_dir() else item.stat().st_size}
        for item in sorted(folder.iterdir())
        if not item.name.startswith(".")
    ]


def _saved_model_tables(facts: Mapping[str, Any]) -> list[RenderableType]:
    summary = {
        "SavedModel": facts["path"],
        "task": facts["task"] or "not exported by kerasuite",
        "parameters": f"{facts['parameters']:,}",
        "size on disk": _megabytes(facts["bytes"]),
        "TensorFlow": facts["tensorflow_version"],
    }
    signatures = Table("signature", "", "name", "type", "shape", title="Signatures")
    for name, signature in facts["signatures"].items():
        for direction in ("inputs", "outputs"):
            for key, tensor in signature[direction].items():
                shape = _shape(tensor["shape"])
                signatures.add_row(*map(Text, (name, direction[:-1], key, tensor["dtype"], shape)))
        signatures.add_section()
    assets = Table("file", "size", "lines", "begins with", title="Assets")
    for asset in facts["assets"]:
        begins = ", ".join(asset.get("first_lines", []))
        row = (asset["file"], _megabytes(asset["bytes"]), str(asset.get("lines", "")), begins)
        assets.add_row(*map(Text, row))
    return [_pairs(summary), signatures, assets, *_config_table(facts)]


def _run_tables(facts: Mapping[str, Any]) -> list[RenderableType]:
    size = facts["model_bytes"]
    summary = {
        "run": facts["path"],
        "task": facts["task"],
        "epochs in history": str(facts["history"]["epochs"]),
        "model.keras": "none yet" if size is None else _megabytes(size),
        "checkpoints": ", ".join(
            f"{item['name']} ({_megabytes(item['bytes'])})" for item in facts["checkpoints"]
        )
        or "none",
        "exports": ", ".join(facts["exports"]) or "none",
        "size on disk": _megabytes(facts["bytes"]),
    }
    numbers = {
        key: f"{value:.4g}" if isinstance(value, float) else str(value)
        for key, value in facts["metrics"].items()
        if isinstance(value, (int, float))
    }
    return [
        _pairs(summary),
        *([_pairs(numbers, "Metrics")] if numbers else []),
        *([_pairs(facts["history"]["last"], "Last epoch")] if facts["history"]["last"] else []),
        *_config_table(facts),
    ]


def _config_table(facts: Mapping[str, Any]) -> list[RenderableType]:
    shown = {
        key: str(value) for key, value in _flat(facts["config"]) if value not in ("", [], None)
    }
    return [_pairs(shown, "Configuration")] if shown else []


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _pairs(values: Mapping[str, Any], title: str | None = None) -> Table:
    table = Table(show_header=False, title=title)
    for key, value in values.items():
        table.add_row(Text(str(key)), Text(str(value)))
    return table


def _shape(sizes: list[int | None] | None) -> str:
    if sizes is None:
        return "any"
    return f"[{', '.join('N' if size is None else str(size) for size in sizes)}]"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.2f} MB" if size >= 10_000 else f"{size:,} B"
