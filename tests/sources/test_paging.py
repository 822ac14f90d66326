from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from exporter.errors import NotFound
from exporter.model import Gap, Page, Position
from exporter.sources._asking import Desk, Listing
from exporter.sources._paging import walk
from tests.sources.fake import LIES, THREAD, FakeApi, error, item, ok

LISTING = Listing(THREAD, "message", "messages", "/threads/thread_1/messages")
GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
WORDS = dict(re.findall(r"^\| `(\w+)` \| ([a-z, ]+) \|", GUIDE.read_text("utf-8"), re.MULTILINE))
"How users are told of each oddity: as a note, a gap or both."
Archive = dict[int, int]


def listed(api: FakeApi, position: Position | None = None, desk: Desk | None = None) -> list[Page | Gap]:
    async def story() -> list[Page | Gap]:
        return [event async for event in walk(desk or Desk(api), LISTING, position)]

    events = asyncio.run(story())
    for event in events:
        if isinstance(event, Gap):
            whose, _, what = event.detail.partition(": ")
            assert (event.thread, event.list) == (THREAD, "messages")
            assert "gap" in WORDS[event.code]
            assert "None" not in what
            assert (whose, str(THREAD) in what, "messages" in what) == (str(THREAD), False, True)
        else:
            assert (event.thread, event.kind, event.list, event.parent) == (THREAD, "message", "messages", None)
            assert all("note" in WORDS[note] for note in event.notes)
    return events


def kept(events: list[Page | Gap], archive: Archive | None = None) -> Archive:
    """Which object stands at which position once these pages are in the archive."""
    found = dict(archive or {})
    for page in pages(events):
        for n, one in enumerate(page.items):
            found[page.seq + n] = json.loads(one.body)["n"]
    return found


def pages(events: list[Page | Gap]) -> list[Page]:
    return [event for event in events if isinstance(event, Page)]


def gaps(events: list[Page | Gap]) -> list[str]:
    return [event.code for event in events if isinstance(event, Gap)]


def some(count: int, *, step: int = 1, start: int = 0) -> list[dict[str, Any]]:
    return [item(n, 1_700_000_000 + n * step) for n in range(start, start + count)]


def exact(count: int) -> Archive:
    return {n: n for n in range(count)}


def begins_tied(history: list[dict[str, Any]]) -> bool:
    return len(history) > 1 and bool(history[0]["created_at"] == history[1]["created_at"])


histories = st.lists(st.integers(0, 2), max_size=45).map(
    lambda steps: [item(n, 1_700_000_000 + sum(steps[: n + 1])) for n in range(len(steps))]
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories, histories, st.integers(2, 50), st.sampled_from(LIES))
def test_every_item_is_kept_once_in_order_or_a_gap_says_so(
    before: list[dict[str, Any]], later: list[dict[str, Any]], most: int, lie: str
) -> None:
    # a cap that nobody tells of and a has_more that is never true cannot be told from an end, but for usual sizes
    # a cursor by second shows itself only where the first page of a walk holds two objects of one second
    assume(lie != "by_second" or (begins_tied(before) and (len(later) < 2 or begins_tied(later))))
    api = FakeApi(before, lie, 20 if lie == "more_false" else most)
    events = listed(api)
    archive = kept(events)

    assert gaps(events) or archive == exact(len(before)), lie

    # some time later, in another process
    start = before[-1]["created_at"] + 3 if before else 1_700_000_000
    api.messages.extend(item(n + len(before), one["created_at"] - 1_700_000_000 + start) for n, one in enumerate(later))
    own = pages(events)
    second = listed(api, own[-1].position if own else Position())
    archive = kept(second, archive)

    assert gaps(events) or gaps(second) or archive == exact(len(before) + len(later)), lie
    # not even a gap excuses an object at two positions
    assert len(set(archive.values())) == len(archive), lie
    assert len(api.calls) < 400
    for page in pages(second):
        assert not page.fresh or not own


@settings(max_examples=150, deadline=None)
@given(histories, st.integers(2, 30), st.integers(0, 8))
def test_an_honest_list_is_exact_from_any_page_on(messages: list[dict[str, Any]], most: int, crash: int) -> None:
    api = FakeApi(messages, most=most)
    before = pages(listed(api))[: crash + 1]
    after = listed(api, before[-1].position)

    assert kept([*before, *after]) == exact(len(messages))
    assert gaps(after) == []


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ("more_true", "empty_page_has_more"),
        ("ignores_parameters", "cursor_repeated"),
        ("more_forever_same_page", "cursor_repeated"),
        ("inclusive_forever", "cursor_repeated"),
        ("null_last_and_cursor", "no_cursor"),
    ],
)
def test_what_cannot_be_proven_is_named(lie: str, code: str) -> None:
    events = listed(FakeApi(some(45), lie, 10))

    assert gaps(events) == [code]


@pytest.mark.parametrize(
    ("lie", "note"),
    [
        ("inclusive", "inclusive_cursor"),
        ("more_false", "has_more_false"),
        ("descending", "descending"),
        ("duplicate_ids", "duplicate_ids"),
        ("limit_400", "smaller_limit"),
        ("limit_422", "smaller_limit"),
        ("limit_unnamed", "smaller_limit"),
        ("last_id_constant", "last_id_wrong"),
    ],
)
def test_what_is_survived_is_noted(lie: str, note: str) -> None:
    events = listed(FakeApi(some(250), lie, 50 if lie.startswith("limit") else 100))

    assert kept(events) == exact(250)
    assert note in {note for page in pages(events) for note in page.notes}


