"""Tensors in a folder of Hugging Face: model.safetensors, in one file or in several.

The format holds numbers and names and no code; pickles, which run code when they are loaded, are
refused.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shared.common.errors import KerasuiteError
from shared.common.files import atomic_path, read_json_object

if TYPE_CHECKING:
    from safetensors import safe_open

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
# Patterns of all files that may hold tensors.
FILES = (WEIGHTS, INDEX, "model-*-of-*.safetensors")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
# First bytes of a zip file (PyTorch's since 1.6) and of a bare pickle.
PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
FLOATS = ("F64", "F32", "F16", "BF16")
# Metadata of the file that PyTorch expects.
METADATA = {"format": "pt"}


def read_tensors(folder: Path) -> dict[str, Callable[[], np.ndarray]]:
    """Functions that read the tensors as float32, by name.

    Raises:
        KerasuiteError: if the folder holds no safetensors, or a damaged file.
    """
    if (folder / WEIGHTS).is_file():
        return dict(_readers(folder / WEIGHTS))
    if (folder / INDEX).is_file():
        return _of_shards(folder / INDEX)
    raise _nothing_to_read(folder)


def has_tensors(folder: Path) -> bool:
    """Whether the folder holds safetensors."""
    return (folder / WEIGHTS).is_file() or (folder / INDEX).is_file()


def refuse_pickle(path: Path) -> KerasuiteError:
    """The error for a pickle, which could run any code."""
    return KerasuiteError(
        f"{path}: is a pickle, and loading one can run any code; convert it where you trust it, "
        f'with transformers: AutoModelForPreTraining.from_pretrained("OLD").save_pretrained("NEW"),'
        f" which writes {WEIGHTS}"
    )


def _nothing_to_read(folder: Path) -> KerasuiteError:
    pickles = sorted(path for path in folder.iterdir() if path.suffix in PICKLES)
    if pickles:
        return refuse_pickle(pickles[0])
    others = [path.name for path in folder.iterdir() if path.suffix in (".h5", ".msgpack")]
    instead = f"only {', '.join(sorted(others))}" if others else "no weights"
    if folder.parent.name == "snapshots":  # Of the Hub's cache, where nothing else was fetched.
        return KerasuiteError(
            f"{folder}: this revision on the Hub has no weights that are read here; {WEIGHTS} is "
            f"needed: a pull request of the Hub's converter may have it (hf:NAME@refs/pr/N), or "
            f"convert them with transformers' save_pretrained"
        )
    return KerasuiteError(
        f"{folder}: has {instead}; {WEIGHTS} is needed: fetch it too, or convert the weights with "
        f"transformers' save_pretrained"
    )


def _of_shards(index: Path) -> dict[str, Callable[[], np.ndarray]]:
    """The tensors that an index names, each from the file that it says; others do not count."""
    names = read_json_object(index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(file, str) for file in names.values()):
        raise KerasuiteError(f"{index}: has no weight_map of names to files; fetch it again")
    shards = {}
    for file in sorted(set(names.values())):
        path = index.parent / file
        # A name in the index must not point outside the folder.
        if path.parent != index.parent or not path.is_file():
            raise KerasuiteError(f"{path}: is missing, but {index.name} names it; fetch it again")
        shards[file] = _readers(path)
    for name, file in names.items():
        if name not in shards[file]:
            raise KerasuiteError(
                f"{index.parent / file}: has no tensor '{name}', which {index.name} says is in it; "
                f"fetch both again"
            )
    return {name: shards[file][name] for name, file in names.items()}


def _readers(path: Path) -> Mapping[str, Callable[[], np.ndarray]]:
    file = _open(path)
    return {name: _reader(path, file, name) for name in file.keys()}  # noqa: SIM118


def _open(path: Path) -> "safe_open":
    from safetensors import SafetensorError, safe_open

    with open(path, "rb") as file:
        start = file.read(4)
    if start.startswith(PICKLE_STARTS):
        raise refuse_pickle(path)
    try:
        return safe_open(path, "np")
    except SafetensorError as error:
        raise KerasuiteError(
            f"{path}: is damaged or no safetensors file ({error}); fetch it again"
        ) from error


def _reader(path: Path, file: "safe_open", name: str) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        dtype = file.get_slice(name).get_dtype()
        if dtype not in FLOATS:
            raise KerasuiteError(
                f"{path}: the tensor '{name}' is {dtype}, not a floating-point number; "
                f"quantised checkpoints are not supported: give the original"
            )
        return np.asarray(file.get_tensor(name)).astype(np.float32, copy=False)

    return read


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes one safetensors file."""
    from safetensors.numpy import save_file

    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(contiguous, temporary, METADATA)
