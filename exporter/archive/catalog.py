"""The catalog: an index of registry and segments in one SQLite file, derived and disposable.

Everything in it comes from `index`, which reads the pages of committed segments:
rebuilding it is indexing again from nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from exporter.archive import _touched
from exporter.archive._compact import ALWAYS, NEVER
from exporter.archive._database import note_fact
from exporter.archive._due import Due, due, stamp
from exporter.archive._forgetting import Erasing, forget, scrub
from exporter.archive._lines import load
from exporter.archive._many import plain
from exporter.archive._news import BY_SESSION, News, digest, is_named, named, note, row_crc, update
from exporter.archive._schema import (
    HINTS,
    facts,
    frames,
    inbox,
    lists,
    segments,
    table_files,
    threads,
)
from exporter.archive._segments import Frame
from exporter.archive._threads import BATCH, Known, Threads, is_thread, owner_of, seal
from exporter.archive._timing import WorkOut, before_first, make_indexes, work_out_new, work_out_some
from exporter.archive._tombstones import FACT, NEWEST, UNFINISHED, Quotes, hashed, tombstone
from exporter.errors import Damaged
from exporter.model import Position, Registration, Segment, ThreadRef


class Catalog(Threads):
    """An open catalog; every method is one short transaction."""

    def index(
        self, manifest: int, sealed: Iterable[tuple[Segment, Iterable[Frame]]], erasing: Erasing | None = None
    ) -> None:
        """Take over what the segments of a manifest say and what it erases, in one transaction."""
        with self._db() as db:
            for segment, parts in sealed:
                news = News()
                for part in parts:
                    news.take(part)
                db.execute(insert(segments).values(number=segment.number, name=segment.name).on_conflict_do_nothing())
                if self.cipher is not None:
                    seal(news, self.cipher)
                news.write(db, segment.number)
            if erasing is not None:
                forget(db, erasing)
                for one in sorted(erasing.tombstones | erasing.ids):
                    note_fact(db, FACT + one, str(manifest))
                note_fact(db, NEWEST, str(manifest))
                note_fact(db, UNFINISHED, str(manifest))
            note_fact(db, "manifest", str(manifest))

    def positions(self, thread: ThreadRef) -> dict[str, Position]:
        """How far each list of a thread was walked."""
        with self._db() as db:
            rows = db.execute(_POSITIONS, named(thread)).all()
        return dict(self._position(row) for row in rows)

    def positions_of(self, numbers: Sequence[int]) -> dict[int, dict[str, Position]]:
        """How far each list of the threads of these numbers was walked: no more than `BATCH` of them."""
        found: dict[int, dict[str, Position]] = {no: {} for no in numbers}
        with self._db() as db:
            rows = db.execute(_POSITIONS_OF, {"numbers": numbers}).all()
        for no, *row in rows:
            name, found[no][name] = self._position(row)
        return found

    def _position(self, row: Sequence[Any]) -> tuple[str, Position]:
        """Read how far a list was walked; `Damaged` where it is not what was written."""
        name, cursor, seq, more, crc = row
        if row_crc(name, cursor, seq, more) != crc:
            raise Damaged(f"{self.path}: where a list goes on is not what was written; run `exporter rebuild`")
        return _unquoted(name), Position(_unquoted(cursor), seq, more)

    def verify(self) -> None:
        """Read the whole file; `Damaged` if it contradicts itself."""
        super().verify()
        for row in self.rows(_ALL_POSITIONS):
            self._position(tuple(row))

    def frames_of(self, thread: ThreadRef, kind: str) -> Iterator[tuple[str, int]]:
        """Where the pages of a thread and kind are: segment names and offsets of frames, in order."""
        query = (
            sa.select(segments.c.name, frames.c.offset)
            .join(threads, threads.c.no == frames.c.thread)
            .join(segments, segments.c.number == frames.c.segment)
            .where(is_thread(thread), frames.c.kind == kind)
            .order_by(frames.c.segment, frames.c.offset)
        )
        with self._db() as db:
            yield from ((str(name), int(offset)) for name, offset in db.execute(query))

    def holds_pages(self) -> bool:
        """Whether there is any page but of registrations."""
        return next(self.rows(sa.select(frames.c.thread).limit(1)), None) is not None

    def kinds_of(self, thread: ThreadRef) -> set[str]:
        """Of which kinds there are records of a thread."""
        query = sa.select(frames.c.kind).distinct().join(threads, threads.c.no == frames.c.thread)
        return {str(kind) for (kind,) in self.rows(query.where(is_thread(thread)))}

    def note_hints(self, said: Mapping[ThreadRef, Mapping[str, Any]]) -> None:
        """Note what is worked out about threads, by column of `HINTS`: no part of the truth."""
        assert all(HINTS.issuperset(columns) for columns in said.values())
        with self._db() as db:
            note(db, said)

    def note_numbered(self, said: Mapping[int, Mapping[str, Any]]) -> None:
        """Do what `note_hints` does, for threads that were read: by their numbers."""
        assert all(HINTS.issuperset(columns) for columns in said.values())
        with self._db() as db:
            update(db, said)

    def work_out(self, times: WorkOut) -> None:
        """Set when each thread is due, as `times` works it out anew: no part of the truth.

        Threads that were never visited, and of which nothing else is known, are asked for once for each server. A
        crash leaves a part of it, and perhaps no index of the times: the next opening for writing makes that.
        """
        with self._db() as db:
            work_out_new(db, times)
            after = before_first(db)
        while after is not None:
            with self._db() as db:
                after = work_out_some(db, times, after)
        with self._db() as db:
            make_indexes(db)

    def due(self, now: datetime, urgent_before: datetime) -> Due:
        """Return the numbers of the threads that are due; urgent are those with a deadline before that time."""
        with self._db() as db:
            return due(db, now, urgent_before)

    def touch(self, ids: Sequence[str], entries: Sequence[Registration], at: datetime) -> int:
        """Mark threads as changed: by id whatever their source, and by what they are; return how many are new.

        What is not registered waits for who holds the lock; an id alone has to be registered (`known_ids`).
        """
        time, known = stamp(at), self.find_all([one.thread for one in entries])
        unknown = [one for one in entries if one.thread not in known]
        with self._db() as db:
            _touched.mark_ids(db, ids, time)
            _touched.mark(db, dict.fromkeys(known, time))
            _touched.wait(db, unknown, time)
        return len(unknown)

    def known_ids(self, ids: Sequence[str]) -> set[str]:
        """Those of these ids that a registered thread has, whatever its source and endpoint."""
        with self._db() as db:
            return _touched.known_ids(db, ids)

    def answered(self, marks: Mapping[ThreadRef, str]) -> None:
        """Take away the marks that these threads had when their visits began; newer ones stay."""
        with self._db() as db:
            _touched.answer(db, marks)

    def waiting(self, limit: int) -> dict[Registration, str]:
        """Some of the touched threads that are not registered yet, with the times at which they were touched."""
        with self._db() as db:
            return dict(_touched.waiting(db, limit))

    def count_waiting(self) -> int:
        """How many touched threads are not registered yet."""
        return self.number(sa.select(sa.func.count()).select_from(inbox))

    def admit(self, marks: Mapping[ThreadRef, str]) -> None:
        """Mark threads that waited and are registered now."""
        with self._db() as db:
            _touched.admit(db, marks)

    def table_rows(self, beginning: str = "") -> Iterator[Mapping[str, Any]]:
        """What is noted of each table file whose name begins like this."""
        named = table_files.c.name.startswith(beginning, autoescape=True)
        with self._db() as db:
            query = sa.select(table_files).where(named).order_by(table_files.c.name)
            yield from map(dict, db.execute(query).mappings())

    def note_table(self, name: str, **values: Any) -> None:
        """Note something of a table file."""
        with self._db() as db:
            row = insert(table_files).values(name=name, **values)
            db.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))

    def segment_names(self) -> Iterator[str]:
        """Names of all committed segments, in order."""
        yield from (str(row[0]) for row in self.rows(sa.select(segments.c.name).order_by(segments.c.number)))

    def content(self) -> Iterator[tuple[Any, ...]]:
        """Every derived row, in an order that does not depend on history: equal catalogs give equal content."""
        named = [threads.c.source, threads.c.endpoint, threads.c.id]
        told = (c for c in threads.c if c.name not in HINTS and c.name != "no")
        yield from self.rows(sa.select(*told).order_by(*named))
        for table in (lists, frames):
            rest = [c for c in table.c if c.name != "thread"]
            joined = sa.join(table, threads, threads.c.no == table.c.thread)
            yield from self.rows(sa.select(*named, *rest).select_from(joined).order_by(*named, *rest))
        yield from self.rows(sa.select(segments).order_by(segments.c.number))
        yield from sorted(self.facts(FACT).items())

    def erased(self, archive: str, wanted: Iterable[ThreadRef]) -> set[ThreadRef]:
        """Those of these threads that were erased from the archive of this id, whatever was registered since."""
        if self.fact(NEWEST) is None:
            return set()
        stones = {FACT + tombstone(archive, thread): thread for thread in wanted}
        found: set[ThreadRef] = set()
        keys = list(stones)
        for begin in range(0, len(keys), BATCH):
            query = sa.select(facts.c.key).where(facts.c.key.in_(keys[begin : begin + BATCH]))
            found.update(stones[key] for (key,) in self.rows(query))
        return found

    def erased_id(self, archive: str, name: str) -> bool:
        """Whether a thread with this id was erased from the archive of that id, whatever its source and endpoint."""
        return self.fact(FACT + hashed(archive, "thread", name)) is not None

    def scrub(self, quotes: Quotes) -> None:
        """Take out of the facts what names any of these threads."""
        with self._db() as db:
            scrub(db, quotes)


_POSITIONS = (
    sa.select(*lists.c["list", "cursor", "seq", "more", "crc"])
    .join(threads, threads.c.no == lists.c.thread)
    .where(is_named())
)
_POSITIONS_OF = sa.select(*lists.c["thread", "list", "cursor", "seq", "more", "crc"]).where(
    lists.c.thread.in_(sa.bindparam("numbers", expanding=True))
)
"Asked at every visit, so they are made once."
_ALL_POSITIONS = sa.select(*lists.c["list", "cursor", "seq", "more", "crc"])


@lru_cache(1024)
def _unquoted(text: str) -> Any:
    """Read a list's name or a cursor; most lists of all threads have one of few names."""
    return load(text.encode())


__all__ = ["ALWAYS", "BATCH", "BY_SESSION", "NEVER", "Catalog", "Due", "Known", "digest", "owner_of", "plain", "stamp"]
