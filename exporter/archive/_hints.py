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


def note_hints(path: Path, hints: Mapping[str, str]) -> bool:
    """Keep hints in the catalog of an archive that nobody is writing to; False where that cannot be."""
    if not (path / "catalog.sqlite").exists() or who_writes(path):
        return False  # an empty catalog would hide that the real one is lost
    try:
        with closing(Catalog(path / "catalog.sqlite", create=True)) as catalog:
            for key, value in hints.items():
                catalog.note_fact(key, value)
    except ArchiveError:
        return False
    return True
