"""What a run did, and which exit code that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from exporter.archive._lines import stamp
from exporter.errors import BudgetReached, ExporterError, SourceError, SourceGone, Temporary
from exporter.model import Finding, Outcome, printable

SHOWN = 1000
"Failed threads a report names; the `gaps` table and `threads --state failed` name them all."


@dataclass(frozen=True, slots=True)
class Report:
    """One run: the completeness equation of the archive after it, and what this run did."""

    command: str
    run: str
    started_at: datetime
    finished_at: datetime
    exit_code: int
    registered: int
    "= complete + partial + gone + failed + never_visited"
    complete: int
    partial: int
    gone: int
    failed: int
    never_visited: int
    visited: int
    "Threads that this run visited."
    requests: int
    records: int
    "Objects that this run archived."
    errors: tuple[Outcome, ...]
    "This run's threads that are not complete, at most 1,000."
    stopped: tuple[str, ...]
    "Why a source, or the whole run, ended early."
    remarks: tuple[str, ...] = ()
    "What was not as it should be, and cost nothing."
    files: int = 0
    "Table files written."
    linked: int = 0
    "Threads that this run registered because others point to them."
    blobs: int = 0
    "Files that this run fetched."
    blob_bytes: int = 0
    "The size of those, together."
    sources: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    "Of each source, the threads that were `visited`, their `records`, states, and those `not_visited` as it closed."
    verified_bytes: int | None = None
    "Read again at the end: what the run wrote, and a part of the rest. None: not yet, as in the run's own manifest."
    unverified: int = 0
    "Files of that part that are left for the next run."
    findings: tuple[Finding, ...] = ()
    "What was found damaged."
    verified_before: Mapping[str, Any] | None = None
    "What the verification found that was the newest when this run began."

    def to_json(self) -> dict[str, Any]:
        """The report as JSON has it, in its manifest too."""
        fields = asdict(self)
        fields.update(started_at=stamp(self.started_at), finished_at=stamp(self.finished_at))
        fields["errors"] = [_error(outcome) for outcome in self.errors]
        return fields


def _error(outcome: Outcome) -> dict[str, Any]:
    thread = {"source": outcome.thread.source, "endpoint": outcome.thread.endpoint, "thread": outcome.thread.id}
    return {**thread, "state": outcome.state, "code": outcome.code, "error": outcome.error}


@dataclass
class Tally:
    """Counts outcomes as they come."""

    visited: int = 0
    records: int = 0
    completed: int = 0
    errors: list[Outcome] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    stopped: list[ExporterError] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    "What is said of each of those."
    remarks: list[str] = field(default_factory=list)
    sources: dict[str, dict[str, int]] = field(default_factory=dict)
    blobs: int = 0
    blob_bytes: int = 0

    def kept(self, size: int) -> None:
        """Count the content of a file."""
        self.blobs += 1
        self.blob_bytes += size

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.visited += 1
        self.records += outcome.records
        self._count(outcome.thread.source, visited=1, records=outcome.records, **{outcome.state: 1})
        if outcome.state == "complete":
            self.completed += 1
        elif outcome.state != "gone":
            self.codes.add(outcome.code or "failed")
            if len(self.errors) < SHOWN:
                self.errors.append(outcome)

    def stop(self, error: ExporterError, told: str | None = None) -> None:
        """Note why the run, or a source of it, ended early."""
        self.stopped.append(error)
        self.told.append(told or str(error))

    def close(self, source: str, error: SourceError, left_out: int, profile: str | None = None) -> None:
        """Note why a source was closed to a profile, and how many threads were not visited because of that.

        The profile is named where there are several.
        """
        who = f" (profile {printable(profile)})" if profile is not None else ""
        if not left_out:
            self.remarks.append(f"{error}; no thread was left out because of that{who}")
            return
        self._count(source, not_visited=left_out)
        self.stop(error, f"{error}; {left_out:,} thread{'s' if left_out > 1 else ''} of {source} not visited{who}")

    def _count(self, source: str, **numbers: int) -> None:
        counts = self.sources.setdefault(source, {"visited": 0, "records": 0})
        for name, number in numbers.items():
            counts[name] = counts.get(name, 0) + number

    def exit_code(self) -> int:
        """The code of the worst that happened, as the command line documents it.

        A source that stopped decides only where nothing else was read: with others finished, the run is partial.
        A budget that ended a run in which threads failed is no excuse for them.
        """
        whole = [e.exit_code for e in self.stopped if not _is_partial(e, self)]
        if whole and not (self.codes and max(whole, key=_weight) == BudgetReached.exit_code):
            return max(whole, key=_weight)
        if self.codes == {Temporary.code} and not (self.stopped or self.completed):
            return 75
        return 3 if self.stopped or self.codes else 0


def _is_partial(error: ExporterError, tally: Tally) -> bool:
    mass = isinstance(error, SourceGone) and error.whole_run
    return isinstance(error, SourceError) and tally.completed > 0 and not mass


def _weight(code: int) -> int:
    """Interruption outweighs a stopped source, which outweighs a budget."""
    order = [75, 3, 14, 13, 12, 2, 1, 130, 143]
    return order.index(code) if code in order else order.index(1)
