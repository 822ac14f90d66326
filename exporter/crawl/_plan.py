"""Whom a run visits, and in which order: what nobody may miss first, then the likeliest to have news."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from exporter.archive import Archive
from exporter.archive.catalog import Known
from exporter.model import ThreadRef, now
from exporter.outlook import tonight
from exporter.retention import RHYTHM, Rhythm


@dataclass(frozen=True, slots=True)
class Plan:
    """The threads of a run, most pressing first; they are read from the catalog while the run goes on."""

    threads: Iterator[Known]
    count: int
    "How many those are, as far as it is known before they are read."
    everything: bool
    "Whether these are all threads that are registered, but for those that are gone."
    urgent: int = 0
    "Those of which something may be lost if they are not visited soon."
    waiting: int = 0
    "Threads that are due, but can wait for the nights to come."

    def __iter__(self) -> Iterator[Known]:
        return self.threads


def plan(
    archive: Archive,
    only: Sequence[ThreadRef] = (),
    *,
    everything: bool = False,
    full: bool = False,
    rhythm: Rhythm = RHYTHM,
    at: datetime | None = None,
) -> Plan:
    """Work out whom to visit: those named in `only`, then all that are due, as many as an even night can take.

    With `everything`, all threads in the order of their registration; those that are gone only on a `full` walk.
    """
    catalog = archive.catalog
    if everything:
        states = catalog.count()
        count = sum(states.values()) - (0 if full else states.get("gone", 0))
        return Plan((one for one in catalog.known() if full or one.state != "gone"), count, everything=True)
    chosen = tonight(catalog, at or now(), rhythm)
    named = {number for thread in only if (number := catalog.number_of(thread)) is not None}
    return Plan(
        _once(only, chain(map(catalog.find, only), catalog.numbered(chosen.numbers))),
        chosen.visits + len(named) - (sum(number in named for number in chosen.numbers) if named else 0),
        everything=False,
        urgent=len(chosen.urgent),
        waiting=chosen.waiting,
    )


def _once(only: Sequence[ThreadRef], threads: Iterator[Known | None]) -> Iterator[Known]:
    """Pass on the threads that are registered; those that were named come once although they are due."""
    named, left = set(only), set(only)
    for known in threads:
        if known is None or (known.thread in named and known.thread not in left):
            continue
        left.discard(known.thread)
        yield known
