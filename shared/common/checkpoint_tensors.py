"""Tensors of a checkpoint by name: read when they are accessed, and checked."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from shared.common.errors import KerasuiteError


class LazyTensors(Mapping[str, np.ndarray]):
    """Tensors by name, each read from disk when accessed.

    Args:
        readers: functions that read the tensors, by name.
    """

    def __init__(self, readers: Mapping[str, Callable[[], np.ndarray]]):
        self._readers = dict(readers)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._readers[name]()

    def __contains__(self, name: object) -> bool:
        return name in self._readers

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


def checked_tensor(
    tensors: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], source: str
) -> np.ndarray:
    """Reads a tensor of a checkpoint.

    Args:
        tensors: the tensors by name.
        name: of the tensor.
        shape: that it must have.
        source: the checkpoint's name in messages.

    Raises:
        KerasuiteError: if it is missing, has another shape or values that are not finite.
    """
    if name not in tensors:
        raise KerasuiteError(
            f"{source}: the tensor '{name}' is missing; the checkpoint is incomplete: "
            f"fetch or convert it again"
        )
    tensor = tensors[name]
    if tensor.shape != shape:
        raise KerasuiteError(
            f"{source}: the tensor '{name}' has the shape {tensor.shape} instead of "
            f"{shape}; its configuration belongs to another model: fetch or convert it again"
        )
    if not np.isfinite(tensor).all():
        raise KerasuiteError(
            f"{source}: the tensor '{name}' has values that are not finite; its "
            f"training went wrong, or the file is damaged: fetch or convert it again"
        )
    return tensor
