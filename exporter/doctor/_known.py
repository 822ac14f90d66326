"""What the archive knows of one thread."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from exporter.archive import Archive
from exporter.archive.catalog import Known
from exporter.doctor._look import Look
from exporter.errors import ArchiveError
from exporter.model import printable


@dataclass(frozen=True, slots=True)
class Kept:
    """A thread of the registry, and how it went."""

    known: Known
    gone_at: str | None = None
    "When it was found to be gone."
    gone_why: str | None = None
    last_there: str | None = None
    "When the server last showed it, as far as the archive knows; None: never."
    archived: int = 0
    "Objects of its history that are archived."


def kept(path: Path, thread_id: str) -> tuple[list[Kept], Look | None]:
    """Return what the archive has of a thread, and a note where it cannot be read."""
    if not path.exists():
        return [], None
    try:
        with Archive.open(path) as archive:
            return [_kept(archive, known) for known in archive.catalog.named(thread_id)], None
    except ArchiveError as error:
        subject = f"archive {printable(str(path))}"
        return [], Look("archive", subject, "note", str(error), facts={"path": str(path)})


def _kept(archive: Archive, known: Known) -> Kept:
    position = archive.catalog.positions(known.thread).get("messages")
    gone_at, gone_why, last_there = None, None, known.seen_at
    for record in archive.records(known.thread, "visit"):
        told = json.loads(record.body)
        if told.get("state") == "gone":
            gone_at, gone_why = gone_at or record.observed_at.isoformat(), told.get("error")
        elif told.get("state") in ("complete", "partial"):
            gone_at, last_there = None, record.observed_at.isoformat()
    if known.state in ("complete", "partial"):  # visits that brought nothing are only noted
        last_there = known.visited_at or last_there
    return Kept(known, gone_at, gone_why, last_there, position.seq if position else 0)


def look(one: Kept) -> Look:
    """Say what the archive knows."""
    known = one.known
    said = [f"registered under profile {printable(known.profile)} at {printable(known.thread.endpoint)}", known.state]
    if known.visited_at:
        said.append(f"last visited {_minute(known.visited_at)}")
    said.append(f"{one.archived:,} objects of its history archived" if one.archived else "nothing of it archived")
    if one.gone_at:
        said.append(f"gone since {_minute(one.gone_at)}: {printable(one.gone_why or 'the server says so')}")
    elif known.error:
        said.append(f"last error: {printable(known.error)}")
    facts = {
        "source": known.thread.source,
        "endpoint": known.thread.endpoint,
        "profile": known.profile,
        "thread_state": known.state,
        "code": known.code,
        "error": known.error,
        "registered_at": known.registered_at,
        "seen_at": known.seen_at,
        "visited_at": known.visited_at,
        "gone_at": one.gone_at,
        "gone_why": one.gone_why,
        "last_there": one.last_there,
        "archived": one.archived,
    }
    return Look("known", f"archive, {known.thread.source}", "good", "; ".join(said), facts=facts)


def _minute(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"


def nothing(path: Path) -> Iterator[Look]:
    """Say that the archive does not know it."""
    if path.exists():
        yield Look("known", "archive", "note", "it does not know this thread", facts={"path": str(path)})
