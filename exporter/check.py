"""Prove that an archive is whole: every byte is read, and compared with what was committed and published.

Changes nothing and needs no lock. Beside a running backup it says of what is being written only what is certain.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from exporter.archive import TABLES, Archive, read_id
from exporter.archive import _verify as verify
from exporter.archive._blobs import Blobs
from exporter.archive._journal import header, whole_pages
from exporter.archive._lines import load, read_mark
from exporter.archive._parts import Part, Parts
from exporter.archive._published import Published
from exporter.archive._verify import REBUILD, See, damage
from exporter.archive.catalog import Catalog
from exporter.errors import ArchiveError
from exporter.files import make_folder
from exporter.model import Finding, Mark, ThreadRef
from exporter.storage import Storage
from exporter.storage import load as load_storage

WAIT = "nothing to do: the next backup goes on from here"


def check(path: Path, rebuild: bool = False, subset: Part | None = None) -> Iterator[Finding]:
    """Yield what is wrong (`damage`) or worth knowing (`note`); with `rebuild` also compare with a fresh rebuild.

    With `subset` only the files of one part are read, as the end of a backup does; nothing is counted or compared.
    """
    archive_id, catalog = read_id(path), _Catalog(path, whole=subset is None)
    try:
        yield from catalog.findings()
        if subset is not None:
            yield from _part(catalog.archive, subset) if catalog.archive else ()
            return
        storage = load_storage("local", path)
        blobs = Blobs(storage)
        log = _Log(storage, archive_id, catalog, blobs.see)
        yield from log.findings()
        yield from _left_behind(path, blobs.see)
        yield from blobs.findings(known=not log.damaged)
        if catalog.archive:
            yield from _derived(catalog.archive, log, catalog.published, rebuild=rebuild)
    finally:
        catalog.close()


def _part(archive: Archive, part: Part) -> Iterator[Finding]:
    parts = Parts(archive)
    for name in parts.names(part):
        yield from parts.findings(name)


def _derived(archive: Archive, log: _Log, published: int, *, rebuild: bool) -> Iterator[Finding]:
    tables = Published(archive, published)
    yield from tables.findings()
    if log.damaged:
        return  # what the segments say is not known
    yield from tables.counts(log.records, log.walked, published)
    yield from _gaps(archive)
    if rebuild:
        yield from _rebuilt(archive)


class _Catalog:
    """The catalog as it was when the check began; what comes later is later."""

    def __init__(self, path: Path, *, whole: bool) -> None:
        self.archive: Archive | None = None
        self.indexed = self.published = 0
        self._error: ArchiveError | None = None
        try:
            self.archive = Archive.open(path)
            self.indexed = self.archive.manifest()
            self.published = int(self.archive.catalog.fact("published") or 0)
            if whole:
                self.archive.catalog.verify()
        except (ArchiveError, ValueError) as error:
            self._error = error if isinstance(error, ArchiveError) else ArchiveError(f"{error}; {REBUILD}")
            self.close()

    def close(self) -> None:
        if self.archive is not None:
            self.archive.close()
            self.archive = None

    def findings(self) -> Iterator[Finding]:
        if self._error:
            said = str(self._error).split("catalog.sqlite: ", 1)[-1].rsplit("; ", 1)[0]
            yield damage("catalog.sqlite", said, REBUILD)


class _Log:
    """Manifests and segments: what is wrong with them, and how many messages they hold."""

    def __init__(self, storage: Storage, archive: str, catalog: _Catalog, see: See) -> None:
        self._storage, self._archive, self._catalog, self._see = storage, archive, catalog, see
        self._named: set[str] = set()
        "Every file that the log knows of."
        self.damaged = False
        self.records = 0
        "Of messages, in what is published."
        self.walked: set[ThreadRef] = set()
        "Threads of which some page may hold what an earlier one has."

    def findings(self) -> Iterator[Finding]:
        newest = 0
        for found in self._findings():
            if isinstance(found, Finding):
                self.damaged = True
                yield found
            else:
                newest = found
        yield from self._strays()
        indexed = self._catalog.archive.manifest() if self._catalog.archive else newest
        if newest > indexed:
            what = f"it is behind: {indexed} of {newest} commits are indexed"
            yield Finding("catalog.sqlite", what, WAIT, "note")

    def _findings(self) -> Iterator[Finding | int]:
        for found in verify.manifests(self._storage, self._archive, self._catalog.indexed):
            if isinstance(found, Finding):
                self._named.add(found.where)
                yield found
                continue
            self._named |= {found.name, *(segment.name for segment in found.segments)}
            published = found.number <= self._catalog.published
            for segment in found.segments:
                yield from verify.segment(
                    segment, self._storage, self._archive, self._count if published else self._see
                )
            yield found.number

    def _strays(self) -> Iterator[Finding]:
        """Files that nothing names; a segment beyond the log is one whose commit is under way, or was cut short."""
        for folder in ("manifests", "segments"):
            for name in self._storage.names(folder):
                if name not in self._named:
                    yield Finding(name, "no commit names it", self._advice(name), "note")
        for table in TABLES:
            for name in self._storage.names(table):
                if not name.endswith(".parquet") or name.count("/") > 1:
                    yield Finding(name, "it is no table file", "move it away: programs may read it as one", "note")

    def _advice(self, name: str) -> str:
        """Say what to do with a stray; a segment whose manifest is lost is all that is left of what it holds."""
        number = name.rsplit("/", 1)[-1].split("-", 1)[0]
        if name.startswith("segments/") and f"manifests/{number}.json" in self._named:
            return "keep it: a manifest that is missing or damaged may have named it"
        return f"{WAIT}; if it stays, move it away"

    def _count(self, mark: Mark, lines: list[bytes]) -> None:
        self._see(mark, lines)
        if mark.kind == "message":
            self.records += mark.count
            if not mark.fresh:
                self.walked.add(mark.thread)


def _left_behind(path: Path, see: See) -> Iterator[Finding]:
    for journal in sorted((path / "journal").glob("*.jsonl")):
        try:
            with journal.open("rb") as file:
                pages = 0
                for lines in whole_pages(file) if header(file) else ():
                    pages += 1
                    see(read_mark(lines[-1]), lines)
        except FileNotFoundError:  # sealed just now
            continue
        if pages:
            yield Finding(f"journal/{journal.name}", f"{pages} archived pages are not sealed yet", WAIT, "note")
    for kept in sorted((path / ".exporter" / "salvaged").glob("*")):
        where = kept.relative_to(path).as_posix()
        what = "a journal whose bytes had changed was kept aside; what it lacked was asked for again"
        yield Finding(where, what, "remove it once its threads are complete", "note")


def _gaps(archive: Archive) -> Iterator[Finding]:
    """The open gaps, which are no damage: a thread's newest visit tells all of them."""
    for known in archive.catalog.known(state="partial"):
        newest = None
        for newest in archive.records(known.thread, "visit"):  # noqa: B007 - the last one is wanted
            pass
        for gap in load(newest.body)["gaps"] if newest else ():
            what = f"gap in {gap['list']} after {gap['after'] or 'the beginning'}: {gap['code']}: {gap['detail']}"
            yield Finding(str(known.thread), what, "the next backup asks again", "note")