@pytest.mark.parametrize(("count", "requests"), [(299, 3), (300, 3 + 1)])
def test_three_pages_are_three_requests_one_more_if_the_last_is_full_and_nothing_new_is_one(
    count: int, requests: int
) -> None:
    api = FakeApi(some(count))
    events = listed(api)
    first = len(api.calls)
    again = listed(api, pages(events)[-1].position)

    assert (first, len(api.calls) - first, again) == (requests, 1, [])
    assert all(query["order"] == "asc" and query["limit"] == "100" for _, query in api.calls)


def test_a_cursor_by_second_is_found_out_once_and_survived() -> None:
    api = FakeApi([item(n, 1_700_000_000 + n // 3) for n in range(45)], "by_second", 7)
    desk = Desk(api)
    events = listed(api, desk=desk)
    probes = api.asked("messages", probes=True) - api.asked("messages")
    listed(api, desk=desk)

    assert (kept(events), gaps(events)) == (exact(45), [])
    assert api.asked("messages", probes=True) - api.asked("messages") == probes == 1


@pytest.mark.parametrize(
    ("times", "most", "lost"),
    [
        ((0, 0, 2, 4, 4, 4), 3, False),  # stepping back leads to the cursor whose answer was thrown away
        ((0, 0, 2, 4, 4, 4, 4), 3, True),
        ((0, 0, 2, 2, 4, 4, 6), 4, False),
        ((0, 0, 0, 0, 2, 4, 6), 3, True),  # no earlier second to step back to
    ],
)
def test_a_cursor_by_second_loses_nothing_without_a_gap(times: tuple[int, ...], most: int, *, lost: bool) -> None:
    events = listed(FakeApi([item(n, 1_700_000_000 + time) for n, time in enumerate(times)], "by_second", most))

    assert gaps(events) == (["cursor_by_second"] if lost else [])
    assert (kept(events) == exact(len(times))) is not lost


def test_a_page_in_one_second_cannot_be_stepped_over() -> None:
    events = listed(FakeApi([item(n, 1_700_000_000 + n // 20) for n in range(60)], "by_second", 7))

    assert gaps(events) == ["cursor_by_second"]


def test_a_stale_cursor_begins_again() -> None:
    api = FakeApi(some(12))
    position = pages(listed(api))[-1].position
    del api.messages[11]
    api.messages.append(item(11, 1_700_000_099, prefix="new"))
    events = listed(api, position)

    assert kept(events) == exact(12)
    assert [(page.fresh, page.notes) for page in pages(events)] == [(False, ("stale_cursor",))]


def test_a_stale_cursor_that_answers_with_the_beginning_is_found_out() -> None:
    api = FakeApi(some(12), "unknown_restarts")
    position = pages(listed(api))[-1].position
    del api.messages[11]
    api.messages.append(item(11, 1_700_000_099, prefix="new"))
    events = listed(api, position)

    assert kept(events) == exact(12)
    assert [(page.seq, page.fresh, page.notes) for page in pages(events)] == [(0, False, ("cursor_restarted",))]


def test_an_empty_list_is_news_once() -> None:
    api = FakeApi()
    events = listed(api)

    assert [(page.items, page.more, page.cursor) for page in pages(events)] == [((), False, None)]
    assert listed(api, pages(events)[-1].position) == []


def test_an_unfinished_object_is_looked_at_again() -> None:
    api = FakeApi(
        [item(n, 4_000_000_000 + n, status="in_progress" if n == 3 else "completed") for n in range(6)], most=2
    )
    events = listed(api)
    position = pages(events)[-1].position
    unfinished = pages(listed(api, position))
    api.messages[3]["status"] = "completed"
    again = listed(api, position)

    assert position == Position("msg_0002", 3, more=False)
    assert unfinished[0].position == Position("msg_0002", 3, more=True), "its place is the one it was gone on from"
    assert kept(again) == {3: 3, 4: 4, 5: 5}
    assert all(not page.fresh for page in pages(again))
    assert pages(again)[-1].position == Position("msg_0005", 6, more=False)


def test_an_object_unfinished_for_a_day_is_abandoned() -> None:
    events = listed(FakeApi([item(n, 1_700_000_000 + n, status="in_progress") for n in range(6)]))

    assert pages(events)[-1].position == Position("msg_0005", 6, more=False)


def test_one_bad_page_is_a_gap_after_what_was_had() -> None:
    api = FakeApi(some(9), most=5)
    listed_pages = pages(listed(api))
    first = ok({"data": api.messages[:5], "has_more": True, "last_id": "msg_0004"})
    api.canned[LISTING.path] = [first, error(418, "I am a teapot \x1b[31m")]
    events = listed(api)

    assert kept(events) == exact(5)
    assert gaps(events) == ["bad_answer"]
    assert isinstance(events[-1], Gap)
    assert (events[-1].after, "\x1b" in events[-1].detail) == ("msg_0004", False)
    assert len(listed_pages) == 2
    api.canned[LISTING.path] = [error(418, "no")]
    assert [getattr(event, "after", None) for event in listed(api, Position("msg_0004", 5))] == ["msg_0004"]


def test_a_thread_that_vanishes_while_it_is_walked_is_not_found() -> None:
    api = FakeApi(some(9))
    api.canned[LISTING.path] = [error(404, "No thread found with id 'thread_1'.")]

    with pytest.raises(NotFound):
        listed(api)


def test_objects_of_another_thread_are_refused() -> None:
    api = FakeApi([{**item(0, 1), "thread_id": "thread_2"}])

    assert gaps(listed(api)) == ["bad_answer"]


def test_two_equal_objects_without_ids_are_both_kept() -> None:
    api = FakeApi([{"id": None, "n": 0, "text": "ok"}, {"id": None, "n": 0, "text": "ok"}])

    assert [len(page.items) for page in pages(listed(api))] == [2]
