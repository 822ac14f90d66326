"""A long list that is walked from both ends: the same as from one, in less time, or by one chain after all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from exporter.errors import Temporary
from exporter.model import Gap, Page, Position, Profile, Secret
from exporter.pacing import Pace
from exporter.sources import Answer, _both_ends
from exporter.sources._asking import Desk, Listing
from exporter.sources._both_ends import AFTER
from exporter.sources._paging import walk
from exporter.transport import Budget, HttpTransport
from tests.sources.fake import LIES, THREAD, FakeApi, error, item, ok

PATH = "/threads/thread_1/messages"
LISTING = Listing(THREAD, "message", "messages", PATH)
Event = Page | Gap
Objects = list[dict[str, Any]]
Change = Callable[["Ends", int], None]


class Ends(FakeApi):
    """Answers after some turns of the loop, in which the list may change; it has room unless told otherwise."""

    def __init__(self, messages: Sequence[dict[str, Any]] = (), lie: str = "", most: int = 100, **how: Any) -> None:
        super().__init__(messages, lie, most)
        self.aside = asyncio.Lock()
        self.roomy: bool = how.get("room", True)
        self.turns: Sequence[int] = how.get("turns", (12,))
        self.change: Change | None = how.get("change")
        self.bent: str = how.get("bent", "")
        self.slow: int = how.get("slow", 0)
        "More turns for each page that is asked for oldest first, after the first few."
        self.under_way = 0

    def room(self) -> bool:
        return self.roomy

    @property
    def back(self) -> int:
        """How many pages were asked for from the end; those that probe are not counted."""
        return sum(query.get("order") == "desc" and query["limit"] != "1" for _, query in self.calls)

    async def get(self, path: str, params: Any = (), headers: Mapping[str, str] | None = None) -> Answer:
        number = len(self.calls)
        self.calls.append((path, dict(params)))
        self.under_way += 1
        try:
            forth = ("order", "asc") in params and number > 3
            for _ in range(self.turns[number % len(self.turns)] + self.slow * forth):
                await asyncio.sleep(0)
            if self.change is not None:
                self.change(self, number)
            answer = await super().get(path, params, headers)
            self.calls.pop()
            return answer
        finally:
            self.under_way -= 1

    def _list(self, given: Objects, asked: dict[str, str]) -> Answer:
        if self.bent and asked.get("order") == "desc":
            return BENT[self.bent](self, given, asked)
        return super()._list(given, asked)

    def honest(self, given: Objects, asked: dict[str, str]) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(super()._list(given, asked).body))


def shifted(by: int) -> Callable[[Ends, Objects, dict[str, str]], Answer]:
    """A page that begins so many objects later than it should, or earlier."""

    def told(api: Ends, given: Objects, asked: dict[str, str]) -> Answer:
        names = [one["id"] for one in given]
        if "after" not in asked or asked["after"] not in names:
            return ok(api.honest(given, asked))
        at = max(0, min(len(names) - 1, names.index(asked["after"]) - by))
        return ok(api.honest(given, {**asked, "after": names[at]}))

    return told


def without_cursor(api: Ends, given: Objects, asked: dict[str, str]) -> Answer:
    return ok(api.honest(given, {name: value for name, value in asked.items() if name != "after"}))


def rising(api: Ends, given: Objects, asked: dict[str, str]) -> Answer:
    return ok(api.honest(given, {**asked, "order": "asc"}))


def last_without_id(api: Ends, given: Objects, asked: dict[str, str]) -> Answer:
    told = api.honest(given, asked)
    if told["data"]:
        told["data"][-1]["id"] = None
    return ok(told)


def every_tenth_twice(api: Ends, given: Objects, asked: dict[str, str]) -> Answer:
    told = api.honest(given, asked)
    told["data"] = [one for n, one in enumerate(told["data"]) for _ in range(2 if n % 10 == 9 else 1)]
    return ok(told)


def by_second(api: Ends, given: Objects, asked: dict[str, str]) -> Answer:
    told = api.honest(given, asked)
    at = next((one["created_at"] for one in given if one["id"] == asked.get("after")), None)
    if at is not None:
        told["data"] = [one for one in told["data"] if one["created_at"] < at]
    return ok(told)


def ties_as_they_rise(api: Ends, given: Objects, asked: dict[str, str]) -> Answer:
    """Newest second first, but what has one second in the order of ids."""
    names = [one["id"] for one in sorted(given, key=lambda one: (-one["created_at"], one["id"]))]
    whole = {one["id"]: one for one in given}
    start = names.index(asked["after"]) + 1 if "after" in asked else 0
    limit = min(int(asked["limit"]), api.most)
    return ok(
        {
            "data": [whole[name] for name in names[start : start + limit]],
            "has_more": start + limit < len(names),
            "last_id": None,
        }
    )


def alien(api: Ends, given: Objects, asked: dict[str, str]) -> Answer:
    told = api.honest(given, asked)
    told["data"][len(told["data"]) // 2]["thread_id"] = "thread_2"
    return ok(told)


def fails(_api: Ends, _given: Objects, _asked: dict[str, str]) -> Answer:
    raise Temporary("no answer came")


BENT: dict[str, Callable[[Ends, Objects, dict[str, str]], Answer]] = {
    "skips_one": shifted(1),
    "skips_three": shifted(3),
    "skips_forty": shifted(40),
    "inclusive": shifted(-1),
    "overlaps": shifted(-3),
    "without_cursor": without_cursor,
    "rising": rising,
    "last_without_id": last_without_id,
    "every_tenth_twice": every_tenth_twice,
    "by_second": by_second,
    "ties_as_they_rise": ties_as_they_rise,
    "alien": alien,
    "fails": fails,
    "refused": lambda *_: error(400, "Invalid value: 'desc'. Supported values are: 'asc'.", "order"),
    "refused_as_unknown": lambda *_: error(422, "order is not taken"),
    "no_list": lambda *_: ok({"data": 7}),
    "html": lambda *_: Answer(200, {}, b"<html>"),
    "empty": lambda *_: ok({"data": [], "has_more": False}),
    "empty_and_more": lambda *_: ok({"data": [], "has_more": True}),
    "key_refused": lambda *_: error(401, "Incorrect API key provided", code="invalid_api_key"),
}
"What a server may do wrong with the order from the end only."


def walked(api: FakeApi, position: Position | None = None, desk: Desk | None = None) -> list[Event]:
    async def story() -> list[Event]:
        return [event async for event in walk(desk or Desk(api), LISTING, position)]

    return asyncio.run(story())


def pages(events: list[Event]) -> list[Page]:
    return [event for event in events if isinstance(event, Page)]


def gaps(events: list[Event]) -> list[str]:
    return [event.code for event in events if isinstance(event, Gap)]


def kept(events: list[Event], archive: Mapping[int, int] | None = None) -> dict[int, int]:
    """Which object stands at which position once these pages are in the archive."""
    found = dict(archive or {})
    for page in pages(events):
        for n, one in enumerate(page.items):
            found[page.seq + n] = json.loads(one.body)["n"]
    return found


def some(count: int, *, each: int = 1) -> Objects:
    """So many messages, so many of them in one second."""
    return [item(n, 1_700_000_000 + n // each) for n in range(count)]


def exact(count: int) -> dict[int, int]:
    return {n: n for n in range(count)}


def in_a_row(events: Sequence[Event]) -> bool:
    """Whether each page begins where the one before ended, and a walk cut off after it goes on in it, or behind it."""
    own = pages([*events])
    names = [item.id for page in own for item in page.items]
    ends = [page.seq + len(page.items) for page in own]
    return [page.seq for page in own] == [0, *ends[:-1]] and all(
        page.seq <= page.position.seq <= end and page.cursor == names[page.position.seq - 1]
        for page, end in zip(own, ends, strict=True)
    )


LENGTHS = (0, 1, 99, 100, 101, 199, 200, 201, 299, 300, 301, 399, 400, 401, 499, 500, 501, 999, 1000, 1001, 2500, 2501)


@pytest.mark.parametrize("each", [1, 3])
@pytest.mark.parametrize("count", LENGTHS)
def test_every_length_is_exact_for_few_requests_more(count: int, each: int) -> None:
    api, alone = Ends(some(count, each=each)), Ends(some(count, each=each), room=False)
    events, one = walked(api), walked(alone)

    assert (kept(events), gaps(events), not count or in_a_row(events)) == (exact(count), [], True)
    assert pages(events)[-1].position == pages(one)[-1].position
    assert all(page.fresh and not page.notes for page in pages(events))
    assert alone.back == 0
    if count <= AFTER:
        assert api.calls == alone.calls
    else:
        assert 0 <= len(api.calls) - len(alone.calls) <= 4
    if count >= 1000:
        assert 0.35 < api.back * 100 / count < 0.6
    assert api.under_way == 0


lengths = st.integers(0, 900)
turns = st.lists(st.integers(0, 5), min_size=1, max_size=6)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lengths, st.integers(7, 100), st.sampled_from(LIES), turns, st.integers(1, 4))
def test_every_lie_ends_as_with_one_chain(count: int, most: int, lie: str, turns: list[int], each: int) -> None:
    assume(lie != "more_false" or most == 20)
    messages = some(count, each=each)
    alone = walked(Ends(messages, lie, most, room=False))
    api = Ends(messages, lie, most, turns=turns)
    events = walked(api)

    assert (kept(events), gaps(events)) == (kept(alone), gaps(alone))
    assert gaps(events) or kept(events) == exact(count)
    assert api.under_way == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(301, 900), st.integers(20, 100), turns, st.sampled_from(sorted(BENT)), st.integers(1, 19))
def test_an_order_that_only_lies_from_the_end_costs_nothing(
    count: int, most: int, turns: list[int], bent: str, each: int
) -> None:
    api = Ends(some(count, each=each), most=most, turns=turns, bent=bent)
    events = walked(api)

    assert (kept(events), gaps(events)) == (exact(count), [])
    assert in_a_row(events)
    assert pages(events)[-1].position == Position(f"msg_{count - 1:04d}", count, more=False)
    assert api.under_way == 0


@pytest.mark.parametrize("bent", sorted(BENT.keys() - {"fails", "key_refused", "ties_as_they_rise"}))
def test_a_server_that_cannot_be_walked_from_its_end_is_tried_once(bent: str) -> None:
    api = Ends(some(900), bent=bent)
    desk = Desk(api)
    first = walked(api, desk=desk)
    tried, asked = api.back, len(api.calls)
    second = walked(api, desk=desk)

    assert kept(first) == kept(second) == exact(900)
    assert api.back - tried <= (0 if bent not in ("empty", "empty_and_more", "by_second") else tried)
    assert len(api.calls) - asked <= 9 + 1 + tried, "nine full pages, what follows the last, and what was tried"


@settings(max_examples=60, deadline=None)
@given(st.integers(301, 900), turns, st.lists(st.tuples(st.integers(0, 14), st.integers(1, 120)), max_size=4))
def test_what_is_written_meanwhile_is_not_lost(count: int, turns: list[int], news: list[tuple[int, int]]) -> None:
    written = dict(news)

    def change(api: Ends, number: int) -> None:
        for _ in range(written.pop(number, 0)):
            api.messages.append(item(len(api.messages), 1_700_000_000 + len(api.messages)))

    api = Ends(some(count), turns=turns, change=change)
    events = walked(api)
    first, api.change = kept(events), None
    events = walked(api, pages(events)[-1].position)

    assert gaps(events) == []
    assert list(first) == list(first.values())
    assert len(first) >= count
    assert kept(events, first) == exact(len(api.messages))


@settings(max_examples=120, deadline=None)
@given(
    st.integers(301, 700),
    turns,
    st.integers(20, 100),
    st.lists(st.tuples(st.integers(0, 16), st.integers(0, 699)), min_size=1, max_size=5),
    st.sampled_from(["", "", "unknown_restarts"]),
)
def test_what_is_deleted_meanwhile_takes_nothing_else_along(
    count: int, turns: list[int], most: int, deleted: list[tuple[int, int]], lie: str
) -> None:
    gone: dict[int, list[int]] = {}
    for number, at in deleted:
        gone.setdefault(number, []).append(min(at, count - 1))

    def change(api: Ends, number: int) -> None:
        names = gone.pop(number, ())
        api.messages[:] = [one for one in api.messages if one["n"] not in names]

    api = Ends(some(count), lie, most, turns=turns, change=change)
    events = walked(api)
    archive = kept(events)
    left = {one["n"] for one in api.messages}

    assert gaps(events) or left <= set(archive.values())
    assert gaps(events) == [] or lie
    if not any(page.notes for page in pages(events)):
        assert list(archive.values()) == sorted(archive.values())
        assert len(set(archive.values())) == len(archive)


@settings(max_examples=40, deadline=None)
@given(st.integers(301, 900), turns, st.integers(30, 100), st.integers(0, 40))
def test_a_crash_after_any_page_goes_on_exactly(count: int, turns: list[int], most: int, crash: int) -> None:
    before = pages(walked(Ends(some(count), most=most, turns=turns)))[: crash + 1]
    after = walked(Ends(some(count), most=most, turns=turns), before[-1].position)

    assert kept([*before, *after]) == exact(count)
    assert gaps(after) == []
    assert in_a_row(before)
    assert [page.seq for page in pages(after)][:1] in ([], [before[-1].position.seq])


def test_a_walk_that_goes_on_asks_nothing_from_the_end() -> None:
    api = Ends(some(900))
    walked(api, Position("msg_0000", 1, more=True))

    assert api.back == 0


def test_an_answer_that_is_not_needed_any_more_is_not_waited_for() -> None:
    api = Ends(some(2000), slow=2000)
    events = walked(api)
    pages_forth = [query for _, query in api.calls if query["order"] == "asc"]

    assert (kept(events), gaps(events), in_a_row(events)) == (exact(2000), [], True)
    assert api.back >= 15
    assert len(pages_forth) <= 6
    assert api.under_way == 0


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_both_ends, "MOST_BYTES", 150_000)
    api = Ends(some(3000))
    events = walked(api)

    assert (kept(events), gaps(events)) == (exact(3000), [])
    assert 2 <= api.back <= 5
    assert len(api.calls) <= 30 + 4


def test_where_room_gets_scarce_what_is_held_is_used_all_the_same() -> None:
    def change(api: Ends, number: int) -> None:
        api.roomy = number < 8

    api = Ends(some(2000), change=change)
    events = walked(api)

    assert kept(events) == exact(2000)
    assert 2 <= api.back <= 4
    assert len(api.calls) <= 20 + 4


def test_only_one_list_at_a_time_is_held() -> None:
    api = Ends(some(2000))

    async def story() -> tuple[list[Event], list[Event]]:
        async def one() -> list[Event]:
            return [event async for event in walk(desk, LISTING, None)]

        desk = Desk(api)
        return await asyncio.gather(one(), one())

    for events in asyncio.run(story()):
        assert kept(events) == exact(2000)
    assert 5 < api.back <= 12
    assert not api.aside.locked()


def test_a_walk_that_is_left_leaves_nothing_under_way() -> None:
    api = Ends(some(2000), turns=[3])

    async def story() -> int:
        events = cast("AsyncGenerator[Event, None]", walk(Desk(api), LISTING, None))
        count = 0
        async for _ in events:
            count += 1
            if count == 6:
                break
        await events.aclose()
        for _ in range(20):
            await asyncio.sleep(0)
        return api.under_way

    assert asyncio.run(story()) == 0
    assert api.back > 0
    assert not api.aside.locked()


def transport(pace: Pace, budget: Budget | None = None) -> HttpTransport:
    return HttpTransport(Profile(base_url="http://127.0.0.1:1/v1", key=Secret("sk-none")), pace, budget=budget)


def test_there_is_room_where_most_slots_are_free_and_nothing_is_limited() -> None:
    busy, complained = Pace(16), Pace(16)
    busy.in_flight = 2
    complained.slowed()

    assert transport(Pace(16)).room()
    assert transport(Pace(4)).room()
    assert not transport(Pace(3)).room()
    assert not transport(Pace(16, rate=100)).room()
    assert not transport(Pace(16), Budget(1_000_000)).room()
    assert not transport(busy).room()
    assert not transport(complained).room()
