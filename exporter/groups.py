"""A stream cut into groups of a bounded size: what is written, read ahead or committed together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def grouped(stream: Iterable[T], size: Callable[[T], int], most: int, count: int = sys.maxsize) -> Iterator[list[T]]:
    """Yield what comes in its order, as lists that end as soon as they have `most` of size or `count` members.

    So only the last member can go beyond `most`, none is held back, and nothing is read before it is wanted.
    """
    group: list[T] = []
    total = 0
    for one in stream:
        group.append(one)
        total += size(one)
        if total >= most or len(group) >= count:
            yield group
            group, total = [], 0
    if group:
        yield group
