"""A set of numbers in little memory answers as a set does."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources import _numbers
from exporter.sources._numbers import Numbers

FEW = st.integers(-20, 20) | st.sampled_from([-(2**63), 2**63 - 1])


@given(st.lists(st.lists(FEW, max_size=6), max_size=30), st.integers(1, 5), st.integers(1, 40))
def test_it_holds_what_was_put_in_and_nothing_else(puts: list[list[int]], recent: int, largest: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_numbers, "RECENT", recent)
        patch.setattr(_numbers, "LARGEST", largest)
        numbers, known = Numbers(), set[int]()
        for put in puts:
            assert numbers.isdisjoint(put) == known.isdisjoint(put)
            assert [number in numbers for number in put] == [number in known for number in put]
            if len(put) == 1:
                numbers.add(put[0])
            else:
                numbers.update(put)
            known.update(put)

        assert all((number in numbers) == (number in known) for number in range(-21, 22))
        assert len(numbers._recent) < recent
        assert all(len(some) <= max(largest, recent + 5) for some in numbers._sorted)


def test_a_million_numbers_take_some_nine_bytes_each_and_stand_in_few_places() -> None:
    tracemalloc.start()
    numbers = Numbers()
    for begin in range(0, 1_000_000, 1000):
        numbers.update(hash(str(n)) for n in range(begin, begin + 1000))
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size < 14_000_000
    assert peak < 40_000_000
    assert len(numbers._sorted) == 4
    assert hash("999999") in numbers
    assert hash("1000000") not in numbers


def test_one_that_comes_again_and_again_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_numbers, "RECENT", 2)
    numbers = Numbers()
    for _ in range(100):
        for number in range(3):
            numbers.add(number)

    assert sum(map(len, numbers._sorted)) + len(numbers._recent) == 3
