"""Starts work before its result is asked for."""

import collections
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def prefetch(started: Iterable[T], depth: Callable[[], int]) -> Iterator[T]:
    """Draws up to `depth()` items, whose work begins when they are drawn, ahead of the consumer."""
    waiting: collections.deque[T] = collections.deque()
    for item in started:
        waiting.append(item)
        while len(waiting) > depth():
            yield waiting.popleft()
    yield from waiting
