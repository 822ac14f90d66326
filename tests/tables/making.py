"""An archive in a list, pages to put into it, and what was published of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from exporter.archive import MarkLine, TableFile, mark_line_of, record_line
from exporter.files import sync_folder
from exporter.model import Kind, Mark, Position, Record, Registration, ThreadRef
from exporter.schemas import SORT
from exporter.tables import _files, _parquet, compare, publish

T0 = datetime(2026, 9, 1, tzinfo=UTC)
Page = tuple[int, Mark, list[Record]]


class Crash(Exception):
    """The machine stops here."""


class FakeReader:
    """An archive in a list: each page stands in the segment of a manifest."""

    def __init__(self, path: Path, all_pages: list[Page]) -> None:
        self.path = path
        self.all = all_pages
        self.newest = max((number for number, _, _ in all_pages), default=0)
        self.notes: dict[str, TableFile] = {}
        self.before_note: Callable[[], None] = lambda: None
        self._tmp = 0

    def pages(self, since: int) -> Iterator[Page]:
        return (page for page in self.all if since < page[0] <= self.newest)

    def lines(self, since: int) -> Iterator[tuple[int, MarkLine, list[bytes]]]:
        for number, mark, records in self.pages(since):
            yield number, mark_line_of(mark), list(map(record_line, records))

    def thread_pages(self, thread: ThreadRef, kind: str) -> Iterator[Page]:
        return (page for page in self.pages(0) if page[1].thread == thread and page[1].kind == kind)

    def owners(self, threads: Iterable[ThreadRef]) -> dict[ThreadRef, Registration]:
        return {ref: self.owner(ref) for ref in threads}

    def owner(self, thread: ThreadRef) -> Registration:
        said: dict[str, Any] = {}
        for _, _, records in self.thread_pages(thread, "registration"):
            for record in records:
                said |= {k: v for k, v in json.loads(record.body).items() if v is not None}
        return Registration(thread, **said)

    def manifest(self) -> int:
        return self.newest

    def erasures(self, since: int, until: int) -> None:
        """Nothing is erased here."""

    def tmp(self) -> Path:
        self._tmp += 1
        path = self.path / ".exporter" / "tmp" / f"{os.getpid()}-{self._tmp}"
        path.mkdir(parents=True)
        return path

    def table_files(self) -> dict[str, TableFile]:
        return {name: noted for name, noted in self.notes.items() if noted.sha256}

    def note_table_file(self, name: str, pending: str | None, final: TableFile | None) -> None:
        assert pending is None or len(pending) == 64
        self.before_note()
        if final is not None:
            self.notes[name] = final


def thread(name: str = "t1", source: str = "assistants") -> ThreadRef:
    return ThreadRef(source, "https://api.example/v1", name)


def page(
    number: int,
    ref: ThreadRef,
    kind: Kind,
    items: list[tuple[str | None, Any]],
    *,
    seq: int = 0,
    fresh: bool = True,
    at: int = 0,
    parent: str | None = None,
) -> Page:
    when = T0 + timedelta(hours=at)
    records = [
        Record(ref, kind, key, seq + i, when, body if isinstance(body, bytes) else dumps(body), "run", parent)
        for i, (key, body) in enumerate(items)
    ]
    mark = Mark(
        ref, kind, kind + "s", seq, len(records), Position(None, seq + len(items), more=False), fresh, when, "r"
    )
    return number, mark, records


def dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def message(key: str, text: str = "hi", created_at: Any = 1_760_000_000, **more: Any) -> tuple[str, dict[str, Any]]:
    body = {"id": key, "object": "thread.message", "created_at": created_at, "role": "user", "content": text}
    return key, body | more


def visit(number: int, ref: ThreadRef, state: str, at: int, gaps: list[Any] | None = None) -> Page:
    said = {"state": state, "code": None, "error": None, "records": 0, "gaps": gaps or []}
    return page(number, ref, "visit", [(None, said)], at=at)


def rows_of(path: Path, table: str) -> list[dict[str, Any]]:
    found = [row for file in sorted((path / table).glob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    return sorted(found, key=lambda row: [str(row[key]) if key != "seq" else row[key] for key in SORT[table]])


def rebuilt(reader: FakeReader, into: Path) -> list[str]:
    publish(reader, 0, into)
    return list(compare(reader.path, into))


def crashes(reader: FakeReader, since: int, steps: int) -> bool:
    """Publish with a crash after a few steps; tell whether it was in time."""
    with pytest.MonkeyPatch.context() as patch:
        crash_after(reader, patch, steps)
        try:
            publish(reader, since)
        except Crash:
            return True
        finally:
            reader.before_note = lambda: None
    return False


def crash_after(reader: FakeReader, patch: pytest.MonkeyPatch, steps: int) -> None:
    """Let a few writes, replacements and notes happen, and then none."""
    left = [steps]

    def step() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Crash

    def stepping(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            step()
            return function(*args, **kwargs)

        return wrapped

    reader.before_note = step
    patch.setattr(os, "replace", stepping(os.replace))
    patch.setattr(_files, "sync_folder", stepping(sync_folder))
    patch.setattr(_parquet, "_write_group", stepping(_parquet._write_group))
