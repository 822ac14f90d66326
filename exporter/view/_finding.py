"""Full text search, where `exporter.search` can be used.

The idea: a page never waits long for the index. What is new is read by a thread beside; a search waits for it for a
moment, then shows what the index has so far, and the browser asks again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from exporter.archive import Archive
from exporter.errors import ExporterError, UsageError
from exporter.formats._harmless import line, visible
from exporter.formats.html import ANCHOR, ROLES
from exporter.model import Record, now
from exporter.rows import identity
from exporter.view._names import doubled_in, path_of
from exporter.view._previews import Previews

if TYPE_CHECKING:
    from exporter.search import Hit, Results

PER_PAGE = 20
FARTHEST = 10_000
PATIENCE = 1.5
"Seconds that a page waits for the index."
FIELDS = ("q", "user", "customer", "source", "role", "since", "until")
MAKING = "What was archived is being indexed; this page looks again by itself."


@dataclass(slots=True)
class _Work:
    """Reading what is new into the index."""

    thread: Thread
    error: str = ""


class Finding:
    """Searches one archive."""

    def __init__(self, path: Path, previews: Previews) -> None:
        self._path, self._previews = path, previews
        self._lock = Lock()
        self._work: _Work | None = None

    def shown(self, archive: Archive, query: Mapping[str, str]) -> dict[str, Any]:
        """Return what the template `search.html` takes."""
        asked = {name: query.get(name, "").strip()[:500] for name in FIELDS}
        begin = int(page) if (page := query.get("offset", "0")).isdecimal() and page.isascii() and len(page) < 6 else 0
        told: dict[str, Any] = {"find": asked, "hits": [], "total": None, "note": "", "again": False, "roles": ROLES}
        told |= {"begin": begin, "earlier": None, "later": None}
        if not asked["q"]:
            return told
        try:
            results, note = self._found(archive, asked, begin)
        except ExporterError as error:
            return told | {"note": line(str(error))}
        if results is None:
            return told | {"note": note or MAKING, "again": note in ("", MAKING)}
        rest = {name: value for name, value in asked.items() if value}
        told |= {"hits": list(_shown(archive, results, self._previews)), "total": results.total, "note": note}
        told["again"] = results.stale and note == MAKING
        if begin:
            told["earlier"] = urlencode(rest | {"offset": max(0, begin - PER_PAGE)})
        if begin + PER_PAGE < min(results.total, FARTHEST):
            told["later"] = urlencode(rest | {"offset": begin + PER_PAGE})
        return told

    def _found(self, archive: Archive, asked: Mapping[str, str], begin: int) -> tuple[Results | None, str]:
        """Search the index as it is, or as it will be in a moment; and say what there is to say of it."""
        from exporter.search import Index, Query

        user, customer, source, role = (asked[name] or None for name in ("user", "customer", "source", "role"))
        since, until = _day(asked["since"]), _day(asked["until"])
        until = until and until + timedelta(days=1)
        wanted = Query(asked["q"], user, customer, source, role, since=since, until=until, limit=PER_PAGE, offset=begin)

        def search() -> Results | None:
            try:
                with Index.open(archive, refresh=False) as index:
                    return index.search(wanted)
            except UsageError as error:
                if "no index" in str(error):
                    return None
                raise

        results = search()
        if results is not None and not results.stale:
            return results, ""
        work = self._refreshing()
        work.thread.join(PATIENCE)
        busy = work.thread.is_alive()
        return search(), MAKING if busy else work.error

    def _refreshing(self) -> _Work:
        """Begin to read what is new, unless somebody does."""
        with self._lock:
            if self._work is None or not self._work.thread.is_alive():
                work = _Work(Thread(target=lambda: self._refresh(work), daemon=True, name="indexing"))
                self._work = work
                work.thread.start()
            return self._work

    def _refresh(self, work: _Work) -> None:
        from exporter.search import Index

        try:
            with Archive.open(self._path) as archive, Index.open(archive) as index:
                work.error = line(index.note or "")
        except (ExporterError, OSError) as error:
            work.error = line(str(error))


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text[:10]).replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"{text[:40]!r} is no date; write 2026-11-21") from None


def _shown(archive: Archive, results: Results, previews: Previews) -> Iterator[dict[str, Any]]:
    known = archive.catalog.find_all([hit.thread for hit in results.hits])
    words = previews.of(archive, known.values())
    for hit in results.hits:
        yield {
            "href": _link(hit, doubled_in(archive, hit.thread)),
            "title": line(hit.title or "") or words.get(hit.thread) or line(hit.thread.id),
            "who": line({"thread": "title", "file": "file"}.get(hit.kind) or hit.role or hit.type or ""),
            "owner": " · ".join(filter(None, (line(hit.user or ""), line(hit.customer or "")))),
            "source": hit.thread.source,
            "time": hit.ts and f"{hit.ts:%Y-%m-%d %H:%M}",
            "deleted": hit.deleted,
            "parts": list(_parts(hit)),
            "damage": line(hit.damage or ""),
        }


def _link(hit: Hit, mark: str | None) -> str:
    if hit.kind != "message":
        return path_of(hit.thread, endpoint=mark)
    record = Record(hit.thread, "message", hit.message_id, hit.seq, now(), b"", parent=hit.parent)
    address = path_of(hit.thread, endpoint=mark, seq=hit.seq, parent=hit.parent)
    return f"{address}#m-{identity(record).hex()[:ANCHOR]}"


def _parts(hit: Hit) -> Iterator[tuple[bool, str]]:
    """Cut a snippet into what matches and what does not."""
    at = 0
    for begin, end in hit.marks:
        yield False, visible(hit.snippet[at:begin])
        yield True, visible(hit.snippet[begin:end])
        at = end
    yield False, visible(hit.snippet[at:])
