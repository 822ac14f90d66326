"""Verifying an archive part by part: N parts are all of it, each file is in one of them. Changes nothing.

A file belongs to a part by its name alone, so that whoever comes later goes on: a table file by its own name, a
segment by that of its manifest, a file's content by that of its folder.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from exporter.archive import _verify as verify
from exporter.archive._blobs import FOLDERS, Named, content
from exporter.archive._manifests import Later, manifest_name, number_of
from exporter.archive._published import TABLES, Published
from exporter.archive._tombstones import NEWEST
from exporter.archive._verify import REBUILD, See, damage
from exporter.errors import Damaged
from exporter.model import Finding, Mark

if TYPE_CHECKING:
    from exporter.archive import Archive

CATALOG = "catalog.sqlite"


@dataclass(frozen=True, slots=True)
class Part:
    """One of so many parts of an archive."""

    number: int
    "From 1."
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ValueError(f"part {self.number} of {self.of} does not exist")

    def has(self, name: str) -> bool:
        """Tell whether a name belongs to it."""
        return zlib.crc32(name.encode()) % self.of == self.number - 1

    @property
    def next(self) -> Part:
        """The one after it; after the last comes the first."""
        return Part(self.number % self.of + 1, self.of)


class Parts:
    """The committed and published files of an archive, as its catalog knows it when this begins."""

    def __init__(self, archive: Archive) -> None:
        self._archive, self._storage = archive, archive.storage
        self._newest = archive.manifest()
        self._committed = verify.committed(archive.catalog.segment_names())
        self._tables = Published(archive, int(archive.catalog.fact("published") or 0))
        self._later = Later.read(self._storage) if archive.catalog.fact(NEWEST) else Later()
        self._named = Named(archive.storage, self._later.given_up)
        self.bytes = 0
        "Read so far."

    def names(self, part: Part, after: str = "") -> Iterator[str]:
        """Name what is in a part, in the order of the names: manifests, which stand for their segments; the rest."""
        for folder in sorted(("blobs", CATALOG, "manifests", *TABLES)):
            yield from (name for name in self._within(folder, part) if name > after)

    def _within(self, folder: str, part: Part) -> Iterator[str]:
        if folder == "blobs":
            for shelf in filter(part.has, FOLDERS):
                yield from self._storage.names(shelf)
        elif folder == CATALOG:
            yield from filter(part.has, [CATALOG])
        elif folder == "manifests":
            yield from filter(part.has, map(manifest_name, range(1, self._newest + 1)))
        else:
            yield from filter(part.has, self._tables.names(folder))

    def written(self, since: int) -> Iterator[tuple[str, list[Finding]]]:
        """Read all that was committed and published after manifest `since`, the contents that it names included."""
        for number in range(since + 1, self._newest + 1):
            contents: list[Finding] = []
            found = self._commit(manifest_name(number), partial(self._contents, contents))
            yield manifest_name(number), [*found, *contents]
        for name, table in self._archive.table_files().items():
            if table.manifest > since:
                yield name, list(self.findings(name))

    def findings(self, name: str) -> Iterator[Finding]:
        """Read one of the files that `names` gives, and say what is wrong."""
        if name.startswith("manifests/"):
            missing: list[Finding] = []
            yield from self._commit(name, lambda mark, lines: missing.extend(self._named.missing(mark, lines)))
            yield from missing
            return
        self._count(name)
        if name.startswith("blobs/"):
            yield from content(self._storage, name)
        elif name == CATALOG:
            yield from self._catalog()
        else:
            yield from self._tables.file(name)

    def _catalog(self) -> Iterator[Finding]:
        try:
            self._archive.catalog.verify()
        except Damaged as error:
            said = str(error).split(f"{CATALOG}: ", 1)[-1].rsplit("; ", 1)[0]
            yield damage("catalog_damaged", CATALOG, said, REBUILD)

    def _commit(self, name: str, see: See) -> Iterator[Finding]:
        """Read a manifest and its segments."""
        self._count(name)
        for found in verify.manifest(self._storage, self._archive.id, number_of(name), self._later):
            if isinstance(found, Finding):
                yield found
                continue
            yield from verify.dropped(self._committed.get(found.number), found, self._storage)
            rewritten = (one.new for one in found.erased.replaced) if found.erased else ()
            for segment in (*found.segments, *rewritten):
                self.bytes += segment.bytes
                yield from verify.segment(segment, self._storage, self._archive.id, see)

    def _contents(self, found: list[Finding], mark: Mark, lines: list[bytes]) -> None:
        """Read the contents of files that a page names, each once."""
        for name, missing in self._named.news(mark, lines):
            if missing is not None:
                found.append(missing)
            else:
                self._count(name)
                found.extend(content(self._storage, name))

    def _count(self, name: str) -> None:
        try:
            with self._storage.open(name) as file:
                self.bytes += file.seek(0, 2)
        except OSError:
            return  # that is found when it is read
