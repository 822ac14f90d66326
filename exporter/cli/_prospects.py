"""What `exporter status` tells of the days to come, and of what was learned; threads that need somebody, by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from exporter.cli._numbers import many
from exporter.cli._output import Output
from exporter.model import printable

if TYPE_CHECKING:
    from exporter.archive import Archive
    from exporter.archive.catalog import Known
    from exporter.outlook import Learned
    from exporter.retention import Policies

Named = tuple["Known", str, "str | None"]
"A thread, what stands before it in text, and the reason why it is named."
NAMED = {"at_risk": 10, "quarantined": 5}
"Threads that are named for people; --json has all."


@dataclass(frozen=True, slots=True)
class Prospects:
    """An archive at a time, and who is told of it."""

    out: Output
    archive: Archive
    policies: Policies
    at: datetime
    days: float
    "What may be lost within these is at risk."

    def list(self, which: str) -> int:
        """Name all threads that are in a state, at risk or quarantined, as they come; return how many they were."""
        from exporter.outlook import quarantined

        count = 0
        if which == "at-risk":
            found = self._at_risk()
        else:
            catalog = self.archive.catalog
            known = quarantined(catalog) if which == "quarantined" else catalog.known(state=which)
            found = ((one, "", None) for one in known)
        for one, before, why in found:
            count += 1
            name(self.out, one, before, why=why)
        return count

    def risky(self, count: int) -> None:
        """Name those at risk, the soonest first."""
        if count and not self.out.as_json:
            self.out.text(f"at risk within {self.days:g} days: {count:,}")
        for one, before, why in self._some(self._at_risk(), "at_risk", count):
            name(self.out, one, f"  {before}", kind="at_risk", why=why)
        self._more("at_risk", "at-risk", count)

    def quarantined(self) -> int:
        """Name those that a person has to look at; return how many they are."""
        from exporter.outlook import count_quarantined, quarantined

        count = count_quarantined(self.archive.catalog)
        if count and not self.out.as_json:
            self.out.text(f"quarantined, as they failed night after night: {count:,}; `exporter doctor ID` tells why")
        found = ((one, f"  {one.failures} nights: ", None) for one in quarantined(self.archive.catalog))
        for one, before, _ in self._some(found, "quarantined", count):
            name(self.out, one, before, kind="quarantined")
        self._more("quarantined", "quarantined", count)
        return count

    def notes(self) -> dict[str, Any]:
        """Tell what is known besides, a line each; return it for the summary."""
        from exporter.archive import hints
        from exporter.outlook import learned, longest_unvisited

        catalog = self.archive.catalog
        checks = {key: _hint(hints(catalog, key).get(key)) for key in ("last_check", "verified")}
        kept, oldest = learned(catalog), longest_unvisited(catalog)
        lines = [_checked(checks), *map(_learned, kept)]
        if oldest is not None:
            lines.append(f"longest without a visit: {oldest.thread}, since {minute(oldest.visited_at)} UTC")
        for line in () if self.out.as_json else lines:
            self.out.text(printable(line))
        return {
            "last_check": checks["last_check"],
            "last_verification": _verified(checks["verified"]),
            "learned_retention": [asdict(one) for one in kept],
            "longest_unvisited": oldest and {"thread": str(oldest.thread), "visited_at": oldest.visited_at},
            **self._next(),
        }

    def _next(self) -> dict[str, Any]:
        from exporter.outlook import observed, tonight

        chosen, joining = tonight(self.archive.catalog, self.at, self.policies.rhythm), self._joining()
        visits, requests = chosen.visits + joining, observed(self.archive).requests(chosen, joining)
        if not self.out.as_json:
            waiting = f", {chosen.waiting:,} more can wait" if chosen.waiting else ""
            self.out.text(f"next backup: {many(visits, 'visits')}, about {many(requests, 'requests')}{waiting}")
        load = {"visits": visits, "requests": requests, "waiting": chosen.waiting}
        return {"next_night": load, "touched_and_not_registered": joining}

    def _joining(self) -> int:
        return self.archive.catalog.count_waiting()

    def _at_risk(self) -> Iterator[Named]:
        from exporter.outlook import at_risk, why

        for one in at_risk(self.archive.catalog, self.at, self.days):
            yield one, f"{minute(one.deadline_at)}  ", why(one, self.policies, self.at)

    def _some(self, found: Iterator[Named], kind: str, count: int) -> Iterator[Named]:
        return islice(found, None if self.out.as_json else min(count, NAMED[kind]))

    def _more(self, kind: str, listed: str, count: int) -> None:
        if count > NAMED[kind] and not self.out.as_json:
            self.out.text(f"  ... and {count - NAMED[kind]:,} more: exporter status --list {listed}")


def name(out: Output, known: Known, before: str = "", *, kind: str = "thread", why: str | None = None) -> None:
    """Name a thread, with the reason why."""
    from exporter.cli.threads import about

    hints = {name: getattr(known, name) for name in ("due_at", "deadline_at", "failures", "failed_at")}
    reason = known.error if why is None else why
    fields = {**about(known), **hints, "why": why} if why is not None else {**about(known), **hints}
    out.item(kind, fields, printable(f"{before}{_said(known, reason)}"))


def _said(known: Known, reason: str | None) -> str:
    """Return a thread and the reason why it is named, which may begin with its name itself."""
    name = str(known.thread)
    return name if not reason else reason if reason.startswith(f"{name}:") else f"{name}: {reason}"


def minute(time: object, length: int = 16) -> str:
    """Return a time as people read it."""
    return str(time or "-")[:length].replace("T", " ")


def _hint(text: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(text or "null")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _verified(run: dict[str, Any] | None) -> dict[str, Any] | None:
    if run is None:
        return None
    told = {name: run.get(name) for name in ("run", "at", "files", "bytes", "left")}
    return {**told, "damaged": len(run.get("findings") or ())}


def _checked(checks: dict[str, dict[str, Any] | None]) -> str:
    check, run = checks["last_check"], checks["verified"]
    told = [f"last run that verified its part: {minute(run.get('at'))} UTC"] if run else []
    if run and run.get("findings"):
        told.append("it found DAMAGE: run `exporter check`")
    told.append(f"last whole check: {minute(check.get('at'))} UTC" if check else "never checked as a whole")
    return "; ".join(told)


def _learned(one: Learned) -> str:
    least = f", and still there after {one.alive.median:g}" if one.alive else ""
    days = f"{one.gone.median:g} days (10 %: {one.gone.p10:g}, 90 %: {one.gone.p90:g})"
    where = f"{one.source} at {one.endpoint}"
    return printable(f"learned: {one.count:,} of {where} found gone {days} after their last activity{least}")
