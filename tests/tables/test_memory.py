"""Publishing holds as much for many threads as for few: what it keeps of each of them lies on disk."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from exporter.model import Registration, ThreadRef
from exporter.tables import _events, _parquet, _reader, _repeats, _seeking, _sorting, publish
from tests.tables.making import FakeReader, Page, message, page, thread, visit

FEW, MANY, NIGHTS = 500, 2500, 4
EACH = 1
"Objects of Python's, or words of Arrow's, that may be held more for each thread more: a row is a dozen."
SMALL = (
    *((_sorting, "PACK_BYTES", 10_000), (_sorting, "RUN_BYTES", 30_000), (_sorting, "BLOCK_BYTES", 20_000)),
    *((_sorting, "FAN", 3), (_parquet, "GROUP_BYTES", 60_000), (_parquet, "READ_BYTES", 20_000)),
    *((_parquet, "BATCH_ROWS", 100), (_seeking, "HELD_ROWS", 100), (_events, "HELD_BYTES", 20_000)),
    *((_events, "TOUCHED", 50), (_repeats, "LIMIT", 100), (_reader, "AHEAD", 50)),
)
"What is held at most, so small that few threads fill it."
WORD = 100


class Threads(FakeReader):
    """An archive of any number of threads, of which nothing is held."""

    def __init__(self, path: Path, count: int) -> None:
        super().__init__(path, [])
        self._count = count
        self.most = 0
        self.before_note = self.look

    def look(self) -> None:
        """See how much is held now."""
        gc.collect()  # Python keeps tuples for the next time
        arrow = pa.system_memory_pool().bytes_allocated() // WORD
        self.most = max(self.most, sys.getallocatedblocks() + arrow)

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


def night(number: int, ref: ThreadRef) -> Iterator[Page]:
    """What a night brings of each thread: all of it, then a little, then another owner, then what was there before."""
    if number == 1:
        yield page(1, ref, "thread", [(ref.id, {"id": ref.id, "created_at": 1_760_000_000})])
    if number == 3:
        yield page(3, ref, "registration", [(None, {"profile": "p", "user": "u"})])
    else:
        seq = min(number, 2)
        came = message(f"m{seq}", f"night {number}")
        yield page(number, ref, "message", [came], seq=seq, fresh=number == 1, at=number)
    gap = {"list": "runs", "after": None, "code": "lie", "detail": "d"}
    yield visit(number, ref, "partial" if number % 2 else "complete", number, [gap] if number % 2 else [])


def test_what_is_held_does_not_grow_with_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in SMALL:
        monkeypatch.setattr(module, name, value)
    held(tmp_path / "once", 10)
    few, many = (held(tmp_path / str(count), count) for count in (FEW, MANY))

    grown = [more - less for less, more in zip(few, many, strict=True)]
    assert max(grown) < EACH * (MANY - FEW), grown


def held(path: Path, count: int) -> list[int]:
    """Return how much more is held than before, at most, while each night is published."""
    reader, found = Threads(path, count), []
    for reader.newest in range(1, NIGHTS + 1):
        gc.collect()
        before, reader.most = sys.getallocatedblocks(), 0
        publish(reader, reader.newest - 1)
        found.append(reader.most - before)
    return found
