"""What each probe learns of each answer, and what it does not: a probe that fails is asked again another time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from exporter.errors import ExporterError, Temporary
from exporter.model import ThreadRef, now
from exporter.sources import NO_HEADERS, Answer, _probes
from exporter.sources._asking import Desk, Listing
from exporter.sources._chain import Earlier, earlier
from exporter.sources._split import Piece, compact, piece
from tests.sources.fake import ENDPOINT, error, ok

LISTING = Listing(ThreadRef("assistants", ENDPOINT, "thread_1"), "message", "messages", "/threads/thread_1/messages")
STALE = error(400, "No message found with id 'a'.", "after")
UNWELL = Temporary("HTTP 500")
ODD = Answer(200, {}, b'{"data": 1}')
NO_THREAD = error(404, "No thread found with id 'thread_1'.")
Script = Answer | ExporterError
Ask = Callable[[Desk, Listing], Awaitable[Any]]


class Told:
    """A transport that answers one after the other; the last again and again."""

    endpoint = ENDPOINT

    def __init__(self, *answers: Script) -> None:
        self.answers, self.asked = list(answers), list[tuple[str, dict[str, str]]]()

    async def get(
        self,
        path: str,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] = NO_HEADERS,  # noqa: ARG002 - a transport's signature
    ) -> Answer:
        self.asked.append((path, dict(params)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ExporterError):
            raise answer
        return answer


def some(*names: str | None, last: str | None = None, more: bool = False, **fields: Any) -> Answer:
    return ok({"data": [{"id": name, **fields} for name in names], "last_id": last, "has_more": more})


def first(name: str | None, **fields: Any) -> Piece:
    return piece(compact(json.dumps({"id": name, **fields}).encode()))


def by_second(desk: Desk, listing: Listing) -> Awaitable[bool]:
    return _probes.by_second(desk, listing, ("a", "b"))


def boundary(desk: Desk, listing: Listing) -> Awaitable[bool]:
    return _probes.boundary_by_second(desk, listing, ("a", "b", "c"))


def mirrors(desk: Desk, listing: Listing) -> Awaitable[bool]:
    return _probes.mirrors(desk, listing, ("a", "b"))


def ordered(name: str | None = "a", **fields: Any) -> Ask:
    return lambda desk, listing: _probes.ordered(desk, listing, first(name, **fields))


def ordered_from_nothing(desk: Desk, listing: Listing) -> Awaitable[bool]:
    return _probes.ordered(desk, listing, None)


def restarted(desk: Desk, listing: Listing) -> Awaitable[bool]:
    return _probes.restarted(desk, listing, "z", first("a"))


CASES: dict[str, tuple[Ask, tuple[Script, ...], bool, bool | None]] = {
    "the other of one second follows": (by_second, (some("b"),), False, False),
    "an inclusive server answers with the one itself": (by_second, (some("a"),), False, False),
    "the second is left out": (by_second, (some("c"),), True, True),
    "nothing follows though there is something": (by_second, (some(),), True, True),
    "a nameless object whose page has a name": (by_second, (some(None, last="b"),), False, False),
    "a nameless object says nothing": (by_second, (some(None),), False, None),
    "a cursor that is refused says nothing": (by_second, (STALE,), False, None),
    "a server that is unwell says nothing": (by_second, (UNWELL,), False, None),
    "two follow over the end": (boundary, (some("b", "c"),), False, False),
    "they follow on an inclusive server": (boundary, (some("a", "b", "c"),), False, False),
    "both are left out": (boundary, (some("d"),), True, True),
    "none follows": (boundary, (some(),), True, True),
    "nameless neighbours say nothing": (boundary, (some("b", None),), False, None),
    "a very short page says nothing": (boundary, (some("b"),), False, None),
    "the end's cursor is refused": (boundary, (STALE,), False, None),
    "the page begins with what after names": (_probes.inclusive, (some("a"), some("a")), True, True),
    "an object of the same id is another": (_probes.inclusive, (some("a"), some("a", n=2)), False, False),
    "it begins with the next": (_probes.inclusive, (some("a"), some("b")), False, False),
    "an empty list is taken for inclusive": (_probes.inclusive, (some(),), True, None),
    "a failure is taken for inclusive": (_probes.inclusive, (UNWELL,), True, None),
    "newest first begins with another": (ordered(), (some("z"),), True, True),
    "newest first begins with the same": (ordered(), (some("a"),), False, False),
    "nameless, the same": (ordered(None, n=1), (some(None, n=1),), False, False),
    "nameless, another": (ordered(None, n=1), (some(None, n=2),), True, True),
    "nothing comes newest first": (ordered(), (some(),), True, None),
    "newest first fails": (ordered(), (UNWELL,), True, None),
    "the first is asked for": (ordered_from_nothing, (some("a"), some("a")), False, False),
    "there is no first": (ordered_from_nothing, (some(), some("b")), True, None),
    "the pair comes the other way round": (mirrors, (some("b"),), True, True),
    "the pair comes as before": (mirrors, (some("c"),), False, False),
    "the pair's cursor is refused": (mirrors, (STALE,), False, None),
    "an unknown cursor is refused": (restarted, (STALE,), False, False),
    "an unknown cursor begins again, as this page did": (restarted, (some("a"), some("a")), True, True),
    "it begins again, as this page did not": (restarted, (some("a"), some("b")), False, True),
    "the beginning is empty": (restarted, (some("a"), some()), False, True),
    "the beginning cannot be had": (restarted, (some("a"), UNWELL), False, True),
    "nothing can be had": (restarted, (UNWELL,), False, None),
    "nobody's list is refused by name": (_probes.denies, (NO_THREAD,), True, True),
    "nobody has an empty list": (_probes.denies, (some(),), False, False),
    "nobody's list is odd": (_probes.denies, (ODD,), False, False),
    "nobody's list is not had": (_probes.denies, (UNWELL,), False, False),
}
LEARNED: dict[Ask, str] = {
    by_second: "by_second", boundary: "by_second", _probes.inclusive: "inclusive", mirrors: "mirrors",
    restarted: "restarts", _probes.denies: "denies",
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_probe_says_what_it_saw_and_learns_only_what_is_proven(case: str) -> None:
    ask, answers, said, learned = CASES[case]
    told = Told(*answers)
    desk = Desk(told)

    assert asyncio.run(once(ask, desk)) is said
    assert getattr(desk.habits("message"), LEARNED.get(ask, "ordered")) is learned
    before = len(told.asked)
    assert before >= 1
    if learned is not None and ask is not restarted:
        assert asyncio.run(once(ask, desk)) is said
        assert len(told.asked) == before, "what was learned is not asked again"
    elif learned is None:
        asyncio.run(once(ask, desk))
        assert len(told.asked) > before, "what was not learned is asked again"


async def once(ask: Ask, desk: Desk) -> Any:
    return await ask(desk, LISTING)


def test_a_pair_that_comes_the_other_way_round_proves_that_a_cursor_is_an_object_and_no_more_than_that() -> None:
    for known, then in ((None, False), (True, True)):
        desk = Desk(Told(some("b")))
        desk.habits("message").by_second = known
        asyncio.run(once(mirrors, desk))
        assert desk.habits("message").by_second is then


@pytest.mark.parametrize(
    ("answers", "names", "asked"),
    [((some("a"),), ["a"], 1), ((some(),), None, 1), ((UNWELL, some("a")), None, 2), ((STALE, some("a")), None, 2)],
)
def test_an_empty_list_is_asked_for_without_a_limit_once(
    answers: tuple[Script, ...], names: list[str] | None, asked: int
) -> None:
    told = Told(*answers)
    desk = Desk(told)

    found = asyncio.run(_probes.bare(desk, LISTING))
    assert (found and [one.id for one in found.pieces]) == names
    assert all("limit" not in params for _, params in told.asked)
    asyncio.run(_probes.bare(desk, LISTING))
    assert len(told.asked) == asked


# The response before

BEFORE = ThreadRef("responses", ENDPOINT, "resp_1")
OWN = Listing(BEFORE, "thread", "thread", "/responses/resp_1")
ITEMS = Listing(BEFORE, "message", "messages", "/responses/resp_1/input_items")
NOW = int(now().timestamp())
NO_RESPONSE = error(404, "Response with id 'resp_1' not found.")


def response(name: str, *output: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "output": [{"id": one} for one in output], **fields}


def had(found: Earlier | None) -> list[str] | None:
    """Of these ids, those that the response before holds."""
    return None if found is None else [name for name in ("msg_in1x", "msg_out1x", "item_0") if found(name)]


@pytest.mark.parametrize(
    ("answers", "held"),
    [
        ((ok(response("resp_1", "msg_out1x")), some("msg_in1x", "item_0")), ["msg_in1x", "msg_out1x"]),
        ((ok(response("resp_1", created_at=NOW)), some("msg_in1x")), ["msg_in1x"]),
        ((ok(response("resp_1", "msg_out1x")), ODD), ["msg_out1x"]),
        ((ok(response("resp_1", "msg_out1x")), NO_RESPONSE), None),
        ((ok(response("resp_1", "msg_out1x", previous_response_id="resp_2")),), None),
        ((ok(response("resp_1", "msg_out1x", created_at=NOW + 60)),), None),
        ((ok(response("resp_1", "msg_out1x", created_at=NOW - 26 * 86400)),), None),
        ((NO_RESPONSE,), None),
        ((ODD,), None),
    ],
)
def test_only_what_the_response_before_surely_keeps_is_left_out(
    answers: tuple[Script, ...], held: list[str] | None
) -> None:
    later = first("resp_2", created_at=NOW)

    found = asyncio.run(earlier(Desk(Told(*answers)), later, OWN, ITEMS))
    assert had(found) == held


def test_a_response_before_that_cannot_be_read_just_now_may_be_read_later() -> None:
    desk = Desk(Told(ok(response("resp_1", "msg_out1x")), UNWELL))

    with pytest.raises(Temporary):
        asyncio.run(earlier(desk, first("resp_2"), OWN, ITEMS))
