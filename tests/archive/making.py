"""Pages to put in, and what came out, in the shortest words."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from exporter.archive import Archive
from exporter.model import Item, Page, ThreadRef

FORM = {"encrypted": False}
"Of the archives that are made; the fixture `form` says it."
AT = datetime(2026, 11, 21, 5, tzinfo=UTC)
THREAD = ThreadRef("assistants", "https://api.example/v1", "thread_1")


def page(first: int, count: int = 1, thread: ThreadRef = THREAD, size: int = 0) -> Page:
    """A page of messages numbered from `first`."""
    items = tuple(
        Item(f"msg_{i}", b'{"id":"msg_%d","pad":"%s"}' % (i, b"x" * size)) for i in range(first, first + count)
    )
    return Page(thread, "message", items, f"msg_{first + count - 1}", True, AT, "messages", first)


def made(path: Path) -> Path:
    """An empty archive."""
    Archive.create(path, encrypted=FORM["encrypted"])
    return path


def filled(path: Path, *sealed: Sequence[Page]) -> Path:
    """An archive with a segment for each group of pages."""
    with Archive.write(made(path)) as archive:
        for pages in sealed:
            archive.append(pages)
            archive.seal()
    return path


def recover(path: Path) -> None:
    """Open for writing, as the next run does."""
    Archive.write(path).close()


def numbers(path: Path, thread: ThreadRef = THREAD) -> list[int]:
    """The messages of a thread that are committed, in the order they were archived."""
    with Archive.open(path) as archive:
        by_thread = [(record.id, record.seq) for record in archive.records(thread)]
        straight = [(record.id, record.seq) for record in archive.records() if record.thread == thread]
    assert by_thread == straight
    assert [f"msg_{seq}" for _, seq in straight] == [name for name, _ in straight]
    return [seq for _, seq in straight]


def position(path: Path, thread: ThreadRef = THREAD) -> int:
    """Where the catalog says that a thread's messages go on."""
    with Archive.open(path) as archive:
        return archive.catalog.positions(thread)["messages"].seq


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder that is gone afterwards, in memory if the system has such a place: an archive is opened often here."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shared, prefix="exporter-") as folder:
        yield Path(folder)
