"""Paging: an honest list gives everything once, whatever the page size, order and place one starts from."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sandbox import Generator, Series, State
from exporter.sandbox.lists import Query, UnknownCursor, cut


def filled(count: int, dropped: set[int] | None = None, made: int = 0) -> Series:
    generator = Generator(made, "g", lambda i: b'{"id":"g%08d"}' % i)
    series = Series(generator if made else None)
    for number in range(count):
        series.add(b'{"id":"i%d"}' % number, at=number // 3)
    names = [str(entry.id) for entry in series]
    for position in dropped or ():
        series.drop(names[position % len(names)])
    return series


def walk(series: Series, limit: int, order: str, after: str | None = None) -> list[str | None]:
    found: list[str | None] = []
    while True:
        page = cut(series, Query(limit, order, after))
        found += [entry.id for entry in page.entries]
        if not page.more:
            return found
        after = page.entries[-1].id


@given(
    count=st.integers(1, 40),
    made=st.integers(0, 20),
    dropped=st.sets(st.integers(0, 59), max_size=10),
    limit=st.integers(1, 100),
    order=st.sampled_from(["asc", "desc"]),
    start=st.integers(0, 100),
)
def test_any_walk_yields_every_object_once(
    *, count: int, made: int, dropped: set[int], limit: int, order: str, start: int
) -> None:
    series = filled(count, dropped, made)
    names = [entry.id for entry in series]
    expected = names if order == "asc" else names[::-1]

    assert walk(series, limit, order) == expected
    assert len(series) == len(names)
    if expected:
        place = start % len(expected)
        assert walk(series, limit, order, expected[place]) == expected[place + 1 :]


@given(
    count=st.integers(2, 30), limit=st.integers(1, 40), order=st.sampled_from(["asc", "desc"]), at=st.integers(0, 29)
)
def test_before_is_the_page_that_ends_there(count: int, limit: int, order: str, at: int) -> None:
    series = filled(count)
    names = walk(series, 100, order)
    at %= count
    page = cut(series, Query(limit, order, before=names[at]))

    assert [entry.id for entry in page.entries] == names[max(0, at - limit) : at]
    assert page.more == (at > limit)


def test_between_after_and_before() -> None:
    page = cut(filled(9), Query(100, "asc", after="i2", before="i6"))

    assert [entry.id for entry in page.entries] == ["i3", "i4", "i5"]


def test_a_deleted_object_is_no_cursor() -> None:
    with pytest.raises(UnknownCursor):
        cut(filled(9, {4}), Query(after="i4"))


def test_an_edit_keeps_its_place_and_a_second_add_is_an_edit() -> None:
    series = filled(3, made=2)
    series.edit("g00000001", b'{"id":"g00000001","x":1}')
    series.add(b'{"id":"i1","x":2}', at=9)

    assert [entry.raw for entry in series][1] == b'{"id":"g00000001","x":1}'
    assert [entry.raw for entry in series][3] == b'{"id":"i1","x":2}'
    assert len(series) == 5


def test_a_page_in_the_middle_of_200_000_messages_costs_a_page() -> None:
    state = State()
    state.add_generated("thread_big", 200_000)
    series = state.shelves["threads"].holders["thread_big"].series("messages")
    start = time.perf_counter()
    page = cut(series, Query(100, "desc", after="msg_generated00100000"))

    assert time.perf_counter() - start < 1
    assert [page.entries[0].id, page.entries[-1].id] == ["msg_generated00099999", "msg_generated00099900"]
    assert page.more


def test_generated_objects_must_have_the_ids_that_can_be_computed() -> None:
    with pytest.raises(ValueError, match="object 0 should have the id msg_generated00000000"):
        State().add_generated("thread_1", 5, lambda i: b'{"id":"m%d"}' % i)
