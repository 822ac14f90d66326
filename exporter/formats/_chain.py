"""The stored responses that one of them goes on from, as far as they are in the archive.

Each response holds its own turn, and names the one before it; each link expires on its own, so any may be missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from exporter.formats._newest import newest
from exporter.formats._pages import Reader
from exporter.model import ThreadRef
from exporter.text import clean, members, string

FIELD = "previous_response_id"


@dataclass(frozen=True, slots=True)
class Chain:
    """A conversation that is spread over several threads."""

    threads: tuple[ThreadRef, ...]
    "The oldest first; the last is the one that was asked for."
    missing: ThreadRef | None = None
    "What the oldest goes on from, where that is not in the archive."
    circular: bool = False
    "Whether the oldest goes on from one of the others: a server may say anything."


def chain(archive: Reader, thread: ThreadRef) -> Chain:
    """Return the thread with all that it goes on from."""
    found = [thread]
    seen = {thread}
    for earlier in _back(archive, thread):
        if earlier in seen:
            return Chain(tuple(reversed(found)), circular=True)
        if not _has(archive, earlier):
            return Chain(tuple(reversed(found)), missing=earlier)
        seen.add(earlier)
        found.append(earlier)
    return Chain(tuple(reversed(found)))


def _back(archive: Reader, thread: ThreadRef) -> Iterator[ThreadRef]:
    """Yield what each thread names as the one before it."""
    while (earlier := before(archive, thread)) is not None:
        yield earlier
        thread = earlier


def before(archive: Reader, thread: ThreadRef) -> ThreadRef | None:
    """Return what a thread names as the one before it."""
    last = None
    for last in newest(archive, thread, "thread"):  # noqa: B007 - the last one is wanted
        pass
    name = string((members(clean(last.body)) or {}).get(FIELD)) if last else None
    return None if name is None else replace(thread, id=name)


def _has(archive: Reader, thread: ThreadRef) -> bool:
    """Tell whether anything of a thread is in the archive."""
    return any(True for kind in ("thread", "message") for _ in archive.thread_pages(thread, kind))
