"""The pure decisions of the walk, each against what it means, said the long way."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources._habits import STUCK, UNSETTLED, descending, same_second, settled, smaller, stepped_back, tied
from exporter.sources._seen import Seen
from exporter.sources._split import Piece

TIMES = st.none() | st.integers(1, 4).map(float) | st.sampled_from([1.2, 1.9, 2.5])
PIECES = st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", None]), TIMES, st.sampled_from([b"1", b"2"])))


Drawn = list[tuple[str | None, float | None, bytes]]


def piece(id_: str | None, time: float | None = None, body: bytes = b"", status: str | None = None) -> Piece:
    return Piece(body, id_, time, status, None)


def pieces_of(drawn: Drawn) -> list[Piece]:
    return [piece(id_, time, body) for id_, time, body in drawn]


@given(PIECES)
def test_times_fall_where_each_is_no_later_than_the_one_before(drawn: Drawn) -> None:
    times = [time for _, time, _ in drawn if time is not None]
    rises, falls = times != sorted(times, reverse=True), times != sorted(times)

    assert descending(pieces_of(drawn)) is (False if rises else True if falls else None)


@given(PIECES)
def test_two_neighbours_of_one_second_are_found(drawn: Drawn) -> None:
    made = pieces_of(drawn)
    pairs = [(a.id, b.id) for a, b in pairwise(made) if a.id and b.id and a.id != b.id and same(a, b)]

    assert tied(made) == next(iter(pairs), None)
    assert all(same_second(a, b) is same(a, b) for a in made for b in made)


def same(a: Piece, b: Piece) -> bool:
    return None not in (a.time, b.time) and str(a.time)[0] == str(b.time)[0]


@given(PIECES)
def test_a_step_back_leads_to_the_last_named_object_of_an_earlier_second(
    drawn: Drawn,
) -> None:
    made = pieces_of([*drawn, ("z", 3.5, b"")])
    earlier = [n for n, one in enumerate(made[:-1]) if one.id and one.time is not None and one.time < 3]

    assert stepped_back(made) == (earlier[-1] if earlier else None)
    assert stepped_back([*made, piece("y")]) is None, "without a time nothing tells"


@pytest.mark.parametrize(
    ("limit", "said", "found"),
    [
        (100, "Expected a value <= 50, but got 100", 50),
        (100, "Input should be less than or equal to 20", 20),
        (100, "limit must be at most '25'", 25),
        (100, "the maximum is 10", 10),
        (100, "MAX VALUE: 7", 7),
        (100, "at most 100, at most 101, at most 0", 50),
        (100, "at most 40, and at most 60", 60),
        (100, "at most 99", 99),
        (100, "at most 1", 1),
        (100, "limit is too large", 50),
        (3, "no", 1),
        (1, "no", None),
    ],
)
def test_a_refused_limit_becomes_what_the_message_allows_or_half(limit: int, said: str, found: int | None) -> None:
    assert smaller(limit, said) == found


@pytest.mark.parametrize("status", [*sorted(UNSETTLED), "completed", "another", None])
def test_what_is_unfinished_stays_so_for_a_day(status: str | None) -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    now = at.timestamp()
    for age, abandoned in ((0, False), (STUCK, False), (STUCK + 1, True), (-STUCK * 9, False)):
        assert settled(piece("a", now - age, status=status), at) is (status not in UNSETTLED or abandoned)
    assert settled(piece("a", None, status=status), at) is (status not in UNSETTLED)


@given(st.lists(PIECES, max_size=4), st.integers(0, 2))
def test_a_walk_keeps_each_version_of_an_object_once(drawn: list[Drawn], skip: int) -> None:
    seen, had, twice = Seen(), set[tuple[str | None, bytes]](), set[str]()
    for drawn_page in drawn:
        page, names = pieces_of(drawn_page), {name for name, _ in had if name}
        found, fresh = seen.sift(page, skip), []
        for index, one in enumerate(page):
            if one.id is None or index >= skip:
                fresh.append((index, one, (one.id, one.body) not in had, one.id not in names))
            had.add((one.id, one.body))
            names |= {one.id} if one.id else set()
        changed = {one.id for _, one, new, unknown in fresh if one.id and new and not unknown}
        twice |= changed
        progress = any(new and (unknown or not one.id) for _, one, new, unknown in fresh)

        assert found.progress is progress
        assert found.twice is bool(changed)
        assert found.new == [one for _, one, new, _ in fresh if (new if one.id else progress)]
        assert found.repeated == [index for index, one, new, _ in fresh if one.id and not new]
        skip = 0
    for name in ("a", "b", "c", "d"):
        assert (name in seen) is any(name == other for other, _ in had)
        assert seen.names_one(piece(name)) is (name not in twice)
    assert None not in seen
    assert not seen.names_one(piece(None))


@given(st.lists(PIECES, max_size=4), PIECES)
def test_a_page_of_new_names_is_remembered_at_once_as_it_is_one_by_one(before: list[Drawn], drawn: Drawn) -> None:
    seen, slowly, page = Seen(), Seen(), pieces_of(drawn)
    for earlier in before:
        seen.sift(pieces_of(earlier))
        slowly.sift(pieces_of(earlier))
    names = [one.id for one in page]
    new = None not in names and len({*names}) == len(names) and not any(name in seen for name in names)

    assert seen.adds(page) is new
    if new:
        assert slowly.sift(page)[::2] == (page, False)
    assert seen.sift(page) == slowly.sift(page), "and what was refused is not remembered"
