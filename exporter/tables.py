"""Publish sealed records into the tables: one row per object, one file per month, replaced in place.

The idea: new pages of a thread that cannot hold anything old are appended; else the whole thread is folded again, and
its rows take the place of those in the months that changed. Both ways give the same rows, so that any history of
publishing equals one rebuild. Rows are sorted on disk, in blocks, and merged with the old file: memory does not grow.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from exporter.archive import TableFile
from exporter.errors import Damaged
from exporter.files import make_folder, sync_folder, translated
from exporter.model import Kind, Mark, Record, Registration, ThreadRef
from exporter.rows import SHAPES, Fold, month, row
from exporter.schemas import SCHEMAS, SORT, VERSIONS
from exporter.text import loads, plain

PACK_BYTES = 1 << 20
"Rows in Python's memory, before they become a batch."
RUN_BYTES = 6 << 20
"Batches in memory, before they are sorted and go to the disk."
BLOCK_BYTES = 512 << 10
"What a merge reads of each run at a time."
FAN = 16
"Runs that are merged at a time."
GROUP_BYTES = 2 << 20
"Of a row group: larger ones save 2 % of disk and cost seven times their size in memory while they are written."
GROUP_ROWS = 100_000
KEEP_BYTES = 4 << 20
"A thread whose pages are not larger is read once to be folded, else twice."
LAST = "\U0010ffff" * 2
"Where a null is in the order."
EMPTY = "0000-00"
"The file without rows that each table has: a table can be read before anything is in it, and its types are known."

_PLAIN_COLUMNS = {"message_id", "step_id", "text", "content_json", "details_json", "body_json"}
"Too many different values for a dictionary."
_EVENT_COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("source", "endpoint", "thread", "body"), pa.binary()),
    **dict.fromkeys(("order", "number", "count", "_month"), pa.int64()),
    "kind": pa.string(),
    "observed_at": pa.timestamp("us", "UTC"),
}
_EVENT = pa.schema(_EVENT_COLUMNS)
_HIDDEN = [pa.field("_month", pa.int64()), pa.field("_number", pa.int64())]

Whose = tuple[str, ...]
"Source, endpoint and thread as the tables have them; for revisions also the kind."
Pages = Iterator[tuple[int, Mark, list[Record]]]


class Reader(Protocol):
    """What publishing asks of an archive."""

    path: Path

    def pages(self, since: int) -> Pages:
        """Whole pages of the segments after manifest `since`, in order, with the number of their manifest."""

    def thread_pages(self, thread: ThreadRef, kind: str) -> Pages:
        """All committed pages of one thread and kind, in order, with the number of their manifest."""

    def owner(self, thread: ThreadRef) -> Registration:
        """What the registrations say together."""

    def manifest(self) -> int:
        """Number of the newest manifest."""

    def tmp(self) -> Path:
        """A fresh folder on the archive's disk."""

    def table_files(self) -> dict[str, TableFile]:
        """What is noted of each table file."""

    def note_table_file(self, name: str, pending: str | None, final: TableFile | None) -> None:
        """Note the hash a file is about to get, then the file it has become."""


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing changed."""

    rows: int
    "Rows put in, new or again."
    files: int
    "Files made, replaced or removed."


def publish(reader: Reader, since: int, into: Path | None = None) -> Published:
    """Bring the tables, which hold manifest `since`, to the newest; with `into` make them in another folder."""
    folder, pool = reader.tmp(), pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own pools keep what is freed: three times the memory
    try:
        work = _Work(reader, since, reader.path if into is None else into, folder, note=into is None)
        work.collect()
        work.join()
        return work.write()
    finally:
        pa.set_memory_pool(pool)
        shutil.rmtree(folder, ignore_errors=True)


def compare(a: Path, b: Path) -> Iterator[str]:
    """Name the table files that do not hold the same rows; metadata aside."""
    names = {f"{t}/{p.name}" for t in SCHEMAS for root in (a, b) for p in (root / t).glob("*.parquet")}
    for name in sorted(names):
        one, two = a / name, b / name
        if not (one.exists() and two.exists()) or not _equal(one, two):
            yield name


def _equal(one: Path, two: Path) -> bool:
    with pq.ParquetFile(one) as left, pq.ParquetFile(two) as right:
        if left.schema_arrow.remove_metadata() != right.schema_arrow.remove_metadata():
            return False
        if left.metadata.num_rows != right.metadata.num_rows:
            return False
        sides = [_batches(left), _batches(right)]
        rest: list[pa.RecordBatch | None] = [next(side, None) for side in sides]
        while rest[0] is not None and rest[1] is not None:
            rows = min(rest[0].num_rows, rest[1].num_rows)
            if not rest[0].slice(0, rows).equals(rest[1].slice(0, rows)):
                return False
            for i, side in enumerate(sides):
                batch = rest[i]
                assert batch is not None
                rest[i] = batch.slice(rows) if batch.num_rows > rows else next(side, None)
        return rest == [None, None]


# Sorting on disk


class _Sorter:
    """Rows in the order of month and key, on disk: takes any number, and holds few in memory."""

    def __init__(self, schema: pa.Schema, keys: Sequence[str], folder: Path) -> None:
        self.rows = 0
        self._schema, self._keys, self._folder = schema, ["_month", *keys], folder
        self._made = 0
        self._loose: list[dict[str, Any]] = []
        self._loose_bytes = 0
        self._batches: list[pa.RecordBatch] = []
        self._runs: list[list[_Run]] = []

    def add(self, values: dict[str, Any], size: int) -> None:
        """Take one row of about `size` bytes."""
        self.rows += 1
        self._loose.append(values)
        self._loose_bytes += size + 500
        if self._loose_bytes > PACK_BYTES:
            self._pack()

    def finish(self) -> set[int]:
        """Take no more, and return the months."""
        self._pack()
        self._spill()
        while len(runs := [run for level in self._runs for run in level]) > FAN:
            self._runs = [[self._merge(runs[i : i + FAN]) for i in range(0, len(runs), FAN)]]
        return {m for run in runs for m in run.months}

    def sources(self, of: int) -> list[Iterator[pa.RecordBatch]]:
        """Return the sorted streams of one month."""
        return [run.batches(of) for level in self._runs for run in level if of in run.months]

    def merged(self, of: int) -> Iterator[pa.Table]:
        """Return the rows of one month in order."""
        return _merged(self.sources(of), self._keys)

    def _pack(self) -> None:
        if self._loose:
            self._batches.append(pa.RecordBatch.from_pylist(self._loose, schema=self._schema))
            self._loose, self._loose_bytes = [], 0
        if sum(batch.nbytes for batch in self._batches) > RUN_BYTES:
            self._spill()

    def _spill(self) -> None:
        if not self._batches:
            return
        table = _in_order(pa.Table.from_batches(self._batches), self._keys)
        self._batches = []
        self._put(0, self._write(iter([table])))

    def _put(self, level: int, run: _Run) -> None:
        """Add a run; as many as can be merged at a time become one of the next level."""
        while len(self._runs) <= level:
            self._runs.append([])
        self._runs[level].append(run)
        if len(self._runs[level]) == FAN:
            runs, self._runs[level] = self._runs[level], []
            self._put(level + 1, self._merge(runs))

    def _merge(self, runs: list[_Run]) -> _Run:
        months = sorted({m for run in runs for m in run.months})
        merged = (table for m in months for table in _merged([r.batches(m) for r in runs if m in r.months], self._keys))
        made = self._write(merged)
        for run in runs:
            run.path.unlink()
        return made

    def _write(self, tables: Iterator[pa.Table]) -> _Run:
        self._made += 1
        run = _Run(self._folder / f"{self._made}.arrow")
        with translated(run.path), pa.OSFile(str(run.path), "wb") as file, pa.ipc.new_file(file, self._schema) as out:
            count = itertools.count()
            for table in tables:
                for of, part in _by_month(table):
                    for batch in _blocks(part):
                        out.write_batch(batch)
                        run.months[of].append(next(count))
        return run


@dataclass(slots=True)
class _Run:
    """One sorted file, and which of its batches are of which month."""

    path: Path
    months: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def batches(self, of: int) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(self.path), "rb") as file, pa.ipc.open_file(file) as run:
            for number in self.months[of]:
                yield run.get_batch(number)


def _in_order(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    return table.take(pc.sort_indices(table, sort_keys=[(key, "ascending") for key in keys]))


def _by_month(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Cut a table that is sorted by month."""
    begin = 0
    for of, count in Counter(table["_month"].to_pylist()).items():
        assert of is not None
        yield of, table.slice(begin, count)
        begin += count


