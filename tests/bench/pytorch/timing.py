"""Shared by the scripts: their argument and answer, and their clock."""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable

import torch

LAYOUTS = (torch.contiguous_format, torch.channels_last)


def run(measure: Callable[..., dict[str, float]]) -> None:
    """Prints, as JSON, what `measure` gives for the JSON object on the command line."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))  # As many as TensorFlow takes.
    torch.manual_seed(0)
    print(json.dumps(measure(**json.loads(sys.argv[1]))))


def median_seconds(call: Callable[[], object], warm: int = 2, runs: int = 5) -> float:
    """Median seconds of a call, once it is warm."""
    seconds = []
    for _ in range(warm + runs):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[warm:])


def seconds_of_faster_layout(make: Callable[[torch.memory_format], Callable]) -> float:
    """Median seconds of a network of images, channels first or last: whichever is faster.

    Args:
        make: gives what is called, for a network and images of that layout.
    """
    return min(median_seconds(make(layout)) for layout in LAYOUTS)


def improve(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """One step of an optimiser down the gradient of a loss."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
