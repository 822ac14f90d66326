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
        ([ended("complete"), ended("failed", "x")], [BudgetReached("x")], 14),
        ([ended("complete")], [BudgetReached("x"), Interrupted("x", 143)], 143),
    ],
)
def test_the_worst_that_happened_decides(outcomes: list[Outcome], stopped: list[ExporterError], code: int) -> None:
    tally = Tally(stopped=stopped)
    for outcome in outcomes:
        tally.add(outcome)

    assert tally.exit_code() == code
