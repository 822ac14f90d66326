"""When something last happened in a thread, as far as its newest objects tell: for the timetable, never for a table."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from exporter.archive import Archive
from exporter.archive.catalog import Known, stamp
from exporter.model import Item, Page, now

EMBEDDED = re.compile(r"_(?:[0-9a-f]{16}00)?([0-9a-f]{8})[0-9a-f]{8,}")
"Ids of conversations and their items have the second of their birth in them (inferred from recorded ones)."
KINDS = ("message", "run", "thread")
SANE = datetime(2020, 1, 1, tzinfo=UTC)


class _Times(msgspec.Struct):
    created_at: Any = None
    created: Any = None
    last_active_at: Any = None


_TIMES = msgspec.json.Decoder(_Times)


def activity(page: Page) -> datetime | None:
    """Return the time of the newest object of a page; when it came, where no object tells."""
    if page.kind not in KINDS or not page.items:
        return None
    told = _told(page.items[-1])
    if told is not None and SANE <= told <= page.fetched_at + timedelta(days=1):
        return told
    return None if page.kind == "thread" else page.fetched_at


def lifetime(archive: Archive, known: Known) -> dict[str, str | None]:
    """Say of a thread that is found gone for the first time when it was last seen, and when something last happened.

    From this the archive learns how long a server keeps its threads. Empty for one that was never seen, or was gone
    before; `active` is None where nothing tells.
    """
    if known.gone_at is not None or known.seen_at is None:
        return {}
    active = known.active_at
    if active is None and (newest := _newest(archive, known)):
        active = stamp(newest)
    return {"alive": known.visited_at or known.seen_at, "active": active}


def _newest(archive: Archive, known: Known) -> datetime | None:
    """Return the newest time that the archived objects of a thread tell: for a catalog that lost its hints."""
    told = (_told(Item(record.id, record.body)) for kind in KINDS for record in archive.records(known.thread, kind))
    return max((time for time in told if time is not None and SANE <= time <= now()), default=None)


def _told(item: Item) -> datetime | None:
    try:
        times = _TIMES.decode(item.body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    for seconds in (times.last_active_at, times.created_at, times.created, _embedded(item.id)):
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < 1e11:
            return datetime.fromtimestamp(seconds, UTC)
    return None


def _embedded(name: str | None) -> int | None:
    found = EMBEDDED.search(name or "")
    return int(found[1], 16) if found else None