class _Beside(Archive):
    """The archive as a fresh catalog knows it, which puts nothing into the archive's folder."""

    folder: Path

    def tmp(self) -> Path:
        """A fresh folder elsewhere."""
        return Path(tempfile.mkdtemp(dir=self.folder))


def _rebuilt(archive: Archive) -> Iterator[Finding]:
    """Make catalog and tables again in a temporary folder, as of the same commits, and compare."""
    from exporter.tables import compare, outdated, publish

    if outdated(archive.path):
        what = "they have the columns of another version of exporter, so they were not compared"
        yield Finding("tables", what, "the next backup makes them again; so does `exporter rebuild`", "note")
        return
    published, indexed = archive.catalog.fact("published"), archive.manifest()
    with tempfile.TemporaryDirectory(prefix="exporter-check-") as name:
        folder = Path(name)
        with closing(Catalog(folder / "catalog.sqlite", create=True)) as fresh:
            again = _Beside(archive.path, fresh)
            again.folder = make_folder(folder / "tmp")
            again.index_into(fresh, int(published or 0))
            publish(again, 0, into=make_folder(folder / "tables"))
            different = list(compare(archive.path, folder / "tables")) if published else []
            again.index_into(fresh, indexed)
            same = _equal(archive.catalog, fresh)
    if (archive.catalog.fact("published"), archive.manifest()) != (published, indexed):
        yield Finding(
            "tables", "a backup wrote while they were compared", "run `exporter check --rebuild` again", "note"
        )
        return
    for where in different:
        yield damage(where, "it differs from what the segments say", REBUILD)
    if not same:
        yield damage("catalog.sqlite", "it differs from what the segments say", REBUILD)


def _equal(one: Catalog, two: Catalog) -> bool:
    end = object()
    left, right = one.content(), two.content()
    while True:
        pair = next(left, end), next(right, end)
        if pair[0] != pair[1] or pair[0] is end:
            return pair[0] is pair[1]
