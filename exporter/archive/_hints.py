"""Hints: facts of the catalog that nothing depends on, noted by who only looks. Losing one costs nothing.

They are noted without the lock, so that who looks never keeps a backup from starting; SQLite keeps the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from exporter.archive._lock import who_writes
from exporter.archive.catalog import Catalog
from exporter.errors import ArchiveError

PREFIX = "hint "


def hints(catalog: Catalog, beginning: str = "") -> dict[str, str]:
    """The hints whose names begin like this."""
    return {key.removeprefix(PREFIX): value for key, value in catalog.facts(PREFIX + beginning).items()}


def note_hints(path: Path, news: Mapping[str, str]) -> bool:
    """Keep hints in the catalog of an archive that nobody is writing to; False where that cannot be."""
    if not (path / "catalog.sqlite").exists() or who_writes(path):
        return False  # an empty catalog would hide that the real one is lost
    try:
        with closing(Catalog(path / "catalog.sqlite", create=True)) as catalog:
            for name, value in news.items():
                catalog.note_fact(PREFIX + name, value)
    except ArchiveError:
        return False
    return True


def carry_hints(path: Path, fresh: Catalog) -> None:
    """Take an archive's hints over into a catalog that was made again; those that cannot be read are lost."""
    try:
        with closing(Catalog(path / "catalog.sqlite")) as old:
            found = old.facts(PREFIX)
    except ArchiveError:
        return
    for key, value in found.items():
        fresh.note_fact(key, value)
