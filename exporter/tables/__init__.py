"""Publish sealed records into the tables: one row per object, one file per month, replaced in place.

The idea: new objects of a thread that the tables lack are appended; where something old came again, the whole thread
is folded, and its rows take the place of those in the months that changed. Both ways give the same rows, so that any
history of publishing equals one rebuild. Read on in the order of `publish`: `_events`, `_repeats`, `_threads`,
`_changes`, `_files`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.archive import Archive
from exporter.files import translated
from exporter.tables._changes import Changes
from exporter.tables._comparing import compare
from exporter.tables._erased import drop_erased
from exporter.tables._events import Events, size_of
from exporter.tables._files import EMPTY, Files, outdated
from exporter.tables._known import Known
from exporter.tables._memory import plain_memory, seldom_collected
from exporter.tables._reader import Reader, View, ahead
from exporter.tables._repeats import Repeats
from exporter.tables._threads import Threads

__all__ = ["EMPTY", "Published", "Reader", "compare", "outdated", "publish"]


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing changed."""

    rows: int
    "Rows put in, new or again."
    files: int
    "Files made, replaced or removed."


def publish(reader: Reader, since: int, into: Path | None = None, *, afresh: bool = False) -> Published:
    """Bring the tables, which hold manifest `since`, to the newest; with `into` make them in another folder.

    An encrypted archive has none: their rows would lie in clear. Tables are made from nothing where it is asked, and
    where a file of theirs has the columns of another version.
    """
    if isinstance(reader, Archive) and reader.encrypted:
        return Published(0, 0)
    with translated(reader.path), plain_memory(), seldom_collected(), _folder(reader) as folder:
        newest = reader.manifest()
        files = Files(reader, newest, folder, into, afresh=afresh)
        view, changes, events = View(reader, 0 if files.afresh else since, newest), Changes(folder), Events(folder)
        repeats = Repeats(files.paths, events.again)
        events.collect(view, changes, repeats, remember=files.any)
        repeats.look()
        erased = reader.erasures(view.since, newest)
        drop_erased(files, changes, erased)
        known = Known(folder, files.paths("threads"), files.paths("gaps"), events.touched, erased)
        threads = Threads(view, changes, known, torn=files.newer_than(view.since))
        for some in ahead(events.by_thread(), size_of):
            threads.take(some)
        put = list(files.write(changes))
        return Published(sum(put), len(put))


@contextmanager
def _folder(reader: Reader) -> Iterator[Path]:
    folder = reader.tmp()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
