"""Who hears first that something happened in a thread says so here: the next night visits it first.

    exporter.touch("/backups/acme", ["thread_abc123", "conv_abc123"])

Nothing but the catalog is written, and no lock is taken: it is safe beside a running backup, and never keeps one from
starting. A thread that is not registered waits in the catalog, durably, until the next backup registers it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from exporter.archive import beside, read_id
from exporter.endpoint import endpoint_of
from exporter.errors import UsageError
from exporter.model import Profile, Registration, ThreadRef, checked_id, now
from exporter.sources import names, source_of

BATCH = 5000
"Ids that are noted together, with one write."


@dataclass(frozen=True, slots=True)
class Touched:
    """What a call of `touch` noted."""

    known: int
    "Threads that are registered."
    new: int
    "Threads that the next backup registers."


def touch(
    archive: Path | str,
    threads: Iterable[str | ThreadRef | Registration],
    *,
    at: datetime | None = None,
    profile: Profile | None = None,
) -> Touched:
    """Note that something happened in these threads, now or `at` a time; the next backup visits them first.

    An id means every registered thread that has it. One that nobody has is registered by the next backup, as a thread
    of the source that its prefix tells, where this profile goes; None: the one that `exporter` uses by default.
    Raises `UsageError` for what is no id, `ArchiveError` where the catalog cannot be written; it waits half a minute
    for one that somebody else is writing to. Costs the same whatever the size of the archive.
    """
    path, time = Path(archive), (at or now()).astimezone(UTC)
    read_id(path)
    known = new = 0
    stream = iter(threads)
    with beside(path) as catalog:
        while batch := list(islice(stream, BATCH)):
            ids = [checked_id(one) for one in batch if isinstance(one, str)]
            entries = [_registration(one) for one in batch if not isinstance(one, str)]
            found = catalog.known_ids(ids)
            if unknown := [one for one in dict.fromkeys(ids) if one not in found]:
                profile = profile or _default()
                entries += [_entry(one, profile) for one in unknown]
            more = catalog.touch(sorted(found), entries, time)
            new += more
            known += len(found) + len({one.thread for one in entries}) - more
    return Touched(known, new)


def _registration(thread: ThreadRef | Registration) -> Registration:
    entry = Registration(thread) if isinstance(thread, ThreadRef) else thread
    checked_id(entry.thread.id)
    return entry


def _entry(thread: str, profile: Profile) -> Registration:
    source = source_of(thread)
    if source is None:
        raise UsageError(f"{thread}: nobody registered it, and its prefix tells no source; say {' or '.join(names())}")
    return Registration(ThreadRef(source, endpoint_of(profile.base_url), thread), profile.name)


def _default() -> Profile:
    from exporter.config import profiles

    return profiles().named("default")
