"""What only the writer does: seal journals, write manifests, and finish what a crash interrupted.

Every step may be the last one; `recover` goes on from any of them, so that what was archived is committed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from exporter.archive import _journal, _manifests, _segments
from exporter.archive._encrypted import as_kept, cipher_of, kept
from exporter.archive._forgetting import Erasing
from exporter.archive._manifests import Erasure, Later, Manifest
from exporter.archive.catalog import Catalog
from exporter.errors import ArchiveError, Damaged
from exporter.files import sha256_of, translated
from exporter.model import Segment, now
from exporter.storage import Storage


class Commits:
    """The end of an archive's commit log, where the next manifest goes."""

    def __init__(self, path: Path, archive: str, run: str, storage: Storage, catalog: Catalog) -> None:
        self._path = path
        self._archive = archive
        self._run = run
        self._storage = storage
        self._catalog = catalog
        self._last: Manifest | None = None

    @property
    def next(self) -> int:
        """The number of the next manifest."""
        return self._last.number + 1 if self._last else 1

    def seal(self, journal: Path, report: dict[str, Any] | None = None) -> Manifest:
        """Commit a journal of whole pages as a segment, and remove it."""
        segment, source = _segments.seal(journal, self.next, now(), self._storage.tmp(), cipher_of(self._storage))
        self._storage.create(segment.name, source)
        manifest = self.commit((segment,), report)
        self._remove(journal)
        return manifest

    def commit(
        self, made: tuple[Segment, ...], report: dict[str, Any] | None = None, erased: Erasure | None = None
    ) -> Manifest:
        """Write the next manifest and index what it names."""
        draft = replace(_manifests.draft(self._archive, self._last, self._run, made, report), erased=erased)
        self._last = _manifests.commit(draft, self._storage)
        index(self._last, self._catalog, self._storage)
        return self._last

    def recover(self) -> None:
        """Bring the catalog up to date, and commit what was archived but not committed.

        What a process left that died before its names were sure is made sure before anything is built on it.
        """
        self._storage.settle("manifests")
        indexed = self._catalog.indexed()
        self._last = _manifests.read(self._storage, indexed) if indexed else None
        for manifest in _manifests.log(self._storage, since=indexed):
            index(manifest, self._catalog, self._storage)
            self._last = manifest
        if self._last and self._last.archive != self._archive:
            raise Damaged(f"{self._last.name}: it is of another archive than archive.json says; restore that file")
        self._adopt()
        self._salvage()

    def _adopt(self) -> None:
        """Commit a whole segment whose manifest the crash prevented."""
        for name in self._storage.names("segments"):
            if name.rsplit("/", 1)[-1].startswith(f"{self.next:09d}-"):
                self._storage.settle(name.rsplit("/", 1)[0])
                self.commit((self._described(name),))
                return

    def _described(self, name: str) -> Segment:
        sha256 = sha256_of(kept(self._storage).open(name))
        if not _segments.is_named(name, self.next, sha256):
            where = "move it away and run again: its journal is still there"
            raise Damaged(f"{name}: its hash is {sha256[:12]}..., not what its name says; {where}")
        with self._storage.open(name) as file:
            return as_kept(_segments.describe(name, sha256, file), self._storage)

    def _salvage(self) -> None:
        """Seal the journals that were left behind; remove those that are sealed already."""
        left = _journal.left_in(self._path / "journal")
        sealed = self._sealed() if left else set()
        for path in left:
            whole = _journal.writer_of(path) not in sealed
            if whole and _journal.salvage(path, self._path / ".exporter" / "salvaged", cipher_of(self._storage)):
                self.seal(path)
            else:
                self._remove(path)  # sealed already, or nothing in it was ever reported archived

    def _sealed(self) -> set[str]:
        """The journals that any manifest holds, however long ago: a copied archive may bring an old one back."""
        return {segment.journal for manifest in _manifests.log(self._storage) for segment in manifest.segments}

    @staticmethod
    def _remove(journal: Path) -> None:
        with translated(journal):
            journal.unlink()


def index(manifest: Manifest, catalog: Catalog, storage: Storage) -> None:
    """Take over into a catalog what a manifest adds and what it erases."""
    sealed = ((segment, frames(segment.name, storage)) for segment in manifest.segments)
    if manifest.erased is None:
        catalog.index(manifest.number, sealed)
        return
    erased = manifest.erased
    replaced = [(one.new, partial(frames, one.new.name, storage)) for one in erased.replaced]
    stones, ids = frozenset(erased.threads), frozenset(erased.ids)
    catalog.index(manifest.number, sealed, Erasing(manifest.archive, stones, ids, replaced))


def frames(name: str, storage: Storage) -> Iterator[_segments.Frame]:
    """Read a segment, or what it has become, frame by frame; `Damaged` if it is missing or cannot be read."""
    try:
        file = storage.open(name)
    except FileNotFoundError as error:
        newest = Later.read(storage).named(name)
        if newest is None:
            raise Damaged(f"{name}: it is missing; restore this file from a copy") from error
        yield from frames(newest.name, storage)
        return
    except OSError as error:
        raise unreadable(name, error) from error
    try:
        with file:
            yield from _segments.frames(file, name)
    except OSError as error:
        raise unreadable(name, error) from error


@contextmanager
def opened(name: str, storage: Storage) -> Iterator[BinaryIO]:
    """Open a segment of which something is known to be there; what the disk refuses becomes one of our errors."""
    try:
        with storage.open(name) as file:
            yield file
    except FileNotFoundError as error:
        raise absent(name, storage) from error
    except OSError as error:
        raise unreadable(name, error) from error


def unreadable(name: str, error: OSError) -> Damaged:
    """Say that the disk does not give a segment back, as where a sector is bad."""
    return Damaged(f"{name}: it cannot be read ({error.strerror or error}); restore this file from a copy")


def absent(name: str, storage: Storage) -> ArchiveError:
    """Say why a segment is not there, to who knew where in it something was."""
    if Later.read(storage).named(name) is not None:
        return ArchiveError(f"{name}: `exporter erase` wrote it again just now; run the command again")
    return Damaged(f"{name}: it is missing; restore this file from a copy")
