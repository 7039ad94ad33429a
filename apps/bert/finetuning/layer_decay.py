"""Layer-wise learning rates that decay from the head to the embeddings."""

import re
from collections.abc import Sequence

import keras


def layer_factors(paths: Sequence[str], num_layers: int, decay: float) -> list[float]:
    """Factor of the learning rate of each variable.

    The head and the pooler have 1, the blocks from the last to the first `decay`, `decay**2` and so
    on, the embeddings the next factor after the first block.

    Args:
        paths: paths of the variables.
        num_layers: int. Blocks of the encoder.
        decay: float. Factor from a block to the block below it.

    Reference: [Howard and Ruder, 2018, section 3.2](https://arxiv.org/abs/1801.06146)
    """
    return [decay ** _distance(path, num_layers) for path in paths]


def _distance(path: str, num_layers: int) -> int:
    """Number of blocks between a variable and the head, its own included."""
    if "encoder/" not in path or "encoder/pooler/" in path:
        return 0
    block = re.search(r"encoder/block_(\d+)/", path)
    return num_layers - int(block[1]) if block else num_layers + 1


def scale_rates(optimizer: keras.optimizers.Optimizer, factors: Sequence[float]) -> None:
    """Scales the learning rate of an optimiser for each variable.

    Args:
        optimizer: an optimiser that is not built yet.
        factors: factors of the variables that it will be built with, in their order.
    """
    update = optimizer.update_step

    def scaled(gradient, variable, learning_rate):
        factor = factors[optimizer._get_variable_index(variable)]
        update(gradient, variable, learning_rate * factor)

    optimizer.update_step = scaled
