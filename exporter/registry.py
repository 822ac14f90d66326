"""The threads we know of: adding them, and what their owners say about them.

A registration is a record like any other, so ids that were never visited survive the loss of the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

import orjson

from exporter.archive import Archive
from exporter.errors import UsageError
from exporter.model import Item, Page, Registration, ThreadRef, now, printable

BATCH = 1000
"Registrations in one page."

THREAD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:=-]{0,255}")
"What an id may look like: it becomes part of a URL."


@dataclass(frozen=True, slots=True)
class Registered:
    """What a call of `register` did."""

    new: int
    changed: int
    unchanged: int


def checked_id(text: str) -> str:
    """Return a thread id that can be part of a URL; `UsageError` for anything else, such as a path."""
    if not THREAD_ID.fullmatch(text) or ".." in text:
        shown = printable(text[:80])
        raise UsageError(f"{shown!r} is no thread id: letters, digits and _ . : = - only; look at how it was copied")
    return text


def register(archive: Archive, entries: Iterable[Registration]) -> Registered:
    """Add threads to the registry, durably; what is said of a known thread replaces what was known."""
    new = changed = unchanged = 0
    stream = iter(entries)
    while batch := list(islice(stream, BATCH)):
        news: dict[ThreadRef, Registration] = {}
        for entry in batch:
            checked_id(entry.thread.id)
            before = news.get(entry.thread) or _known(archive, entry.thread)
            after = _merged(before, entry)
            if before is None:
                new += 1
            elif after != before:
                changed += 1
            else:
                unchanged += 1
                continue
            news[entry.thread] = after
        if news:
            archive.append(map(_page, news.values()))
    archive.seal()
    return Registered(new, changed, unchanged)


def _known(archive: Archive, thread: ThreadRef) -> Registration | None:
    known = archive.catalog.find(thread)
    return archive.owner(thread) if known and known.registered_at else None


def _merged(before: Registration | None, entry: Registration) -> Registration:
    entry = replace(entry, tags=entry.tags or None)
    if before is None:
        return entry
    said = {name: getattr(entry, name) for name in ("profile", "user", "customer", "title", "tags")}
    return replace(before, **{name: value for name, value in said.items() if value is not None})


def _page(entry: Registration) -> Page:
    said = {"profile": entry.profile, "user": entry.user, "customer": entry.customer, "title": entry.title}
    body = orjson.dumps({**said, "tags": entry.tags})
    return Page(entry.thread, "registration", (Item(None, body),), None, False, now(), "registry")
