"""Lists at their edges: one object long, without times, without a name at the end, and shared with other threads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Gap, Page, Position, now
from exporter.sources import Answer
from exporter.sources._asking import Desk, Listing
from exporter.sources._habits import settled
from exporter.sources._paging import walk
from exporter.sources._split import Piece
from tests.sources.fake import LIES, THREAD, FakeApi, error, item, ok
from tests.sources.test_paging import LISTING, exact, gaps, kept, listed, pages, some

ONE = Position("msg_0000", 1, more=False)


class Timeless(FakeApi):
    """Goes by times that it does not tell."""

    def _page(self, data: list[dict[str, Any]], more: bool, limit: int, objects: list[dict[str, Any]]) -> Answer:
        return super()._page([{**one, "created_at": None} for one in data], more, limit, objects)


class Stubborn(FakeApi):
    """Gives the oldest first, whatever order it is asked for."""

    def _list(self, given: list[dict[str, Any]], asked: dict[str, str]) -> Answer:
        return super()._list(given, {**asked, "order": "asc"})


def notes(events: list[Page | Gap]) -> set[str]:
    return {note for page in pages(events) for note in page.notes}


def walked(api: FakeApi, listing: Listing, after: Position | None = None) -> list[Page | Gap]:
    async def story() -> list[Page | Gap]:
        return [event async for event in walk(Desk(api), listing, after)]

    return asyncio.run(story())


@pytest.mark.parametrize("most", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("tied", [1, 2, 3, 4])
def test_a_cursor_by_second_that_no_time_shows_is_exact_or_a_gap(tied: int, most: int) -> None:
    api = Timeless([item(n, 1_700_000_000 + n // tied) for n in range(23)], "by_second", most)
    events = listed(api)

    assert gaps(events) == ([] if tied == 1 else ["cursor_by_second"])
    assert gaps(events) or (kept(events) == exact(23) and not notes(events))
    assert list(kept(events).values()) == sorted(set(kept(events).values())), "none twice, and none before another"
    assert len(api.calls) <= 15


def test_going_back_to_an_earlier_second_is_noted() -> None:
    events = listed(FakeApi([item(n, 1_700_000_000 + n // 3) for n in range(45)], "by_second", 7))

    assert (kept(events), gaps(events), notes(events)) == (exact(45), [], {"cursor_by_second"})


class Forgetful(FakeApi):
    """Knows no object that it is asked to go on after."""

    def _list(self, given: list[dict[str, Any]], asked: dict[str, str]) -> Answer:
        return error(400, "No message found.", "after") if "after" in asked else super()._list(given, asked)


def test_a_walk_is_begun_again_twice_and_then_given_up() -> None:
    api = Forgetful(some(9), most=5)
    events = listed(api)

    assert [query.get("after") for _, query in api.calls] == [None, "msg_0004"] * 3
    assert (kept(events), gaps(events)) == (exact(5), ["stale_cursor"])
    api.calls.clear()
    again = listed(api, Position("msg_0004", 5))
    assert [query.get("after") for _, query in api.calls] == ["msg_0004", None] * 2 + ["msg_0004"]
    assert (kept(again), gaps(again)) == (exact(5), ["stale_cursor"])


@pytest.mark.parametrize("kind", [FakeApi, Timeless])
@pytest.mark.parametrize("count", [1, 2, 100, 150])
def test_a_list_that_was_one_object_long_goes_on_after_it(kind: type[FakeApi], count: int) -> None:
    api = kind(some(1))
    first = listed(api)
    api.messages.extend(some(count, start=1))
    later = listed(api, pages(first)[-1].position)

    assert pages(first)[-1].position == ONE
    assert kept(later, kept(first)) == exact(count + 1)
    assert (gaps(later), notes(later)) == ([], set())
    assert pages(later)[0].seq == 1


@pytest.mark.parametrize(
    ("kind", "lie", "later", "said", "unproven"),
    [
        (FakeApi, "descending", 5, {"stale_cursor", "descending"}, []),
        (FakeApi, "ignores_parameters", 5, {"stale_cursor", "descending"}, []),
        (Timeless, "descending", 5, {"stale_cursor"}, ["order_ignored"]),
        (Stubborn, "no_times", 5, {"descending"}, ["order_ignored"]),
        (Stubborn, "no_times", 1, {"descending"}, ["order_ignored"]),
        (Stubborn, "", 5, set(), []),
        (Stubborn, "no_times", 0, set(), []),
    ],
)
def test_a_list_that_was_one_object_long_is_walked_again_where_its_order_is_not_certain(
    kind: type[FakeApi], lie: str, later: int, said: set[str], unproven: list[str]
) -> None:
    api = kind(some(1), lie)
    first = listed(api)
    api.messages.extend(some(later, start=1))
    events = listed(api, pages(first)[-1].position)

    assert (gaps(events), notes(events)) == (unproven, said)
    assert len(kept(events, kept(first))) == later + 1
    assert unproven or kept(events, kept(first)) == exact(later + 1)
    assert not said or all(not page.fresh and page.seq == 0 for page in pages(events))
    assert api.asked("messages", probes=True) - api.asked("messages") <= 1, "one question tells the order"


def test_a_list_of_one_object_that_was_replaced_is_walked_again() -> None:
    api = FakeApi([item(9, 5)])
    events = listed(api, ONE)

    assert [(page.seq, page.fresh, page.notes) for page in pages(events)] == [(0, False, ("stale_cursor",))]
    assert (kept(events), gaps(events)) == ({0: 9}, [])


@pytest.mark.parametrize(("count", "unnamed"), [(1, []), (2, ["no_cursor"]), (9, ["no_cursor"])])
def test_where_only_the_last_object_has_no_name_the_list_has_no_proven_end(count: int, unnamed: list[str]) -> None:
    """With other objects behind it, it has a name: then it stands in the archive twice."""
    events = listed(FakeApi(some(count), "null_last_and_cursor"))

    assert (gaps(events), kept(events)) == (unnamed, exact(count))
    assert gaps(listed(FakeApi(some(count), "null_last"))) == []
    assert gaps(listed(FakeApi([{**one, "id": None} for one in some(count)]))) == []
    assert gaps(listed(FakeApi([{**one, "id": None} for one in some(count)], "null_last_and_cursor"))) == []


@pytest.mark.parametrize("most", [2, 4, 100])
def test_objects_of_other_threads_are_passed_over_and_take_no_position(most: int) -> None:
    listing = replace(LISTING, omits=lambda name: int(name[-4:]) % 3 != 1)
    api = FakeApi(some(12), most=most)

    events = walked(api, listing)
    position = pages(events)[-1].position

    assert (kept(events), gaps(events)) == ({0: 1, 1: 4, 2: 7, 3: 10}, [])
    assert position == Position("msg_0011", 4, more=False)
    assert notes(events) == {"earlier_turns"}
    api.calls.clear()
    assert walked(api, listing, position) == []
    assert [query["after"] for _, query in api.calls] == ["msg_0011"], "what is another's is not asked for again"
    api.messages.extend(some(4, start=12))
    assert kept(walked(api, listing, position)) == {4: 13}
    unfinished = {"created_at": 4_000_000_000, "status": "in_progress"}
    api.messages[:] = [*some(3), {**item(4, 0), **unfinished}, *some(3, start=5)]
    looked_at = pages(walked(api, listing))[-1].position
    assert looked_at == Position("msg_0002", 1, more=False), "what is unfinished is asked for again"
    api.messages[:], api.most = [{**one, "id": None} for one in some(3)], 100
    assert kept(walked(api, listing)) == exact(3), "what has no name is kept"


class Endless(FakeApi):
    """Has ever more, and names the end of each page by the same word; what is asked after tells it nothing."""

    def _list(self, *_: Any) -> Answer:
        data = [{**one, "id": None} for one in some(2, start=2 * len(self.calls))]
        return ok({"data": data, "has_more": True, "last_id": "the_end"})


def test_a_list_without_an_end_is_not_asked_twice_after_the_same() -> None:
    api = Endless()
    events = listed(api)

    assert gaps(events) == ["cursor_repeated"]
    assert [query.get("after") for _, query in api.calls if query["limit"] == "100"] == [None, "the_end"]
    assert len(kept(events)) == 4


def test_a_token_that_was_used_is_passed_over_for_the_last_object() -> None:
    """Of a server whose cursors are words of its own: the same word again would bring the same page again."""
    api = FakeApi(some(5), most=2)
    desk = Desk(api)
    desk.habits("message").tokens = True
    desk.habits("message").ordered = True
    api.canned[LISTING.path] = [
        ok({"data": api.messages[n : n + 2], "has_more": n < 4, "last_id": "token"}) for n in (0, 2, 4)
    ]
    events = listed(api, desk=desk)

    assert (kept(events), gaps(events)) == (exact(5), [])
    assert [query.get("after") for _, query in api.calls] == [None, "token", "msg_0003"]
    assert notes(events) == {"last_id_wrong"}


@pytest.mark.parametrize("lie", sorted({*LIES} - {"tokens", "position_ids", "duplicate_ids", "descending"}))
def test_every_cursor_names_the_object_that_stands_before_what_comes_next(lie: str) -> None:
    """So a visit that is cut off after any page goes on at the right position."""
    events = listed(
        FakeApi([item(n, 1_700_000_000 + n // 3) for n in range(45)], lie, 20 if lie == "more_false" else 7)
    )
    placed = pages(events)

    assert placed
    for page in placed:
        if page.position.cursor is not None:
            assert page.position.cursor == f"msg_{page.position.seq - 1:04}"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [((0, 1, 1), {"cursor_by_second"}), ((0, 1, 1, 1), {"cursor_by_second"}), ((0, 1), set()), ((0, 1, 2), set())],
)
@pytest.mark.parametrize("kind", [FakeApi, Timeless])
def test_more_that_was_promised_and_did_not_come_is_looked_for_one_object_before(
    kind: type[FakeApi], seconds: tuple[int, ...], said: set[str]
) -> None:
    """Behind the last object of a page stand others of its second, and no time of the page shows it."""
    events = listed(kind([item(n, 1_700_000_000 + second) for n, second in enumerate(seconds)], "by_second", 2))

    assert gaps(events) or (kept(events), notes(events)) == (exact(len(seconds)), said)
    assert (gaps(events) == []) is (len(seconds) < 4)


@pytest.mark.parametrize("kind", [FakeApi, Timeless])
@pytest.mark.parametrize(("count", "most"), [(1, 1), (2, 2), (6, 2), (3, 3), (6, 3)])
def test_more_that_was_promised_by_a_full_last_page_alone_is_no_oddity(
    kind: type[FakeApi], count: int, most: int
) -> None:
    events = listed(kind(some(count), "more_when_full", most))

    assert (kept(events), gaps(events), notes(events)) == (exact(count), [], set())


def test_an_object_whose_children_cannot_be_had_whole_is_looked_at_again() -> None:
    async def children(piece: Piece) -> AsyncIterator[Page | Gap]:
        if piece.id in ("msg_0003", "msg_0005"):
            yield Gap(LISTING.thread, f"steps:{piece.id}", None, "bad_answer", "no")

    api = FakeApi(some(9), most=2)
    events = walked(api, replace(LISTING, children=children))

    assert (kept(events), gaps(events)) == (exact(9), ["bad_answer"] * 2)
    assert pages(events)[-1].position == Position("msg_0002", 3, more=False)


@pytest.mark.parametrize("lie", ["ignores_parameters", "descending"])
def test_a_list_that_turned_round_since_the_last_visit_is_walked_again(lie: str) -> None:
    api = FakeApi(some(6))
    first = listed(api)
    api.messages.extend(some(4, start=6))
    api.lie = lie
    again = listed(api, pages(first)[-1].position)

    assert (kept(again), gaps(again), notes(again)) == (exact(10), [], {"descending"})
    assert all(not page.fresh for page in pages(again))


@pytest.mark.parametrize("first", range(8))
def test_a_cursor_by_second_that_shows_itself_late_is_walked_again(first: int) -> None:
    """Pages before it may have been cut off in the middle of a second."""
    seconds = [*range(first), *(first + n // 2 for n in range(12))]
    api = FakeApi([item(n, 1_700_000_000 + second) for n, second in enumerate(seconds)], "by_second", 3)
    events = listed(api)

    assert gaps(events) or kept(events) == exact(len(seconds))
    assert gaps(events) or "cursor_by_second" in notes(events)
    assert len(api.calls) < 40


def test_what_a_list_showed_of_the_order_is_not_asked_again_for_the_next_list() -> None:
    api = FakeApi(some(5))
    desk = Desk(api)
    listed(api, desk=desk)
    api.messages[:] = some(1)
    api.calls.clear()

    assert listed(api, ONE, desk) == []
    assert [query.get("after") for _, query in api.calls] == ["msg_0000"]


@pytest.mark.parametrize("seconds", [(0, 0, 0, 1), (0, 0, 0), (0, 0, 0, 1, 2, 3)])
def test_a_second_that_no_time_shows_and_that_is_longer_than_a_page_is_a_gap(seconds: tuple[int, ...]) -> None:
    events = listed(Timeless([item(n, 1_700_000_000 + second) for n, second in enumerate(seconds)], "by_second", 2))

    assert gaps(events) == ["cursor_by_second"]


def test_a_server_that_hid_more_once_is_not_believed_again() -> None:
    api = FakeApi(some(40), "more_false", most=20)
    desk = Desk(api)
    first = listed(api, desk=desk)
    api.lie = ""
    second = listed(api, desk=desk)
    api.lie = "more_false"
    third = listed(api, desk=desk)

    assert [kept(events) for events in (first, second, third)] == [exact(40)] * 3
    assert [gaps(events) for events in (first, second, third)] == [[]] * 3


class Hides(FakeApi):
    """Says honestly what follows, but once: of the page that ends with one object it says that nothing does."""

    def __init__(self, count: int, most: int, end: int) -> None:
        super().__init__(some(count), most=most)
        self.end = f"msg_{end:04}"

    def _page(self, data: list[dict[str, Any]], more: bool, limit: int, objects: list[dict[str, Any]]) -> Answer:
        hides = bool(data) and data[-1]["id"] == self.end
        return super()._page(data, more and not hides, limit, objects)


class Halves(FakeApi):
    """Gives half of what it is asked for, and reckons as if it had given all."""

    def _page(self, data: list[dict[str, Any]], more: bool, limit: int, objects: list[dict[str, Any]]) -> Answer:
        return super()._page(data[: limit // 2], more, limit, objects)


@pytest.mark.parametrize(
    "api",
    [Hides(350, 100, 199), Hides(350, 100, 299), Hides(45, 7, 13), Hides(5, 1, 2), Halves(some(250))],
    ids=["second", "third", "capped", "one by one", "half"],
)
def test_a_last_page_as_long_as_any_is_asked_what_follows_whatever_was_said_before(api: FakeApi) -> None:
    count = len(api.messages)
    events = listed(api)

    assert (kept(events), gaps(events), notes(events)) == (exact(count), [], {"has_more_false"})
    assert len(pages(listed(api, pages(events)[-1].position))) == 0


@pytest.mark.parametrize(
    ("count", "most", "after", "requests"),
    [
        (99, 100, None, 1),
        (100, 100, None, 2),
        (199, 100, None, 2),
        (200, 100, None, 3),
        (14, 7, None, 3),
        (15, 7, None, 3),
        (5, 1, None, 6),
        (21, 20, Position("msg_0019", 20), 1),
        (20, 20, Position("msg_0019", 20, more=False), 1),
        (120, 100, Position("msg_0019", 20), 2),
        (119, 100, Position("msg_0019", 20), 1),
    ],
)
@pytest.mark.parametrize("lie", ["", "tokens"])
def test_a_believed_end_costs_one_request_more_where_its_page_is_full_and_none_elsewhere(
    count: int, most: int, after: Position | None, requests: int, lie: str
) -> None:
    api = FakeApi(some(count), lie, most)
    desk = Desk(api)
    habits = desk.habits("message")
    habits.says_more, habits.ordered, habits.restarts = True, True, False
    habits.tokens = lie == "tokens"
    if after is not None and lie == "tokens":
        after = replace(after, cursor=f"token:{after.cursor}")
    events = listed(api, after, desk)

    assert kept(events) == {n: n for n in range(after.seq if after else 0, count)}
    assert (gaps(events), len(api.calls)) == ([], requests)


class Ended(FakeApi):
    """Has no place after the last object, and says so in one of several ways."""

    how = "refused"

    def _list(self, given: list[dict[str, Any]], asked: dict[str, str]) -> Answer:
        if asked.get("after") != given[-1]["id"]:
            return super()._list(given, asked)
        if self.how == "refused":
            return error(404, "Nothing follows it.", "after")
        return ok({"data": given[-self.most :][-1:], "has_more": False, "last_id": given[-1]["id"]})


@pytest.mark.parametrize("how", ["refused", "the last once more"])
@pytest.mark.parametrize(("count", "most"), [(100, 100), (200, 100), (14, 7), (3, 1)])
def test_who_has_no_place_after_the_last_object_was_right_that_nothing_follows(count: int, most: int, how: str) -> None:
    api = Ended(some(count), most=most)
    api.how = how
    desk = Desk(api)
    desk.habits("message").says_more = True
    events = listed(api, desk=desk)

    assert (kept(events), gaps(events)) == (exact(count), [])
    assert not notes(events) & {"stale_cursor", "has_more_false"}


class Words(FakeApi):
    """Says whether more follows in words of its own, or in none."""

    words: tuple[Any, Any] = ("yes", "no")

    def _page(self, data: list[dict[str, Any]], more: bool, limit: int, objects: list[dict[str, Any]]) -> Answer:
        told = json.loads(super()._page(data, more, limit, objects).body)
        return ok({**told, "has_more": self.words[0 if more else 1]})


@pytest.mark.parametrize("words", [("yes", "no"), ("True", "False"), (2, ""), ([1], []), ({}, {}), (0.5, "0")])
@pytest.mark.parametrize(("count", "most"), [(90, 30), (91, 30), (3, 2), (1, 100), (100, 100), (250, 100)])
@pytest.mark.parametrize("lie", ["", "inclusive", "tokens", "by_second"])
def test_where_has_more_says_nothing_a_list_is_asked_on_until_nothing_comes(
    words: tuple[Any, Any], count: int, most: int, lie: str
) -> None:
    api = Words(some(count), lie, most)
    api.words = words
    events = listed(api)
    first = len(api.calls)
    again = listed(api, pages(events)[-1].position)

    assert (kept(events), gaps(events)) == (exact(count), [])
    assert "has_more_odd" in notes(events)
    assert "has_more_false" not in notes(events)
    assert kept(again, kept(events)) == exact(count)
    assert lie or (first - api.asked("messages", probes=True) + api.asked("messages")) <= -(-count // most) + 2


@pytest.mark.parametrize("words", [(True, False), ("true", "false"), (1, 0), (True, None)])
def test_what_means_true_or_false_is_no_oddity(words: tuple[Any, Any]) -> None:
    api = Words(some(91), most=30)
    api.words = words
    events = listed(api)

    assert (kept(events), gaps(events), notes(events)) == (exact(91), [], set())
    assert api.asked("messages") == 4


def test_where_has_more_says_nothing_and_no_cursor_is_left_the_end_is_not_proven() -> None:
    api = FakeApi(some(9))
    nameless = [{**one, "id": None} for one in api.messages]
    api.canned[LISTING.path] = [ok({"data": nameless, "has_more": "perhaps"})]

    assert gaps(listed(api)) == ["no_cursor"]


@pytest.mark.parametrize(("back", "said"), [(0, set()), (1, {"inclusive_cursor"}), (3, {"repeated_ids"})])
def test_what_a_page_repeats_before_its_cursor_is_noted_and_not_taken_again(back: int, said: set[str]) -> None:
    api = FakeApi(some(9))
    desk = Desk(api)
    desk.habits("message").inclusive, desk.habits("message").restarts = True, False
    api.canned[LISTING.path] = [ok({"data": api.messages[6 - back :], "has_more": False})]
    events = listed(api, Position("msg_0005", 6), desk)

    assert (kept(events), gaps(events), notes(events)) == ({6: 6, 7: 7, 8: 8}, [], said)


@pytest.mark.parametrize("of_threads", [True, False])
@pytest.mark.parametrize("long", [True, False])
def test_what_comes_newest_first_is_turned_round_as_far_as_it_is_held(*, long: bool, of_threads: bool) -> None:
    """A longer list is had too, but as it came: a gap says that its positions are not those of the server.

    Threads have no positions: of their list a note says that its cursor proves nothing.
    """
    api, came = FakeApi(some(200 + long), "descending", 2), list(range(200 + long))
    listing = replace(LISTING, thread=replace(THREAD, id="")) if of_threads else LISTING
    events = walked(api, listing)

    assert gaps(events) == (["descending"] if long and not of_threads else [])
    assert list(kept(events).items()) == list(zip(came, reversed(came) if long else came, strict=True))
    assert all((page.cursor is None) is (not long) for page in pages(events))
    assert all(("descending" in page.notes) is (of_threads or not long) for page in pages(events)[:100])


@pytest.mark.parametrize(("step", "said"), [(1, ["descending"]), (0, [])])
def test_what_comes_newest_first_object_by_object_is_a_gap_where_the_order_is_known_to_be_ignored(
    step: int, said: list[str]
) -> None:
    api = FakeApi(some(4, step=step), "descending", 1)
    desk = Desk(api)
    desk.habits("message").ordered = False
    events = listed(api, desk=desk)

    assert (gaps(events), list(kept(events).values())) == (said, [3, 2, 1, 0])


@pytest.mark.parametrize(
    ("front", "said"),
    [([0], {"repeated_ids"}), ([4], {"inclusive_cursor"}), ([4, 0], {"inclusive_cursor", "repeated_ids"})],
)
def test_what_came_before_is_noted_where_it_comes_again(front: list[int], said: set[str]) -> None:
    api = FakeApi(some(9))
    again = [api.messages[n] for n in (*front, 5, 6, 7, 8)]
    api.canned[LISTING.path] = [
        ok({"data": api.messages[:5], "has_more": True}),
        ok({"data": again, "has_more": False}),
    ]
    events = listed(api)

    assert (kept(events), gaps(events), notes(events)) == (exact(9), [], said)
    assert all(page.fresh for page in pages(events))


@pytest.mark.parametrize(
    ("again", "said"), [([4], []), ([3, 4], ["cursor_repeated"]), ([0, 1, 2, 3, 4], ["cursor_repeated"])]
)
def test_a_last_page_without_news_is_an_end_where_it_repeats_no_more_than_the_cursor(
    again: list[int], said: list[str]
) -> None:
    api = FakeApi(some(5))
    last = [api.messages[n] for n in again]
    api.canned[LISTING.path] = [ok({"data": api.messages, "has_more": True}), ok({"data": last, "has_more": False})]
    events = listed(api)

    assert (kept(events), gaps(events)) == (exact(5), said)


def test_where_an_id_comes_twice_the_archive_looks_whether_it_has_what_comes() -> None:
    events = listed(FakeApi(some(21), "duplicate_ids", 5))

    assert [page.fresh for page in pages(events)] == [True, False, False, False, False]
    assert kept(events) == exact(21)
    assert kept(listed(FakeApi(some(9), "duplicate_ids", 6))) == exact(9), "one begins a page, after the other"


@pytest.mark.parametrize(
    ("lie", "asked"),
    [
        ("tokens", [None, "msg_0003", "token:msg_0003", "token:msg_0007", "token:msg_0008"]),
        ("null_last", [None, "msg_0003", "msg_0007", "msg_0008"]),
        ("", [None, "msg_0003", "msg_0007", "msg_0008"]),
    ],
)
def test_places_are_called_as_the_server_calls_them(lie: str, asked: list[str | None]) -> None:
    api, place = FakeApi(some(9), lie, 4), asked[-1]
    desk = Desk(api)
    position = pages(listed(api, desk=desk))[-1].position
    assert [query.get("after") for _, query in api.calls] == asked[:-1]
    api.calls.clear()

    assert position == Position(place, 9, more=False)
    assert listed(api, position, desk) == []
    assert [query.get("after") for _, query in api.calls] == [place]


def test_a_smaller_limit_is_noted_where_it_is_learned() -> None:
    api = FakeApi(some(120), "limit_400", 50)
    desk = Desk(api)

    assert [notes(listed(api, desk=desk)) for _ in range(2)] == [{"smaller_limit"}, set()]


class Shy(FakeApi):
    """Answers nothing where a limit or an order is asked for."""

    def _list(self, given: list[dict[str, Any]], asked: dict[str, str]) -> Answer:
        return super()._list([] if asked.keys() & {"limit", "order"} else given, {**asked, "order": "asc"})


def test_a_doubtful_list_that_is_empty_is_asked_for_without_limit_and_order() -> None:
    doubtful = replace(LISTING, doubtful=True)

    assert kept(walked(Shy(some(9)), doubtful)) == exact(9)
    assert kept(walked(Shy(some(9)), LISTING)) == {}


class Narrow(FakeApi):
    """Does not know what is to be included."""

    def _list(self, given: list[dict[str, Any]], asked: dict[str, str]) -> Answer:
        known = "include[]" not in asked
        return super()._list(given, asked) if known else error(400, "Unknown value 'x.y'.", "include[0]")


def test_a_list_without_what_was_to_be_included_is_noted() -> None:
    events = walked(Narrow(some(9)), replace(LISTING, params=(("include[]", "x.y"),)))

    assert (kept(events), gaps(events), notes(events)) == (exact(9), [], {"include_refused"})


def one_by_one(piece: Piece, at: datetime) -> bool:
    """Say what `settled` says, to a walk that cannot know that it does, and looks at each object."""
    return settled(piece, at)


SLOWLY = replace(LISTING, settles=one_by_one)
NOW = now()
STATUSES = st.sampled_from(["completed", "completed", "completed", "in_progress", None])


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), STATUSES), max_size=40),
    st.sampled_from(LIES),
    st.sampled_from([3, 5, 100]),
    st.none() | st.integers(0, 30),
    st.sampled_from([1_700_000_000, int(NOW.timestamp())]),
)
def test_a_page_is_taken_at_once_as_it_is_object_by_object(
    drawn: list[tuple[int, int, str | None]], lie: str, most: int, after: int | None, begin: int
) -> None:
    at = accumulate(step for _, step, _ in drawn)
    history = [item(name, begin + time, status=status) for (name, _, status), time in zip(drawn, at, strict=True)]
    position = None if after is None else Position(f"msg_{after:04d}", 2)
    told = [walked(FakeApi(history, lie, most), listing, position) for listing in (LISTING, SLOWLY)]
    fast, slow = ([replace(event, fetched_at=NOW) if isinstance(event, Page) else event for event in e] for e in told)

    assert fast == slow


def test_times_that_fall_where_the_order_is_obeyed_are_no_reason_to_begin_again() -> None:
    api = FakeApi([item(n, 100 + n if n < 10 else 100 - n) for n in range(15)])
    events = listed(api, Position("msg_0009", 10))

    assert [(page.seq, len(page.items), page.notes) for page in pages(events)] == [(10, 5, ())]
    assert gaps(events) == []
