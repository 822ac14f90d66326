"""A walk that was cut off after any page, as by a kill: the next one brings the rest, or a gap says that it cannot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from exporter.crawl._visit import UNRESUMABLE
from exporter.model import Gap, Page, Position
from exporter.sources import Answer
from exporter.sources._asking import Desk
from exporter.sources._paging import walk
from tests.sources.fake import LIES, FakeApi, error, item, ok
from tests.sources.test_paging import LISTING, exact, gaps, histories, kept, listed, pages, some

START = 1_700_000_000


def notes(events: Sequence[Any]) -> set[str]:
    return {note for page in pages(list(events)) for note in page.notes}


class Timeless(FakeApi):
    """Says no times, and may count in seconds all the same."""

    def _page(self, data: list[dict[str, Any]], more: bool, limit: int, objects: list[dict[str, Any]]) -> Answer:
        bare = [{name: value for name, value in one.items() if name != "created_at"} for one in data]
        return super()._page(bare, more, limit, objects)


def cuts(events: list[Page | Gap]) -> list[list[Page | Gap]]:
    """What a walk had brought wherever it may have been cut off: after a page that promises more."""
    return [events[:n] for n, event in enumerate(events, 1) if isinstance(event, Page) and event.position.more]


def place(before: list[Page | Gap]) -> Position:
    """Where the next walk goes on."""
    return pages(before)[-1].position


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories, st.integers(2, 50), st.sampled_from(LIES))
def test_whatever_a_server_does_a_walk_cut_off_is_exact_in_the_end_or_a_gap_says_so(
    messages: list[dict[str, Any]], most: int, lie: str
) -> None:
    def server() -> FakeApi:
        return FakeApi(messages, lie, 20 if lie == "more_false" else most)

    whole = listed(server())
    assume(gaps(whole) or kept(whole) == exact(len(messages)))
    for before in cuts(whole):
        api = server()
        after = listed(api, place(before))
        archive = kept(after, kept(before))

        assert gaps(after) or archive == exact(len(messages)), (lie, len(before))
        assert len(set(archive.values())) == len(archive), lie
        assert len(api.calls) < 400


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from((0, 0, 1)), min_size=1, max_size=14), st.integers(2, 6))
@example([1, 1, 0, 1, 1], 2)  # nothing is taken twice, and what follows begins with a tie
@example([1, 1, 0, 0], 2)
@example([0, 1, 0, 1, 0], 3)
@example([1, 0, 0, 0, 1, 1], 2)
@example([0, 1, 0, 0, 1, 1, 1, 0], 2)
@example([0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 0], 3)  # the gap was found before the cut, and told to nobody
@example([0, 1, 1, 1, 1, 0, 1, 0, 0, 1, 1, 1, 1], 6)
def test_a_cursor_that_means_a_second_passes_over_nothing_where_a_walk_was_cut_off(steps: list[int], most: int) -> None:
    messages = [item(n, START + sum(steps[: n + 1])) for n in range(len(steps))]
    whole = listed(FakeApi(messages, "by_second", most))
    assume(gaps(whole) or kept(whole) == exact(len(messages)))
    for before in cuts(whole):
        after = listed(FakeApi(messages, "by_second", most), place(before))

        assert gaps(after) or kept(after, kept(before)) == exact(len(messages)), len(before)


@pytest.mark.parametrize(("each", "most"), [(2, 3), (3, 4), (4, 6)])
def test_a_page_names_a_place_before_the_second_that_it_ends_in_while_more_is_to_come(each: int, most: int) -> None:
    messages = [item(n, START + n // each) for n in range(30)]
    for before in cuts(listed(FakeApi(messages, "by_second", most))):
        stands, last = place(before), json.loads(pages(before)[-1].items[-1].body)

        assert stands.cursor is None or messages[stands.seq - 1]["id"] == stands.cursor
        assert stands.seq == next(n for n, one in enumerate(messages) if one["created_at"] == last["created_at"])


@pytest.mark.parametrize("lie", ["", "tokens", "inclusive", "more_when_full", "no_envelope_ids"])
@pytest.mark.parametrize("each", [1, 2, 3])
def test_on_a_server_that_is_exact_one_object_at_most_comes_twice_and_no_request_more(each: int, lie: str) -> None:
    messages = [item(n, START + n // each) for n in range(447)]
    whole = FakeApi(messages, lie)
    for n, before in enumerate(cuts(listed(whole)), 1):
        api = FakeApi(messages, lie)
        after = listed(api, place(before))

        assert kept(after, kept(before)) == exact(447)
        assert not notes(after) & UNRESUMABLE
        assert len(kept(before)) - place(before).seq <= (0 if lie == "tokens" else each)
        # that a token is what it goes on after is known from the second page on
        assert api.asked("/messages") <= whole.asked("/messages") - (n if lie != "tokens" else n - 2)
        assert len(api.calls) <= api.asked("/messages") + 3


def test_a_cut_before_a_gap_was_told_begins_before_the_gap() -> None:
    """The first second fills a page: what is left of it can never be had, and the next walk says so too."""
    messages = [item(n, START + max(0, n - 4)) for n in range(12)]
    for before in cuts(listed(FakeApi(messages, "by_second", 3))):
        assert gaps(listed(FakeApi(messages, "by_second", 3), place(before))) == ["cursor_by_second"]


@pytest.mark.parametrize("lie", ["by_second", ""])
def test_where_no_time_tells_what_stands_before_the_first_new_object_is_asked_for(lie: str) -> None:
    """One page is all that comes: nothing else shows that an object between was skipped."""
    api = Timeless([item(n, START + n // 2) for n in range(6)], lie, 3)
    after = listed(api, Position("msg_0002", 3))

    assert gaps(after) == (["cursor_by_second"] if lie else [])
    assert lie or (kept(after), notes(after)) == ({n: n for n in range(3, 6)}, set())
    assert api.calls[2][1] == {"limit": "1", "order": "desc", "after": "msg_0004" if lie else "msg_0003"}


class Unmirrored(Timeless):
    """Honest, and what has one second comes in one order both ways."""

    def _list(self, given: list[dict[str, Any]], asked: dict[str, str]) -> Answer:
        if asked.get("order") != "asc":
            given = sorted(given, key=lambda one: -int(one["created_at"]))[::-1]  # which is reversed
        return super()._list(given, asked)


def test_who_breaks_ties_both_ways_is_not_taken_for_one_who_skips_them() -> None:
    after = listed(Unmirrored([item(n, START + n // 3) for n in range(9)], "", 3), Position("msg_0003", 4))

    assert (kept(after), gaps(after), notes(after)) == ({n: n for n in range(4, 9)}, [], set())


@pytest.mark.parametrize(
    "trouble", [ok({"data": [], "has_more": False}), error(500, "down"), error(400, "no", "after")]
)
@pytest.mark.parametrize("asked", [1, 2])
def test_a_question_that_is_not_answered_convicts_nobody(trouble: Answer, asked: int) -> None:
    class Mute(Timeless):
        async def get(self, path: str, params: Any = (), headers: Any = None) -> Answer:
            answer = await super().get(path, params, headers)
            later = [query for _, query in self.calls if query.get("limit") == "1" and "probe" not in query["after"]]
            return trouble if later and len(later) == asked and self.calls[-1][1] == later[-1] else answer

    api = Mute([item(n, START + n // 2) for n in range(6)], "by_second", 3)
    assert notes(listed(api, Position("msg_0002", 3))) == set()


def test_nothing_but_a_time_a_name_or_what_is_known_spares_that_question() -> None:
    def asked(api: FakeApi, position: Position | None, **known: bool) -> int:
        desk = Desk(api)
        for name, value in known.items():
            setattr(desk.habits("message"), name, value)
        listed(api, position, desk)
        return sum(query.get("order") == "desc" for _, query in api.calls)

    after, honest = Position("msg_0002", 3), some(9)
    assert asked(Timeless(honest), after, ordered=True) == 1
    assert asked(Timeless(honest), None, ordered=True) == 0
    assert asked(Timeless(honest), replace(after, more=False), ordered=True) == 0
    assert asked(FakeApi(honest), after, ordered=True) == 0
    assert asked(Timeless(honest), after, ordered=True, by_second=False) == 0
    assert asked(Timeless(honest), after, ordered=True, tokens=True) == 0
    assert asked(Timeless(honest), after, ordered=False) == 0


@pytest.mark.parametrize(("more", "again"), [(True, True), (False, False)])
def test_where_more_was_promised_and_nothing_comes_all_is_walked_again(*, more: bool, again: bool) -> None:
    api = FakeApi(some(6))
    api.canned[LISTING.path] = [ok({"data": [], "has_more": False})]
    events = listed(api, Position("msg_0002", 3, more=more))

    assert kept(events) == (exact(6) if again else {})
    assert notes(events) == ({"stale_cursor"} if again else set())


def test_where_nothing_comes_as_the_list_ends_there_its_end_is_asked_for_and_noted() -> None:
    api = FakeApi(some(3), "more_when_full", 3)
    (end,) = pages(listed(api, Position("msg_0002", 3)))

    assert (end.items, end.position, end.notes) == ((), Position("msg_0002", 3, more=False), ())
    assert [query.get("order") for _, query in api.calls] == ["asc", "desc"]


class Sized(FakeApi):
    """Honest: a page holds ten bytes of objects, and always one."""

    def _list(self, given: list[dict[str, Any]], asked: dict[str, str]) -> Answer:
        objects = given if asked.get("order") == "asc" else given[::-1]
        start = next((n + 1 for n, one in enumerate(objects) if one["id"] == asked.get("after")), 0)
        data: list[dict[str, Any]] = []
        for one in objects[start : start + int(asked["limit"])]:
            if data and sum(had["size"] for had in data) + one["size"] > 10:
                break
            data.append(one)
        return ok({"data": data, "has_more": start + len(data) < len(objects)})


@given(st.lists(st.integers(1, 10), min_size=1, max_size=20), st.lists(st.integers(0, 2), min_size=20, max_size=20))
@settings(max_examples=200, deadline=None)
@example([1, 1, 1, 1, 9, 9, 1], [1] * 20)
def test_pages_of_a_size_go_on_though_one_brings_what_was_had(sizes: list[int], steps: list[int]) -> None:
    messages = [item(n, START + sum(steps[: n + 1]), size=size) for n, size in enumerate(sizes)]
    for before in cuts(listed(Sized(messages))):
        after = listed(Sized(messages), place(before))

        assert (kept(after, kept(before)), gaps(after)) == (exact(len(sizes)), [])


class SizedBySecond(Sized):
    """Counts in seconds too."""

    def _list(self, given: list[dict[str, Any]], asked: dict[str, str]) -> Answer:
        second = next((one["created_at"] for one in given if one["id"] == asked.get("after")), None)
        later = [one for one in given if one["created_at"] == second]
        return super()._list(given, asked | ({"after": later[-1]["id"]} if later and asked["order"] == "asc" else {}))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.lists(st.integers(0, 1), min_size=20, max_size=20))
@settings(max_examples=200, deadline=None)
@example([1, 1, 1, 10, 9], [0, 0, 1, 0, 0, *[1] * 15])  # more is promised after a page of one, and nothing comes
def test_who_gives_pages_of_a_size_and_means_a_second_passes_over_nothing_either(
    sizes: list[int], steps: list[int]
) -> None:
    messages = [item(n, START + sum(steps[: n + 1]), size=size) for n, size in enumerate(sizes)]
    whole = listed(SizedBySecond(messages))
    assume(gaps(whole) or kept(whole) == exact(len(sizes)))
    for before in cuts(whole):
        after = listed(SizedBySecond(messages), place(before))

        assert gaps(after) or kept(after, kept(before)) == exact(len(sizes))


@pytest.mark.parametrize(("seconds", "most"), [((0, 1, 1, 2, 2, 3, 3, 4), 2), ((0, 1, 1, 2, 3, 3, 4, 4, 5), 3)])
def test_what_was_made_in_the_second_of_the_last_visit_is_had_once_ties_show_what_the_cursor_means(
    seconds: tuple[int, ...], most: int
) -> None:
    api = FakeApi([item(n, START + second) for n, second in enumerate(seconds)], "by_second", most)
    after = listed(api, Position("msg_0001", 2, more=False))

    assert gaps(after) or kept(after) == exact(len(seconds))
    assert "cursor_by_second" in notes(after)


def test_an_object_that_the_list_calls_unsettled_is_where_the_next_visit_begins() -> None:
    listing = replace(LISTING, settles=lambda piece, _: piece.id != "msg_0002", parent="run_1")

    async def story() -> list[Page | Gap]:
        return [event async for event in walk(Desk(FakeApi(some(5))), listing, None)]

    (page,) = pages(asyncio.run(story()))
    assert page.position == Position("msg_0001", 2, more=False)
    assert (page.parent, page.fetched_at.tzinfo) == ("run_1", UTC)


class Unsure(FakeApi):
    """Does not say whether more follows."""

    words: dict[str, Any]

    def _page(self, data: list[dict[str, Any]], more: bool, limit: int, objects: list[dict[str, Any]]) -> Answer:
        told = json.loads(super()._page(data, more, limit, objects).body)
        del told["has_more"]
        return ok(told | self.words)


@pytest.mark.parametrize("words", [{}, {"has_more": "maybe"}, {"has_more": False}])
def test_a_walk_that_goes_on_whatever_was_said_may_be_cut_off_too(words: dict[str, Any]) -> None:
    def server() -> Unsure:
        api = Unsure([item(n, START + n - (n > 10) - (n > 19)) for n in range(55)], "by_second", 20)
        api.words = words
        return api

    whole = listed(server())
    assert kept(whole) == exact(55)
    assert len(cuts(whole)) >= 2
    for before in cuts(whole):
        after = listed(server(), place(before))
        assert gaps(after) or kept(after, kept(before)) == exact(55)


@pytest.mark.parametrize("each", [100, 150, 400])
def test_a_page_of_one_second_is_passed_where_the_cursor_is_an_object(each: int) -> None:
    """Each walk brings one page only, and the next one has the rest: a budget may be as small."""
    messages, archive, position = [item(n, START + n // each) for n in range(450)], dict[int, int](), None
    for _ in range(6):
        events = listed(FakeApi(messages), position)
        archive, position = kept(events[:1], archive), pages(events)[0].position
        if not position.more:
            break

    assert archive == exact(450)


def test_a_walk_that_is_left_in_the_middle_of_a_tie_goes_on_before_it() -> None:
    """As a process that ends does it: the pages that were not asked for were never made."""

    async def first(api: FakeApi) -> Page | Gap:
        return await anext(walk(Desk(api), LISTING, None))

    api = FakeApi([item(n, START + second) for n, second in enumerate((0, 1, 1, 2))], "by_second", 2)
    page = asyncio.run(first(api))

    assert isinstance(page, Page)
    assert page.position == Position("msg_0000", 1, more=True)
    assert kept(listed(api, page.position), {0: 0, 1: 1}) == exact(4)
