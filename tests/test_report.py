"""Which exit code a run ends with."""

from __future__ import annotations

import pytest

from exporter.crawl._report import Tally
from exporter.errors import BudgetReached, CredentialsRefused, ExporterError, Interrupted, SourceGone, SourceUnwell
from exporter.model import Outcome, State, ThreadRef

THREAD = ThreadRef("assistants", "https://api.example/v1", "thread_1")


def ended(state: State, code: str | None = None) -> Outcome:
    return Outcome(THREAD, 0, state, code=code)


@pytest.mark.parametrize(
    ("outcomes", "stopped", "code"),
    [
        ([], [], 0),
        ([ended("complete"), ended("gone", "gone")], [], 0),
        ([ended("complete"), ended("failed", "not_found")], [], 3),
        ([ended("complete"), ended("failed", "temporary")], [], 3),
        ([ended("failed", "temporary")], [], 75),
        ([ended("failed", "temporary"), ended("failed", "not_found")], [], 3),
        ([ended("complete"), ended("partial", "no_cursor")], [], 3),
        ([], [CredentialsRefused("x")], 12),
        ([ended("complete")], [CredentialsRefused("x")], 3),
        ([], [SourceUnwell("x")], 75),
        ([ended("complete")], [SourceUnwell("x")], 3),
        ([], [SourceGone("x"), CredentialsRefused("x")], 12),
        ([ended("complete")], [SourceGone("x", whole_run=True)], 13),
        ([ended("complete"), ended("failed", "x")], [BudgetReached("x")], 3),
        ([ended("complete")], [BudgetReached("x")], 14),
        ([ended("complete")], [BudgetReached("x"), Interrupted("x", 143)], 143),
    ],
)
def test_the_worst_that_happened_decides(outcomes: list[Outcome], stopped: list[ExporterError], code: int) -> None:
    tally = Tally(stopped=stopped)
    for outcome in outcomes:
        tally.add(outcome)

    assert tally.exit_code() == code


def test_a_closed_source_is_no_failure_unless_threads_stayed_behind_it() -> None:
    tally = Tally()
    tally.add(ended("complete"))
    tally.close("chatkit", CredentialsRefused("the first key is refused"), 0)
    without = tally.exit_code()
    tally.close("chatkit", CredentialsRefused("chatkit: a scope is missing"), 1_234)

    assert (without, tally.exit_code()) == (0, 3)
    assert tally.remarks == ["the first key is refused; no thread was left out because of that"]
    assert tally.told == ["chatkit: a scope is missing; 1,234 threads of chatkit not visited"]
    assert tally.sources["chatkit"] == {"visited": 0, "records": 0, "not_visited": 1_234}
