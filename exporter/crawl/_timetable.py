"""When threads are due again: worked out at the end of each visit, noted in the catalog many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from exporter.archive._compact import NEVER_AGAIN
from exporter.archive._timing import Timed, Times
from exporter.archive.catalog import ALWAYS, NEVER, Catalog, Known
from exporter.crawl._sources import NoProfile, NoSource
from exporter.crawl._visit import Visit
from exporter.errors import Temporary
from exporter.model import Outcome, ThreadRef
from exporter.retention import DAY, Policies, Policy, Schedule, Standing, elapsed, schedule

BATCH = 1000
"Visits that are noted together."
NIGHT = timedelta(hours=12)
"Failures that are no further apart count once: whoever mends a key runs again and again."
PARTIAL = timedelta(days=7)
"A thread that could not be had whole is looked at again by then: what was in the way may have been mended."
LEFT_OUT = frozenset({NoProfile.code, NoSource.code})
"Nothing was asked of these threads: that is no failure of theirs."


class Timetable:
    """What the visits of a run mean for the next ones. A crash loses at most a batch: those threads are due still."""

    def __init__(self, catalog: Catalog, policies: Policies) -> None:
        self._catalog, self._policies = catalog, policies
        self._said: dict[int, Mapping[str, Any]] = {}
        self._answered: dict[ThreadRef, str] = {}
        self._late: dict[ThreadRef, Mapping[str, Any]] = {}
        "Of threads that this run found: the catalog knows them once they are sealed."
        self._of_servers: dict[tuple[str, str, str, bool], Policy] = {}

    def sweeps(self, known: Known, at: datetime) -> bool:
        """Whether a thread is to be walked from its beginning now, so that all are within the rhythm's time."""
        if known.swept_at is None or self._policy(known.profile, known.thread, whole=True).final:
            return False
        since = at - datetime.fromisoformat(known.swept_at)
        if since < -DAY:  # by a clock that was wrong
            return True
        return elapsed(known.thread, since, self._policies.rhythm.sweep, at)

    def visited(self, known: Known, visit: Visit | None, outcome: Outcome, at: datetime) -> None:
        """Take how a visit ended; None for one that was not begun, or told nothing."""
        if outcome.code in LEFT_OUT:
            return
        if known.touched_at is not None:
            self._answered[known.thread] = known.touched_at
        failed = outcome.state == "failed" or outcome.code == Temporary.code
        said: dict[str, Any] = _failed(known, at) if failed else {"visited_at": at, **_WELL}
        if visit is not None:
            if visit.active is not None:
                before = _parsed(known.active_at)
                said["active_at"] = visit.active if before is None else max(visit.active, before)
            if visit.open or failed:
                said["asked_at"] = None
            elif visit.asked:
                said["asked_at"] = at
            if visit.swept and not failed:
                said["swept_at"] = at
        partial = outcome.state == "partial" and not failed
        self._note(known, said, soon=at + PARTIAL if partial else None)

    def flush(self, at_least: int = 1) -> None:
        """Note what was taken, if it is so much."""
        if len(self._said) >= at_least:
            self._catalog.note_numbered(self._said)
            self._catalog.answered(self._answered)
            self._said, self._answered = {}, {}

    def finish(self) -> None:
        """Note all that is left; what this run registered must be sealed."""
        self._catalog.note_hints(self._late)
        self._late = {}
        self.flush()

    def refresh(self, on_many: Callable[[int], None] = lambda _: None) -> None:
        """Work everything out again where the policies are others than last time; `on_many` hears of how many."""
        digest = self._policies.digest()
        if self._catalog.fact("policies") == digest:
            return
        on_many(sum(self._catalog.count().values()))
        self._catalog.work_out(self._anew)
        self._catalog.note_fact("policies", digest)

    def _anew(self, timed: Timed) -> Times:
        """Work out the times of a thread, of which no visit is under way."""
        visited, active, failed = map(_time, (timed.visited_at, timed.active_at, timed.failed_at))
        thread = ThreadRef(timed.source, timed.endpoint, timed.id)
        policy = self._policy(timed.profile, thread, whole=timed.asked_at is not None)
        made = schedule(
            Standing(thread, visited, active, active, failed, timed.failures), policy, self._policies.rhythm
        )
        due = NEVER_AGAIN if made.due is None else int(made.due.timestamp())
        deadline = None if made.deadline is None else int(made.deadline.timestamp())
        return Times(due, deadline, _days(made))

    def _note(self, known: Known, said: dict[str, Any], soon: datetime | None) -> None:
        """Take what a visit says of a thread, with the times that follow from it, no later than `soon`."""
        thread = known.thread
        visited, active, failed = (
            _parsed(said.get(name, getattr(known, name))) for name in ("visited_at", "active_at", "failed_at")
        )
        standing = Standing(thread, visited, active, active, failed, said.get("failures", known.failures))
        policy = self._policy(known.profile, thread, whole=said.get("asked_at", known.asked_at) is not None)
        made = schedule(standing, policy, self._policies.rhythm)
        never = visited is None and failed is None
        said["due_at"] = ALWAYS if never else NEVER if made.due is None else min(made.due, soon or made.due)
        said["deadline_at"] = made.deadline
        said["interval"] = _days(made)
        if known.registered_at is None:
            self._late[thread] = said
        else:
            self._said[known.no] = said
            self.flush(at_least=BATCH)

    def _policy(self, profile: str, thread: ThreadRef, *, whole: bool) -> Policy:
        """Return what is known of a thread's server; what is not finished, or not had whole, is not final."""
        key = (profile, thread.source, thread.endpoint, whole)
        policy = self._of_servers.get(key)
        if policy is None:
            policy = self._policies.of(*key[:3])
            policy = self._of_servers[key] = policy if whole else replace(policy, final=False)
        return policy


def _parsed(time: str | datetime | None) -> datetime | None:
    if isinstance(time, str):
        return datetime.fromisoformat(time) if time else None
    return time


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _days(made: Schedule) -> float:
    return max(made.interval / DAY, 0.01)


_WELL: Mapping[str, Any] = {"failed_at": None, "failures": 0}


def _failed(known: Known, at: datetime) -> dict[str, Any]:
    """Count tonight's failure once, however often it is tried tonight."""
    since = at - datetime.fromisoformat(known.failed_at) if known.failed_at else NIGHT
    if timedelta() <= since < NIGHT and known.failures:
        return {"failed_at": known.failed_at, "failures": known.failures}
    return {"failed_at": at, "failures": known.failures + 1}