def _blocks(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """Cut a table into batches of bounded size."""
    rows = max(1, table.num_rows * BLOCK_BYTES // max(1, table.nbytes))
    for begin in range(0, table.num_rows, rows):
        yield from table.slice(begin, rows).combine_chunks().to_batches()


class _Cursor:
    """Where a merge is in one sorted stream."""

    def __init__(self, source: Iterator[pa.RecordBatch], keys: Sequence[str]) -> None:
        self._source, self._keys = source, keys
        self.alive = True
        self.next()

    def next(self) -> None:
        """Go to the next batch that has rows."""
        batch = next((batch for batch in self._source if batch.num_rows), None)
        self.alive = batch is not None
        if batch is not None:
            self._batch, self._at = batch, 0
            self._columns = [batch.column(key) for key in self._keys]
            self.last = self._key(batch.num_rows - 1)

    def _key(self, at: int) -> tuple[Any, ...]:
        return tuple(LAST if (value := column[at].as_py()) is None else value for column in self._columns)

    def take(self, limit: tuple[Any, ...]) -> pa.RecordBatch | None:
        """Return the rows of this batch up to the limit."""
        begin, end = self._at, self._batch.num_rows
        if self.last > limit:
            end = bisect_right(range(end), limit, lo=begin, key=self._key)
        self._at = end
        part = self._batch.slice(begin, end - begin)
        if end == self._batch.num_rows:
            self.next()
        return part if part.num_rows else None


def _merged(sources: Iterable[Iterator[pa.RecordBatch]], keys: Sequence[str]) -> Iterator[pa.Table]:
    """Join sorted streams into one: each time all rows up to the earliest end of a batch in memory."""
    cursors = [cursor for source in sources if (cursor := _Cursor(source, keys)).alive]
    while cursors:
        limit = min(cursor.last for cursor in cursors)
        parts = [part for cursor in cursors if (part := cursor.take(limit)) is not None]
        table = pa.Table.from_batches(parts)
        yield _in_order(table, keys) if len(parts) > 1 else table
        cursors = [cursor for cursor in cursors if cursor.alive]


# What changes


@dataclass(frozen=True, slots=True)
class _Old:
    """The row that a thread has in the `threads` table."""

    month: int
    manifest: int
    "What the row's file contains."
    messages: int
    first_seen_at: datetime


class _Work:
    """One publishing: collect the new pages, join them with what is known of their threads, write the files."""

    def __init__(self, reader: Reader, since: int, root: Path, folder: Path, *, note: bool) -> None:
        self._reader, self._since, self._root, self._folder, self._note = reader, since, root, folder, note
        self._newest = reader.manifest()
        self._notes = reader.table_files() if note else {}
        self._sorters = {t: self._sorter(t, _hidden(t), SORT[t]) for t in SCHEMAS}
        self._events = self._sorter("events", _EVENT, ("source", "endpoint", "thread", "order"))
        self._folded: dict[str, set[Whose]] = defaultdict(set)
        "Threads whose new pages are not to be appended, by table."
        self._drops: dict[tuple[str, int], set[Whose]] = defaultdict(set)
        "Threads whose rows in a file are replaced, by table and month."
        self._old: dict[Whose, _Old] = {}
        self._where: dict[Whose, set[int]] = defaultdict(set)
        "All months that hold a row of the thread: two, if an earlier try ended while it moved."
        self._touched: set[str] = set()
        self._torn = any(_manifest_of(path) > since for t in SCHEMAS for path in self._files(t))
        "Whether an earlier try ended between two files."

    def _sorter(self, name: str, schema: pa.Schema, keys: Sequence[str]) -> _Sorter:
        return _Sorter(schema, keys, make_folder(self._folder / name))

    def _files(self, table: str) -> list[Path]:
        return [path for path in sorted((self._root / table).glob("*.parquet")) if path.stem != EMPTY]

    # 1. the new pages

    def collect(self) -> None:
        """Take the new pages: rows that can be appended, and what happened to which thread."""
        remember = bool(self._files("threads"))
        for order, (number, mark, records) in enumerate(self._reader.pages(self._since)):
            if number > self._newest:
                break
            if remember:
                self._touched.add(plain(mark.thread.id))
            self._page(order, number, mark, records)

    def _page(self, order: int, number: int, mark: Mark, records: list[Record]) -> None:
        if mark.kind in ("message", "run", "step"):
            self._event(order, number, mark, records[0] if records else None)
            table, whose = SHAPES[mark.kind].table, _whose(mark.thread)
            if not mark.fresh:
                self._folded[table].add(whose)
            elif whose not in self._folded[table]:
                self._append(number, table, records)
            return
        for record in records:
            self._event(order, number, mark, record)

    def _append(self, number: int, table: str, records: list[Record]) -> None:
        owner = self._reader.owner(records[0].thread) if records else None
        for record in records:
            if owner is not None and (values := row(record, owner)) is not None:
                self._put(table, values, 2 * len(record.body), number)

    def _put(self, table: str, values: dict[str, Any], size: int, number: int = 0) -> None:
        """Take a row; number 0 is a row that is put in whatever the file contains."""
        self._sorters[table].add(values | {"_month": month(values["ts"]), "_number": number}, size)

    def _event(self, order: int, number: int, mark: Mark, record: Record | None) -> None:
        ours = mark.kind in ("thread", "visit") and record is not None
        values = {
            "source": _key(mark.thread.source),
            "endpoint": _key(mark.thread.endpoint),
            "thread": _key(mark.thread.id),
            "order": order,
            "number": number,
            "kind": mark.kind,
            "count": mark.count,
            "observed_at": mark.fetched_at if record is None else record.observed_at,
            "body": record.body if ours and record is not None else None,
            "_month": 0,
        }
        self._events.add(values, len(record.body) if ours and record is not None else 0)

    # 2. each thread with what is known

    def join(self) -> None:
        """Fold what has to be folded, and make the rows of threads and gaps."""
        self._find_old()
        self._events.finish()
        lines = (e for table in self._events.merged(0) for e in table.to_pylist())
        for _, events in itertools.groupby(lines, key=lambda e: (e["source"], e["endpoint"], e["thread"])):
            self._thread(list(events))

    def _find_old(self) -> None:
        """Find the rows of the touched threads: where they are, and what they count."""
        wanted = pa.array(sorted(self._touched), pa.string())
        columns = ["source", "endpoint", "thread_id", "messages", "first_seen_at"]
        for path in self._files("threads"):
            manifest = _manifest_of(path)
            with _reading(path), pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=columns, batch_size=16_384):
                    for values in batch.filter(pc.is_in(batch.column("thread_id"), wanted)).to_pylist():
                        whose = (values["source"], values["endpoint"], values["thread_id"])
                        old = _Old(_month_of(path), manifest, values["messages"], values["first_seen_at"])
                        self._where[whose].add(old.month)
                        if whose not in self._old or self._old[whose].manifest < manifest:
                            self._old[whose] = old

    def _thread(self, events: list[dict[str, Any]]) -> None:
        first = events[0]
        thread = ThreadRef(_text(first["source"]), _text(first["endpoint"]), _text(first["thread"]))
        whose, kinds = _whose(thread), {e["kind"] for e in events}
        old = self._old.get(whose)
        renewed = "registration" in kinds and (old is not None or self._torn)
        if kinds == {"registration"} and not renewed:
            return
        owner = self._reader.owner(thread)
        counts = {}
        for kind in ("message", "run", "step"):
            table = SHAPES[kind].table
            if renewed or whose in self._folded[table]:
                self._folded[table].add(whose)
                counts[kind] = self._fold(thread, kind, owner, everything=renewed)
        if "message" not in counts:
            known = (old.messages, old.manifest) if old else (0, 0)
            new = (e["count"] for e in events if e["kind"] == "message" and e["number"] > known[1])
            counts["message"] = known[0] + sum(new)
        if old is not None or kinds != {"registration"}:
            self._thread_row(thread, owner, events, counts["message"], renewed=renewed)

    def _fold(self, thread: ThreadRef, kind: str, owner: Registration, *, everything: bool) -> int:
        """Make the rows of one thread and kind again, in the months that changed; return how many objects it has."""
        fold = Fold(self._since)
        kept: list[Record] | None = []
        size = 0
        for number, record in self._history(thread, kind):
            fold.see(number, record)
            size += len(record.body) + 500
            if kept is not None:
                kept.append(record)
            if size > KEEP_BYTES:
                kept = None
        months = fold.months if everything else fold.changed
        records = (r for _, r in self._history(thread, kind)) if kept is None else iter(kept)
        self._emit(fold.rows(records, owner, months), thread, kind, months)
        return len(fold)

    def _emit(self, rows: Iterator[tuple[str, Any, int]], thread: ThreadRef, kind: str, months: set[int]) -> None:
        whose = _whose(thread)
        for of in months:
            self._drops[SHAPES[kind].table, of].add(whose)
            self._drops["revisions", of].add((*whose, kind))
        for table, values, size in rows:
            self._put(table, values, size)

    def _history(self, thread: ThreadRef, kind: str) -> Iterator[tuple[int, Record]]:
        for number, _, records in self._reader.thread_pages(thread, kind):
            if number <= self._newest:
                yield from ((number, record) for record in records)

    def _told(self, thread: ThreadRef, kind: Kind, events: list[dict[str, Any]]) -> list[tuple[int, Record]]:
        """Return a thread's records of a kind: those of the events, if the thread has no row yet."""
        if _whose(thread) in self._old:
            return list(self._history(thread, kind))
        mine = (e for e in events if e["kind"] == kind and e["body"] is not None)
        return [(e["number"], Record(thread, kind, thread.id, 0, e["observed_at"], e["body"])) for e in mine]

    def _thread_row(
        self, thread: ThreadRef, owner: Registration, events: list[dict[str, Any]], messages: int, *, renewed: bool
    ) -> None:
        objects = [(n, replace(r, id=thread.id, seq=0)) for n, r in self._told(thread, "thread", events)]
        visits = self._told(thread, "visit", events)
        old = self._old.get(_whose(thread))
        seen = old.first_seen_at if old else next(e["observed_at"] for e in events if e["kind"] != "registration")
        fold = Fold(self._since)
        for number, record in objects:
            fold.see(number, record)
        made = list(fold.rows((r for _, r in objects), owner, fold.months))
        blank = row(Record(thread, "thread", thread.id, 0, seen, b"{}"), owner)
        values = next((values for table, values, _ in made if table == "threads"), blank)
        assert values is not None
        if values["ts_source"] == "first_seen_at":
            values["ts"] = seen
        values |= {"first_seen_at": seen, "messages": messages} | _visited(visits, values["observed_at"])
        values["tags_json"] = None if owner.tags is None else json.dumps([plain(t) for t in owner.tags])
        self._put("threads", values, 1000 + len(str(values.get("extra_json"))))
        where = self._where.get(_whose(thread), set())
        for of in where:
            self._drops["threads", of].add(_whose(thread))
        months = fold.months | {month(values["ts"])} | where
        states = ((table, values, size) for table, values, size in made if table == "revisions")
        if renewed or fold.changed:
            self._emit(states, thread, "thread", months)
        self._gaps(thread, owner, visits, everything=renewed)

    def _gaps(
        self, thread: ThreadRef, owner: Registration, visits: list[tuple[int, Record]], *, everything: bool
    ) -> None:
        gaps, changed = _gaps(visits, self._since)
        months = {month(gap["ts"]) for key, gap in gaps.items() if everything or key in changed}
        base = dict(zip(("source", "endpoint", "thread_id"), _whose(thread), strict=True)) | {
            "profile": plain(owner.profile)
        }
        for of in months:
            self._drops["gaps", of].add(_whose(thread))
        for gap in gaps.values():
            if month(gap["ts"]) in months:
                self._put("gaps", base | gap, 500)

    # 3. the files

    def write(self) -> Published:
        """Write every file that changed; what a file contains already is not put in again."""
        rows = files = 0
        for table, sorter in self._sorters.items():
            make_folder(self._root / table)
            if not (self._root / table / f"{EMPTY}.parquet").exists():
                self._place(table, EMPTY, iter(()))
                files += 1
            for of in sorted(sorter.finish() | {of for t, of in self._drops if t == table}):
                put = self._file(table, of)
                rows += put or 0
                files += put is not None
        return Published(rows, files)

    def _file(self, table: str, of: int) -> int | None:
        """Bring one file up to date; return how many rows were put in, None where nothing changed."""
        name = _month_name(of)
        path = self._root / table / f"{name}.parquet"
        contains = self._checked(path, f"{table}/{path.name}")
        if contains >= self._newest:
            return None
        flow = _Flow(contains, self._folded[table], self._drops.get((table, of), set()), table)
        sources = [flow.new(source) for source in self._sorters[table].sources(of)]
        with _reading(path):
            if path.exists():
                with pq.ParquetFile(path, page_checksum_verification=True) as file:
                    made = self._written(table, name, _merged([*sources, flow.kept(file)], SORT[table]))
            else:
                made = self._written(table, name, _merged(sources, SORT[table]))
        if not flow.put and not flow.dropped:
            return None
        self._settle(table, name, made)
        return flow.put

    def _checked(self, path: Path, name: str) -> int:
        """Return the manifest that a file contains, 0 where there is none; stop where it is not what was published."""
        known = self._notes.get(name)
        if not path.exists():
            if known is not None:
                raise Damaged(f"{path}: the file was published and is gone; run `exporter rebuild`")
            return 0
        contains = _manifest_of(path)
        # newer than the note: the crash came between the replacement and the note
        if known is not None and contains <= known.manifest and _sha256(path) != known.sha256:
            raise Damaged(f"{path}: the file is not the one that was published; run `exporter rebuild`")
        return contains

    def _place(self, table: str, name: str, tables: Iterator[pa.Table]) -> None:
        self._settle(table, name, self._written(table, name, tables))

    def _written(self, table: str, name: str, tables: Iterator[pa.Table]) -> tuple[Path, int]:
        """Write a file beside, durably; return it with its number of rows."""
        beside = self._folder / f"{table}-{name}.parquet"
        meta = {"exporter.schema": VERSIONS[table], "exporter.manifest": str(self._newest)}
        schema = SCHEMAS[table].with_metadata(meta)
        with translated(beside), os.fdopen(os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with _writer(file, schema) as out:
                rows = sum(_write_group(out, group) for group in _groups(tables, SCHEMAS[table]))
            file.flush()
            os.fsync(file.fileno())
        return beside, rows

    def _settle(self, table: str, name: str, made: tuple[Path, int]) -> None:
        """Check a written file by reading it, and put it in its place."""
        beside, rows = made
        path = self._root / table / f"{name}.parquet"
        noted = f"{table}/{path.name}"
        if not rows and name != EMPTY:
            self._noted(noted, None, TableFile("", 0, self._newest))
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
            return
        sha = _proven(beside, table, rows)
        self._noted(noted, sha, None)
        with translated(path):
            os.replace(beside, path)  # noqa: PTH105 - one name for the one step that counts
            sync_folder(path.parent)
        self._noted(noted, None, TableFile(sha, rows, self._newest))

    def _noted(self, name: str, pending: str | None, final: TableFile | None) -> None:
        if self._note:
            self._reader.note_table_file(name, pending, final)


def _visited(visits: list[tuple[int, Record]], observed_at: datetime) -> dict[str, Any]:
    """Return what the visits say of a thread's state."""
    state, gone_since = None, None
    for _, visit in visits:
        state = _said(visit).get("state")
        observed_at = max(observed_at, visit.observed_at)
        gone_since = (gone_since or visit.observed_at) if state == "gone" else None
    reason = "gone" if gone_since else None
    return {"state": state, "observed_at": observed_at, "deleted_at": gone_since, "deleted_reason": reason}


def _gaps(visits: list[tuple[int, Record]], since: int) -> tuple[dict[tuple[str, str], dict[str, Any]], set[Any]]:
    """Return the gaps by list and reason, open and closed, and which of them changed after manifest `since`."""
    gaps: dict[tuple[str, str], dict[str, Any]] = {}
    changed = set()
    for number, visit in visits:
        named = {(str(gap.get("list")), str(gap.get("code"))): gap for gap in _said(visit).get("gaps") or ()}
        closed = {key for key, gap in gaps.items() if key not in named and gap["closed_at"] is None}
        changed |= closed | named.keys() if number > since else set()
        for key in closed:
            gaps[key]["closed_at"] = visit.observed_at
        for key, gap in named.items():
            values: dict[str, Any] = {"list": plain(key[0]), "code": plain(key[1])}
            values |= {k: plain(str(gap[k])) for k in ("after", "detail") if gap.get(k) is not None}
            first = gaps[key]["ts"] if key in gaps else visit.observed_at
            gaps[key] = values | {"observed_at": visit.observed_at, "ts": first, "closed_at": None}
    return gaps, changed


def _said(visit: Record) -> dict[str, Any]:
    said = loads(visit.body)
    return said if isinstance(said, dict) else {}


class _Flow:
    """What of the old file and of the new rows goes into a file, and how much that was."""

    def __init__(self, contains: int, folded: set[Whose], drops: set[Whose], table: str) -> None:
        self.put = self.dropped = 0
        self._contains, self._folded, self._drops = contains, folded, drops
        self._columns = ["source", "endpoint", "thread_id"] + (["kind"] if table == "revisions" else [])
        self._folded_ids = _ids(folded)
        self._drop_ids = _ids(drops)

    def new(self, source: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows that are not in the file yet."""
        for batch in source:
            number = batch.column("_number")
            again = pc.equal(number, pa.scalar(0))
            late = pc.or_(again, pc.greater(number, pa.scalar(self._contains)))
            stale = pc.and_not(self._among(batch, self._folded_ids, self._folded, 3), again)
            kept = batch.filter(pc.and_not(late, stale)).drop_columns(["_month", "_number"])
            self.put += kept.num_rows
            yield kept

    def kept(self, file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
        """Yield the old rows that stay."""
        for batch in _batches(file):
            stays = batch
            if self._drops:
                gone = self._among(batch, self._drop_ids, self._drops, len(self._columns))
                stays = batch.filter(pc.invert(gone))
            self.dropped += batch.num_rows - stays.num_rows
            yield stays

    def _among(self, batch: pa.RecordBatch, ids: pa.Array[Any], whose: set[Whose], width: int) -> pa.Array[Any]:
        """Return which rows are of these threads: by id at once, then exactly."""
        mask = pc.is_in(batch.column("thread_id"), ids)
        if not pc.any(mask).as_py():
            return mask
        columns = [batch.column(name).to_pylist() for name in self._columns[:width]]
        return pa.array([key in whose for key in zip(*columns, strict=True)], pa.bool_())


# Parquet


def _writer(file: Any, schema: pa.Schema) -> pq.ParquetWriter:
    dictionary = [f.name for f in schema if f.type == pa.string() and f.name not in _PLAIN_COLUMNS]
    return pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=dictionary,  # type: ignore[arg-type]  # the stubs know only bool
        write_page_checksum=True,
        store_schema=True,
    )


def _groups(tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Gather tables into row groups of bounded size."""
    held: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        held.append(table.cast(schema) if table.schema != schema else table)
        rows, size = rows + table.num_rows, size + table.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield pa.concat_tables(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.concat_tables(held)


def _write_group(out: pq.ParquetWriter, group: pa.Table) -> int:
    out.write_table(group, row_group_size=GROUP_ROWS + group.num_rows)
    return group.num_rows


def _batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """Read a file in blocks of bounded size."""
    about = file.metadata
    size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    rows = max(1, min(GROUP_ROWS, about.num_rows * BLOCK_BYTES // max(1, size)))
    yield from file.iter_batches(batch_size=rows, use_threads=False)


def _proven(path: Path, table: str, rows: int) -> str:
    """Read a written file back, with its checksums, and return its hash."""
    with _reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        found = sum(batch.num_rows for batch in _batches(file))
        if found != rows or file.schema_arrow.remove_metadata() != SCHEMAS[table]:
            raise Damaged(f"{path}: {rows} rows were written and {found} came back; check the disk and run again")
    return _sha256(path)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn a Parquet file that cannot be read into one of our errors."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        raise Damaged(f"{path}: {error}; run `exporter rebuild`") from error


def _manifest_of(path: Path) -> int:
    """Return the newest manifest that a file contains."""
    with _reading(path), pq.ParquetFile(path) as file:
        return int((file.metadata.metadata or {}).get(b"exporter.manifest", b"0"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Names


def _hidden(table: str) -> pa.Schema:
    return pa.schema([*SCHEMAS[table], *_HIDDEN])


def _whose(thread: ThreadRef) -> Whose:
    return thread.source, plain(thread.endpoint), plain(thread.id)


def _ids(threads: set[Whose]) -> pa.Array[Any]:
    return pa.array(sorted({whose[2] for whose in threads}), pa.string())


def _key(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")


def _month_name(of: int) -> str:
    return f"{of // 12:04}-{of % 12 + 1:02}"


def _month_of(path: Path) -> int:
    return int(path.stem[:4]) * 12 + int(path.stem[5:]) - 1
