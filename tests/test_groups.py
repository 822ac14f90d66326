"""Groups of a stream: nothing lost, nothing in another order, none larger or smaller than it has to be."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from exporter.groups import grouped

SIZES = st.lists(st.integers(0, 20))


@given(SIZES, st.integers(1, 30), st.integers(1, 6) | st.just(sys.maxsize))
def test_a_group_ends_as_soon_as_it_is_full(sizes: list[int], most: int, count: int) -> None:
    groups = list(grouped(sizes, int, most, count))

    def full(group: list[int]) -> bool:
        return sum(group) >= most or len(group) >= count

    assert [size for group in groups for size in group] == sizes
    assert all(groups)
    assert not any(full(group[:-1]) for group in groups)
    assert all(map(full, groups[:-1]))


def test_nothing_is_read_before_it_is_wanted() -> None:
    read: list[int] = []

    def stream() -> Iterator[int]:
        for number in range(10):
            read.append(number)
            yield number

    assert next(grouped(stream(), lambda _: 1, 3)) == [0, 1, 2]
    assert read == [0, 1, 2]
