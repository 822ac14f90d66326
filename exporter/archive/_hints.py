"""Hints: facts of the catalog that nothing depends on, noted by who only looks. Losing one costs nothing.

They are noted without the lock, so that who looks never keeps a backup from starting; SQLite keeps the two apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import chain, groupby
from pathlib import Path

from exporter.archive._forgetting import PREFIX
from exporter.archive._lock import who_writes
from exporter.archive._tombstones import NEWEST, Quotes
from exporter.archive.catalog import Catalog
from exporter.errors import ArchiveError, Damaged
from exporter.model import ThreadRef

MANY = 1_000_000
"More touched threads than ever wait to be registered."


def hints(catalog: Catalog, beginning: str = "") -> dict[str, str]:
    """The hints whose names begin like this."""
    return {key.removeprefix(PREFIX): value for key, value in catalog.facts(PREFIX + beginning).items()}


def note_hints(path: Path, news: Mapping[str, str]) -> bool:
    """Keep hints in the catalog of an archive that nobody is writing to; False where that cannot be."""
    if not (path / "catalog.sqlite").exists() or who_writes(path):
        return False  # an empty catalog would hide that the real one is lost
    try:
        with beside(path) as catalog:
            for name, value in news.items():
                catalog.note_fact(PREFIX + name, value)
    except ArchiveError:
        return False
    return True


@contextmanager
def beside(path: Path) -> Iterator[Catalog]:
    """Open the catalog of an archive to note hints in it, without the lock, beside whoever writes.

    Raises `Damaged` where it is lost or of another version: only who holds the lock may make it again.
    """
    file = path / "catalog.sqlite"
    if not file.exists():
        raise Damaged(f"{file}: it is missing; run `exporter rebuild -a {path}`")
    with closing(Catalog(file)) as reading:
        if not reading.current:
            raise Damaged(f"{file}: another version of exporter made it; run `exporter rebuild -a {path}`")
    with closing(Catalog(file, create=True)) as catalog:
        yield catalog


def carry_hints(path: Path, archive: str, fresh: Catalog) -> None:
    """Take over what a catalog holds that no segment says into one that was made again; what is unreadable is lost.

    So is what names threads that were erased from the archive of this id.
    """
    try:
        with closing(Catalog(path / "catalog.sqlite")) as old:
            found = old.facts(PREFIX)
            waiting = old.waiting(MANY) if old.current else {}
            erased = _erased(archive, old, fresh) if old.current else set()
    except ArchiveError:
        return
    waiting = {entry: at for entry, at in waiting.items() if entry.thread not in erased}
    for key, value in found.items():
        fresh.note_fact(key, value)
    for at, entries in groupby(sorted(waiting, key=waiting.__getitem__), key=waiting.__getitem__):
        fresh.touch((), list(entries), datetime.fromisoformat(at))
    fresh.scrub(Quotes(one.id for one in erased))


def _erased(archive: str, old: Catalog, fresh: Catalog) -> set[ThreadRef]:
    """Return the threads that a catalog knows, and that were erased and not registered again."""
    if fresh.fact(NEWEST) is None:
        return set()
    there = chain((one.thread for one in old.known()), (one.thread for one in old.waiting(MANY)))
    return {one for one in fresh.erased(archive, there) if fresh.find(one) is None}
