"""Publishing holds as much for many threads as for few: what it keeps of each of them lies on disk."""

from __future__ import annotations

import ctypes
import gc
import tracemalloc
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pytest

from exporter.model import Registration, ThreadRef
from exporter.tables import _events, _parquet, _reader, _repeats, _seeking, _sorting, publish
from tests.tables.making import FakeReader, Page, message, page, thread, visit

FEW, MANY, NIGHTS = 250, 1250, 4
PYTHON, ARROW = 80, 200
"""Bytes that may be held more for each thread more. In buffers that are fuller by chance, and always the same chance,
37 and 100 are; if the names of the threads were held, 210 would be Python's."""
SMALL = (
    *((_sorting, "PACK_BYTES", 5000), (_sorting, "RUN_BYTES", 20_000), (_sorting, "BLOCK_BYTES", 8000)),
    *((_sorting, "FAN", 4), (_parquet, "GROUP_BYTES", 30_000), (_parquet, "READ_BYTES", 8000)),
    *((_parquet, "BATCH_ROWS", 50), (_seeking, "HELD_ROWS", 50), (_events, "HELD_BYTES", 10_000)),
    *((_events, "TOUCHED", 20), (_repeats, "LIMIT", 50), (_reader, "AHEAD", 25)),
)
"What is held at most, so small that few threads fill it."


class Threads(FakeReader):
    """An archive of any number of threads, of which nothing is held."""

    def __init__(self, path: Path, count: int) -> None:
        super().__init__(path, [])
        self._count = count
        self.python = self.arrow = 0
        self.before_note = self.look

    def look(self) -> None:
        """See how much Python and Arrow hold now."""
        gc.collect()  # Python keeps tuples for the next time
        self.python = max(self.python, tracemalloc.get_traced_memory()[0])
        self.arrow = max(self.arrow, pa.system_memory_pool().bytes_allocated())

    def pages(self, since: int) -> Iterator[Page]:
        for number in range(since + 1, self.newest + 1):
            for at in range(self._count):
                yield from night(number, thread(f"thread_{at * 7919 % self._count:08}"))

    def thread_pages(self, thread: ThreadRef, kind: str) -> Iterator[Page]:
        pages = (page for number in range(1, self.newest + 1) for page in night(number, thread))
        return (page for page in pages if page[1].kind == kind)

    def owners(self, threads: Iterable[ThreadRef]) -> dict[ThreadRef, Registration]:
        self.look()
        return {ref: Registration(ref, user=ref.id) for ref in threads}


@lru_cache(NIGHTS)
def night(number: int, ref: ThreadRef) -> list[Page]:
    """What a night brings of each thread: all of it, then a little, then another owner, then what was there before."""
    pages: list[Page] = []
    if number == 1:
        pages.append(page(1, ref, "thread", [(ref.id, {"id": ref.id, "created_at": 1_760_000_000})]))
    if number == 3:
        pages.append(page(3, ref, "registration", [(None, {"profile": "p", "user": "u"})]))
    else:
        seq = min(number, 2)
        came = message(f"m{seq}", f"night {number}")
        pages.append(page(number, ref, "message", [came], seq=seq, fresh=number == 1, at=number))
    gap = {"list": "runs", "after": None, "code": "lie", "detail": "d"}
    state, gaps = ("partial", [gap]) if number % 2 else ("complete", [])
    return [*pages, visit(number, ref, state, number, gaps)]


@pytest.mark.timeout(600)
def test_what_is_held_does_not_grow_with_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in SMALL:
        monkeypatch.setattr(module, name, value)
    tracemalloc.start()
    try:
        held(tmp_path / "once", 10)  # what is made once: of modules, and of caches
        few, many = (held(tmp_path / str(count), count) for count in (FEW, MANY))
    finally:
        tracemalloc.stop()

    grown = [(more - less) / (MANY - FEW) for less, more in zip(few, many, strict=True)]
    assert max(grown[::2]) < PYTHON, grown
    assert max(grown[1::2]) < ARROW, grown


def held(path: Path, count: int) -> list[int]:
    """Return the bytes that Python and that Arrow hold more than before, at most, while each night is published."""
    reader, found = Threads(path, count), []
    for reader.newest in range(1, NIGHTS + 1):
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        reader.python = reader.arrow = 0
        publish(reader, reader.newest - 1)
        found += [reader.python - before, reader.arrow]
    return found


def test_tables_are_made_where_the_c_library_has_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    reader = FakeReader(tmp_path, [page(1, thread(), "message", [message("m1")])])

    assert publish(reader, 0).rows == 2
