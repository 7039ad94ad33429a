"""Layer-wise learning rates: the further from the head, the smaller."""

import re
from collections.abc import Sequence

import keras


def layer_factors(paths: Sequence[str], num_layers: int, decay: float) -> list[float]:
    """What the learning rate of each variable is multiplied by.

    The head and the pooler have 1, the blocks from the last to the first `decay`, `decay**2` and so
    on, the embeddings the factor after the first block's.

    Reference: [Howard and Ruder, 2018, section 3.2](https://arxiv.org/abs/1801.06146)
    """
    return [decay ** _distance(path, num_layers) for path in paths]


def _distance(path: str, num_layers: int) -> int:
    """How many blocks lie between a variable and the head, its own included."""
    if "encoder/" not in path or "encoder/pooler/" in path:
        return 0
    block = re.search(r"encoder/block_(\d+)/", path)
    return num_layers - int(block[1]) if block else num_layers + 1


def scale_rates(optimizer: keras.optimizers.Optimizer, factors: Sequence[float]) -> None:
    """Makes an optimiser update each variable with its own multiple of the learning rate.

    Args:
        optimizer: one that is not built yet.
        factors: of the variables that it will be built with, in their order.
    """
    update = optimizer.update_step

    def scaled(gradient, variable, learning_rate):
        factor = factors[optimizer._get_variable_index(variable)]
        update(gradient, variable, learning_rate * factor)

    optimizer.update_step = scaled
