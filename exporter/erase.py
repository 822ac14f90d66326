"""Take threads out of the archive, everywhere, with a receipt; they stay out until somebody takes them back.

Read on in `archive/_erasing.py` (how it is decided and finished) and `archive/_tombstones.py` (what remains).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from exporter.archive import Archive, hashed
from exporter.errors import UsageError
from exporter.model import ThreadRef, printable
from exporter.tables import publish

MANY = 1_000_000
"More touched threads than ever wait to be registered."


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to be erased: a thread by its id, or all threads of a user or a customer."""

    what: Literal["thread", "user", "customer"]
    name: str
    source: str | None = None
    "Of a thread, the only source that is meant."


@dataclass(frozen=True, slots=True)
class Chosen:
    """The threads that were asked for."""

    threads: tuple[ThreadRef, ...]
    before: tuple[Asked, ...]
    "What was erased before, and is not there any more."


def choose(archive: Archive, asked: Sequence[Asked]) -> Chosen:
    """Find the threads; `UsageError` names what the archive does not have, and was never asked to erase."""
    threads: dict[ThreadRef, None] = {}
    before: list[Asked] = []
    unknown: list[Asked] = []
    for one in asked:
        found = list(_named(archive, one))
        threads.update(dict.fromkeys(found))
        if not found:
            (before if _was_erased(archive, one) else unknown).append(one)
    if unknown:
        kinds = {"thread": "", "user": "user ", "customer": "customer "}
        names = ", ".join(kinds[one.what] + printable(one.name) for one in unknown[:5])
        names += f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
        raise UsageError(f"{names}: not in {archive.path}; nothing is erased. `exporter threads` lists what is there")
    return Chosen(tuple(threads), tuple(before))


def _was_erased(archive: Archive, one: Asked) -> bool:
    if one.what == "thread":
        return archive.catalog.erased_id(archive.id, one.name)
    return archive.receipts.asked(hashed(archive.id, one.what, one.name))


def _named(archive: Archive, one: Asked) -> Iterator[ThreadRef]:
    catalog = archive.catalog
    if one.what != "thread":
        yield from (known.thread for known in catalog.known(**{one.what: one.name}))
        return
    waiting = (entry.thread for entry in catalog.waiting(MANY) if entry.thread.id == one.name)
    for thread in chain((known.thread for known in catalog.named(one.name)), waiting):
        if one.source in (None, thread.source):
            yield thread


def erase(
    archive: Archive,
    threads: Sequence[ThreadRef],
    asked: Sequence[Asked] = (),
    reference: str | None = None,
    upstream: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Erase these threads everywhere in the archive, and return the receipt.

    The archive is open for writing. What was asked for stands in the receipt as hashes, `reference` as it is, and what
    was deleted on servers before as `upstream.told` says it. Raises
    `ArchiveError` where it cannot be decided: then nothing is erased; or where it cannot be finished: then the next
    command that writes to the archive does that.
    """
    told = [{"what": one.what, "sha256": hashed(archive.id, one.what, one.name)} for one in asked]
    about: dict[str, Any] = {"command": "erase", "asked": told, "reference": reference}
    if upstream:
        about["upstream"] = [dict(one) for one in upstream]
    manifest = archive.erase(threads, about)
    finish(archive)
    return archive.receipts.read(manifest.number)


def finish(archive: Archive) -> None:
    """Take the rows of all that was erased out of the tables."""
    newest, published = archive.manifest(), int(archive.catalog.fact("published") or 0)
    if archive.erasures(published, newest) is not None:
        publish(archive, published)
        archive.note_published(newest)
