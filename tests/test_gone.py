"""Gone, or not: what `docs/guide.md` says of it, case by case, and the limit at which nothing is marked any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.archive.catalog import Known
from exporter.crawl._gone import Missing, judge
from exporter.errors import SourceGone
from exporter.model import Outcome, State, ThreadRef

REF = ThreadRef("responses", "https://a/v1", "resp_1")
NEVER = Known(REF, "mine", None, None, None, (), None, "new", None, None, None, None, None, None)
SEEN = replace(NEVER, seen_at="2026-11-01T00:00:00Z", state="complete")
GONE = replace(SEEN, state="gone", code="expired_link")
LINKED = replace(NEVER, via="responses/resp_9")
SAID = "responses/resp_1: the server has no such response"


def missing(known: Known, *, witnessed: bool = True, linked: bool = False, profile: str = "mine") -> Missing:
    return Missing(known, SAID, profile, witnessed, linked)


def many(count: int, known: Known = SEEN) -> list[Missing]:
    return [missing(replace(known, thread=replace(known.thread, id=f"resp_{n}"))) for n in range(count)]


def judged(told: Sequence[Missing], seen: int = 1000, *, accept: bool = False) -> list[tuple[str, State]]:
    return [(known.thread.id, outcome.state) for known, outcome in judge(told, seen, accept=accept)]


@pytest.mark.parametrize(
    ("one", "state", "code", "says"),
    [
        (missing(NEVER), "failed", "not_found", ["responses/resp_1: not found", "exporter doctor resp_1"]),
        (missing(NEVER, witnessed=False), "failed", "not_found", ["exporter doctor resp_1"]),
        (missing(SEEN), "gone", "gone", [SAID]),
        (missing(SEEN, linked=True), "gone", "gone", [SAID]),
        (missing(SEEN, witnessed=False), "failed", "unwitnessed", [SAID, "it was there before", "backup resp_1 ID"]),
        (missing(SEEN, profile="other"), "failed", "unwitnessed", ["profile mine saw it before", "not marked gone"]),
        (missing(SEEN, profile="other", linked=True), "failed", "unwitnessed", ["profile mine saw it before"]),
        (missing(LINKED, linked=True), "gone", "expired_link", ["responses/resp_9 points to it", "responses/resp_1"]),
        (missing(NEVER, linked=True), "gone", "expired_link", ["another thread points to it"]),
        (missing(LINKED, linked=True, witnessed=False), "failed", "unwitnessed", [SAID, "another thread points to it"]),
        (missing(GONE), "gone", "expired_link", [SAID]),
        (missing(GONE, witnessed=False, profile="other"), "gone", "expired_link", [SAID]),
    ],
)
def test_how_a_visit_ends_that_met_a_404(one: Missing, state: State, code: str, says: list[str]) -> None:
    ((known, got),) = judge([one], 1000, accept=False)

    assert known is one.known
    assert got == Outcome(one.known.thread, 0, state, got.error, code)
    assert got.error
    assert [said for said in says if said not in got.error] == []


@example(vanished=5, others=0, accept=False, never=0, gone=0)
@example(vanished=6, others=0, accept=False, never=0, gone=0)
@example(vanished=6, others=54, accept=False, never=0, gone=0)
@example(vanished=6, others=53, accept=False, never=0, gone=0)
@given(
    vanished=st.integers(0, 40),
    others=st.integers(0, 400),
    accept=st.booleans(),
    never=st.integers(0, 3),
    gone=st.integers(0, 3),
)
def test_more_than_five_and_more_than_a_tenth_at_once_mark_nothing_unless_accepted(
    vanished: int, others: int, accept: bool, never: int, gone: int
) -> None:
    seen = vanished + others
    unseen = [missing(NEVER)] * never + [missing(GONE)] * gone
    told = [*unseen, *many(vanished)]

    if vanished > 5 and vanished * 10 > seen and not accept:
        with pytest.raises(SourceGone, match="None of them is marked gone") as stopped:
            judged(told, seen, accept=accept)
        assert stopped.value.whole_run
        assert stopped.value.exit_code == 13
        assert f"responses: {vanished:,} of {seen:,} threads that profile mine" in str(stopped.value)
        return
    assert [state for _, state in judged(told, seen, accept=accept)] == (
        ["failed"] * never + ["gone"] * gone + ["gone"] * vanished
    )


def test_what_did_not_vanish_is_told_before_the_run_is_stopped() -> None:
    told = judge([*many(6), missing(NEVER), missing(GONE)], 6, accept=False)

    assert [next(told)[1].code, next(told)[1].code] == ["not_found", "expired_link"]
    with pytest.raises(SourceGone):
        next(told)
