"""The files of the tables: each is written beside, read back, and put in the place of the old one.

The idea: what a file becomes is noted before it is replaced and after, and each file says which manifest it contains.
So publishing again after a crash finds out where it stood, and a file that others changed is not built upon.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.archive import TableFile
from exporter.errors import Damaged
from exporter.files import make_folder, sync_folder, translated
from exporter.schemas import SCHEMAS
from exporter.tables._changes import Changes, Flow
from exporter.tables._names import month_name
from exporter.tables._parquet import Hashed, manifest_of, of_other_version, proven, reading, sha256, write
from exporter.tables._reader import Reader

EMPTY = "0000-00"
"The file without rows that each table has: a table can be read before anything is in it, and its types are known."


def outdated(root: Path) -> bool:
    """Tell whether any table file in a folder has the columns of another version."""
    return any(of_other_version(path, table) for table in SCHEMAS for path in (root / table).glob("*.parquet"))


class Files:
    """The files of all tables in an archive, or in another folder, of which nothing is noted."""

    def __init__(self, reader: Reader, newest: int, folder: Path, into: Path | None, *, afresh: bool) -> None:
        self._root = reader.path if into is None else into
        self._note = reader.note_table_file if into is None else None
        self._notes = reader.table_files() if into is None else {}
        self._newest, self._folder = newest, folder
        self.afresh = afresh or outdated(self._root)
        "Whether nothing that is there is built upon: it is asked for, or a file has the columns of another version."

    def _all(self, table: str) -> list[Path]:
        return sorted((self._root / table).glob("*.parquet"))

    def paths(self, table: str) -> list[Path]:
        """Return the files of a table that have rows, and are built upon."""
        return [] if self.afresh else [path for path in self._all(table) if path.stem != EMPTY]

    @property
    def any(self) -> bool:
        """Whether any table has rows that are built upon."""
        return any(self.paths(table) for table in SCHEMAS)

    def newer_than(self, manifest: int) -> bool:
        """Tell whether any file contains a newer manifest."""
        return any(manifest_of(path) > manifest for table in SCHEMAS for path in self.paths(table))

    def write(self, changes: Changes) -> Iterator[int]:
        """Write every file that changed, and yield how many rows were put in."""
        for table in SCHEMAS:
            with translated(self._root / table):
                sync_folder(make_folder(self._root / table))  # a name that a crash left unsure is built upon
            if self.afresh or not self._path(table, EMPTY).exists():
                self._settle(table, EMPTY, *self._written(table, EMPTY, iter(())))
                yield 0
            months = changes.months(table)
            for of in months:
                path = self._path(table, month_name(of))
                contains = self._checked(path, f"{table}/{path.name}")
                flow = changes.flow(table, of, contains)
                if contains < self._newest and self._update(table, path, flow):
                    yield flow.put
            if self.afresh:
                yield from self._swept(table, {EMPTY, *map(month_name, months)})

    def _swept(self, table: str, made: set[str]) -> Iterator[int]:
        """Remove the files that are not made any more."""
        for path in self._all(table):
            if path.stem not in made:
                self._remove(table, path)
                yield 0

    def _path(self, table: str, name: str) -> Path:
        return self._root / table / f"{name}.parquet"

    def _update(self, table: str, path: Path, flow: Flow) -> bool:
        """Bring one file up to date; tell whether anything changed."""
        with reading(path):
            if path.exists() and not self.afresh:
                with pq.ParquetFile(path, page_checksum_verification=True) as old:
                    made = self._written(table, path.stem, flow.rows(old))
            else:
                made = self._written(table, path.stem, flow.rows(None))
        if not flow.put and not flow.dropped and not self.afresh:
            return False
        self._settle(table, path.stem, *made)
        return True

    def _checked(self, path: Path, name: str) -> int:
        """Return the manifest that a file contains, 0 where there is none; stop where it is not what was published."""
        if self.afresh:
            return 0
        known = self._notes.get(name)
        if not path.exists():
            if known is not None:
                raise Damaged(f"{path}: the file was published and is gone; run `exporter rebuild`")
            return 0
        contains = manifest_of(path)
        # newer than the note: the crash came between the replacement and the note
        if known is not None and contains <= known.manifest and sha256(path) != known.sha256:
            raise Damaged(f"{path}: the file is not the one that was published; run `exporter rebuild`")
        return contains

    def _written(self, table: str, name: str, tables: Iterator[pa.Table]) -> tuple[Path, int, str]:
        """Write a file beside, durably; return it with its number of rows, and the hash of what was written."""
        beside = self._folder / f"{table}-{name}.parquet"
        with translated(beside), Hashed(beside) as file:
            rows = write(file, table, self._newest, tables)
            file.flush()
            os.fsync(file.fileno())
        return beside, rows, file.sha256()

    def _settle(self, table: str, name: str, beside: Path, rows: int, written: str) -> None:
        """Check a written file by reading it, and put it in its place."""
        path = self._path(table, name)
        noted = f"{table}/{path.name}"
        if not rows and name != EMPTY:
            self._remove(table, path)
            return
        sha = proven(beside, table, rows, written)
        self._noted(noted, sha, None)
        with translated(path):
            os.replace(beside, path)  # noqa: PTH105 - one name for the one step that counts
            sync_folder(path.parent)
        self._noted(noted, None, TableFile(sha, rows, self._newest))

    def _remove(self, table: str, path: Path) -> None:
        self._noted(f"{table}/{path.name}", None, TableFile("", 0, self._newest))
        with translated(path):
            path.unlink(missing_ok=True)
            sync_folder(path.parent)

    def _noted(self, name: str, pending: str | None, final: TableFile | None) -> None:
        if self._note is not None:
            self._note(name, pending, final)
