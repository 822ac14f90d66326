"""When threads are due again: worked out at the end of each visit, noted in the catalog many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from exporter.archive.catalog import ALWAYS, NEVER, Catalog, Known, stamp
from exporter.crawl._sources import NoProfile, NoSource
from exporter.crawl._visit import Visit
from exporter.errors import Temporary
from exporter.model import Outcome, ThreadRef
from exporter.retention import DAY, SPREAD, Policies, Policy, Standing, jitter, schedule

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
        self._said: dict[ThreadRef, Mapping[str, Any]] = {}
        self._answered: dict[ThreadRef, str] = {}
        self._late: dict[ThreadRef, Mapping[str, Any]] = {}
        "Of threads that this run found: the catalog knows them once they are sealed."

    def sweeps(self, known: Known, at: datetime) -> bool:
        """Whether a thread is to be walked from its beginning now, so that all are within the rhythm's time."""
        if known.swept_at is None or self._of(known).final:
            return False
        since = at - datetime.fromisoformat(known.swept_at)
        if since < -DAY:  # by a clock that was wrong
            return True
        return since > self._policies.rhythm.sweep * (1 - SPREAD * jitter(known.thread, at))

    def visited(self, known: Known, visit: Visit | None, outcome: Outcome, at: datetime) -> None:
        """Take how a visit ended; None for one that was not begun, or told nothing."""
        if outcome.code in LEFT_OUT:
            return
        if known.touched_at is not None:
            self._answered[known.thread] = known.touched_at
        failed = outcome.state == "failed" or outcome.code == Temporary.code
        said: dict[str, Any] = {"visited_at": stamp(at)} if not failed else {}
        said |= _failed(known, at) if failed else _WELL
        partial = outcome.state == "partial" and not failed
        if visit is not None:
            active = stamp(visit.active) if visit.active else ""
            said |= {"active_at": max(active, known.active_at or "") or None}
            if visit.open or failed:
                said |= {"asked_at": None}
            elif visit.asked:
                said |= {"asked_at": stamp(at)}
            said |= {"swept_at": stamp(at)} if visit.swept and not failed else {}
        self._note(known, said, soon=at + PARTIAL if partial else None)

    def flush(self, at_least: int = 1) -> None:
        """Note what was taken, if it is so much."""
        if len(self._said) >= at_least:
            self._catalog.note_hints(self._said)
            self._catalog.answered(self._answered)
            self._said, self._answered = {}, {}

    def finish(self) -> None:
        """Note all that is left; what this run registered must be sealed."""
        self._said |= self._late
        self._late = {}
        self.flush()

    def refresh(self, on_many: Callable[[int], None] = lambda _: None) -> None:
        """Work everything out again where the policies are others than last time; `on_many` hears of how many."""
        digest = self._policies.digest()
        if self._catalog.fact("policies") == digest:
            return
        on_many(sum(self._catalog.count().values()))
        stream = self._catalog.known()
        while batch := list(islice(stream, BATCH)):
            for known in batch:
                self._note(known, {})
            self.flush()
        self._catalog.note_fact("policies", digest)

    def _note(self, known: Known, said: dict[str, Any], *, soon: datetime | None = None) -> None:
        thread = known.thread
        facts = {name: said.get(name, getattr(known, name)) for name in ("visited_at", "active_at", "failed_at")}
        times = {name: datetime.fromisoformat(time) if time else None for name, time in facts.items()}
        standing = Standing(
            thread,
            **times,
            created_at=times["active_at"],
            failures=said.get("failures", known.failures),
        )
        policy = self._of(known)
        if said.get("asked_at", known.asked_at) is None:
            policy = replace(policy, final=False)  # it is not finished, or not had whole
        made = schedule(standing, policy, self._policies.rhythm)
        never = times["visited_at"] is None and times["failed_at"] is None
        due = ALWAYS if never else NEVER if made.due is None else stamp(min(made.due, soon or made.due))
        deadline = made.deadline and stamp(made.deadline)
        of = self._late if known.registered_at is None else self._said
        of[thread] = said | {
            "due_at": due,
            "deadline_at": deadline,
            "interval": max(made.interval.total_seconds() / 86400, 0.01),
        }
        self.flush(at_least=BATCH)

    def _of(self, known: Known) -> Policy:
        return self._policies.of(known.profile, known.thread.source, known.thread.endpoint)


_WELL: Mapping[str, Any] = {"failed_at": None, "failures": 0}


def _failed(known: Known, at: datetime) -> dict[str, Any]:
    """Count tonight's failure once, however often it is tried tonight."""
    since = at - datetime.fromisoformat(known.failed_at) if known.failed_at else NIGHT
    if timedelta() <= since < NIGHT and known.failures:
        return {"failed_at": known.failed_at, "failures": known.failures}
    return {"failed_at": stamp(at), "failures": known.failures + 1}
