"""The threads we know of: adding them, and what their owners say about them.

A registration is a record like any other, so ids that were never visited survive the loss of the catalog.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import orjson

from exporter.archive import Archive
from exporter.archive.catalog import owner_of, plain
from exporter.model import Item, Page, Registration, ThreadRef, checked_id, now

BATCH = 20_000
"Registrations that are compared and committed together: a million ids pass in constant memory."

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Registered:
    """What a call of `register` did."""

    new: int
    changed: int
    unchanged: int
    erased: int = 0
    "Threads that were erased from this archive, and stay out of it."


def register(
    archive: Archive, entries: Iterable[Registration], *, move: bool = False, again: bool = False
) -> Registered:
    """Add threads to the registry, durably; what is said of a known thread replaces what was known.

    The profile `default` says nothing of a thread that has another one, unless it is said on purpose: `move`.
    A thread that was erased stays out unless it is said on purpose that it is to be kept `again`.
    """
    new = changed = unchanged = left_out = 0
    archive.seal()  # what the catalog says is compared, and it knows what is sealed
    stream = iter(entries)
    while batch := list(islice(stream, BATCH)):
        known = _known(archive, batch)
        erased = set() if again else archive.erased(one.thread for one in batch if one.thread not in known)
        news: dict[ThreadRef, Registration] = {}
        for entry in batch:
            before = known.get(entry.thread)
            if entry.thread in erased:
                left_out += 1
                continue
            after = _merged(before, entry, move=move)
            if before is None:
                new += 1
            elif after != before:
                changed += 1
            else:
                unchanged += 1
                continue
            known[entry.thread] = news[entry.thread] = after
        archive.append(map(registration_page, news.values()))
        archive.seal()
    return Registered(new, changed, unchanged, left_out)


def register_touched(archive: Archive) -> int:
    """Register the threads that somebody touched before they were registered; return how many were new."""
    new = 0
    while waiting := archive.catalog.waiting(BATCH):
        new += register(archive, waiting).new
        archive.catalog.admit({entry.thread: at for entry, at in waiting.items()})
    return new


def _known(archive: Archive, batch: Sequence[Registration]) -> dict[ThreadRef, Registration]:
    for one in batch:
        checked_id(one.thread.id)
    found = archive.catalog.find_all([one.thread for one in batch])
    return {thread: owner_of(known) for thread, known in found.items() if known.registered_at}


def _merged(before: Registration | None, entry: Registration, *, move: bool) -> Registration:
    """What is known once this was said, too."""
    known = before or Registration(entry.thread, entry.profile)
    return Registration(
        entry.thread,
        known.profile if entry.profile == DEFAULT and not move else entry.profile,
        _said(entry.user, known.user),
        _said(entry.customer, known.customer),
        _said(entry.title, known.title),
        tuple(map(plain, entry.tags)) if entry.tags else known.tags,
    )


def _said(text: str | None, known: str | None) -> str | None:
    return known if text is None else plain(text)


def registration_page(entry: Registration) -> Page:
    """Return the page that writes an entry down."""
    said = {"profile": entry.profile, "user": entry.user, "customer": entry.customer, "title": entry.title}
    found = {"via": entry.via} if entry.via else {}
    body = orjson.dumps({**said, "tags": entry.tags, **found})
    return Page(entry.thread, "registration", (Item(None, body),), None, False, now(), "registry")
