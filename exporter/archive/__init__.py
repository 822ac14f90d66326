"""The archive: pages in, durably and once; records out, in order.

One commit point: a segment counts when a manifest names it. Opening for writing finishes what a crash interrupted.
Who reads needs no lock; who writes holds it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exporter.archive import _journal, _manifests, _segments
from exporter.archive._journal import Journal
from exporter.archive._lines import FORMAT, MARK, dump, load, read_mark, read_record, stamp
from exporter.archive._lock import Lock
from exporter.archive._manifests import Manifest
from exporter.archive.catalog import Catalog, owner_of
from exporter.errors import ArchiveError, Damaged, NoArchive
from exporter.files import FOLDER_MODE, make_folder, replacing, translated
from exporter.model import Mark, Page, Record, Registration, Segment, ThreadRef, now, printable
from exporter.storage import load as load_storage

SEAL_BYTES = 64 * 1024 * 1024
"A journal of this size is sealed while the crawl goes on."

TABLES = ("messages", "threads", "runs", "steps", "revisions", "gaps")


@dataclass(frozen=True, slots=True)
class TableFile:
    """What the catalog notes of a table file, so that any changed byte is found."""

    sha256: str
    rows: int
    manifest: int


class Archive:
    """An open archive. Make one with `create`, `open` or `write`."""

    def __init__(self, path: Path, catalog: Catalog, lock: Lock | None = None) -> None:
        self.path = path
        self.catalog = catalog
        self.storage = load_storage("local", path)
        self.id = read_id(path)
        self.run = f"{now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        "Names this opening in every line it writes."
        self._lock = lock
        self._journal = Journal(path / "journal", self.id)
        self._last: Manifest | None = None

    @classmethod
    def create(cls, path: Path) -> None:
        """Make an empty archive; an existing one stays as it is."""
        if not (path / "archive.json").exists():
            if path.exists() and any(entry.name != ".exporter" for entry in path.iterdir()):
                raise NoArchive(f"{path}: the folder holds other files; name an empty or a new one with -a")
            with translated(path):
                make_folder(path).chmod(FOLDER_MODE)
            with Lock(path), replacing(path / "README.md") as file:
                file.write((Path(__file__).parent / "README.template.md").read_bytes())
            with replacing(path / "archive.json") as file:
                about = {"format": FORMAT, "archive": secrets.token_hex(16), "created_at": stamp(now())}
                file.write(dump(about) + b"\n")

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open for reading; safe beside a running backup."""
        read_id(path)
        if not (path / "catalog.sqlite").exists():
            raise Damaged(f"{path / 'catalog.sqlite'}: it is missing; run `exporter rebuild -a {path}`")
        return cls(path, Catalog(path / "catalog.sqlite"))

    @classmethod
    def write(cls, path: Path) -> Self:
        """Open for writing: take the lock, finish what a crash interrupted, bring the catalog up to date."""
        read_id(path)
        lock = Lock(path)
        lock.acquire()
        try:
            archive = cls(path, Catalog(path / "catalog.sqlite", create=True), lock)
            archive._recover()
        except BaseException:
            lock.release()
            raise
        return archive

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of files and lock; what is in the journal stays there, archived."""
        self._journal.close()
        self.catalog.close()
        if self._lock:
            self._lock.release()

    # Writing

    def append(self, pages: Iterable[Page]) -> None:
        """Add pages, durably: when this returns, a crash cannot lose them."""
        self._writable()
        self._journal.append(pages, self.run)
        if self._journal.size >= SEAL_BYTES:
            self.seal()

    def seal(self, report: dict[str, Any] | None = None) -> Manifest | None:
        """Commit the journal as a segment, with the run's report if this ends the run; index it."""
        self._writable()
        journal = self._journal if self._journal.size else None
        if journal is None and report is None:
            return None
        number = self._last.number + 1 if self._last else 1
        made: list[Segment] = []
        if journal:
            journal.close()
            made = [self._seal_file(journal.path, number)]
        manifest = self._commit(tuple(made), report)
        if journal:
            journal.path.unlink()
            self._journal = Journal(self.path / "journal", self.id)
        return manifest

    def _seal_file(self, journal: Path, number: int) -> Segment:
        segment, source = _segments.seal(journal, number, now(), self.storage.tmp())
        self.storage.create(segment.name, source)
        return segment

    def _commit(self, made: tuple[Segment, ...], report: dict[str, Any] | None = None) -> Manifest:
        draft = _manifests.draft(self.id, self._last, self.run, made, report)
        self._last = _manifests.commit(draft, self.storage)
        self._index(self._last)
        return self._last

    def _index(self, manifest: Manifest) -> None:
        self.catalog.index(manifest.number, ((segment, self._frames(segment)) for segment in manifest.segments))

    def _writable(self) -> None:
        if self._lock is None:
            raise ArchiveError(f"{self.path}: it is open for reading only")

    # Opening after a crash

    def _recover(self) -> None:
        shutil.rmtree(self.path / ".exporter" / "tmp", ignore_errors=True)
        indexed = self.catalog.indexed()
        for manifest in _manifests.log(self.storage, since=indexed):
            self._index(manifest)
            self._last = manifest
        self._last = self._last or (_manifests.read(self.storage, indexed) if indexed else None)
        if indexed and self._last is None:
            raise Damaged(f"{_manifests.manifest_name(indexed)}: it is missing; restore this file from a copy")
        self._adopt()
        self._salvage()

    def _adopt(self) -> None:
        """Commit a whole segment whose manifest the crash prevented."""
        number = self._last.number + 1 if self._last else 1
        for name in self.storage.names("segments"):
            if name.rsplit("/", 1)[-1].startswith(f"{number:09d}-"):
                self._commit((self._described(name),))
                return

    def _described(self, name: str) -> Segment:
        """What a segment without a manifest is, from its own bytes."""
        with self.storage.open(name) as file:
            writer = _segments.read_header(file, name).get("writer")
        sha256, size = sha256_of(self.storage.open(name))
        pages = records = raw = 0
        with self.storage.open(name) as file:
            for frame in _segments.frames(file, name):
                raw += frame.raw
                for lines in _segments.checked(frame.pages, name):
                    pages, records = pages + 1, records + len(lines) - 1
        if not name.endswith(f"-{sha256[:12]}.jsonl.zst"):
            raise Damaged(
                f"{name}: its hash is {sha256[:12]}...; move it away and run again: its journal is still there"
            )
        return Segment(name, sha256, records, pages, size, raw, str(writer))

    def _salvage(self) -> None:
        """Seal the journals that were left behind; remove those that are sealed already."""
        folder = self.path / "journal"
        for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else ():
            if self._last and any(segment.journal == path.stem for segment in self._last.segments):
                path.unlink()
            elif _journal.salvage(path, self.path / ".exporter" / "salvaged"):
                self._commit((self._seal_file(path, self._last.number + 1 if self._last else 1),))
                path.unlink()
            else:
                path.unlink()  # nothing in it was ever reported archived

    # Reading

    def manifests(self, since: int = 0) -> Iterator[Manifest]:
        """The commits after `since`, in order; `Damaged` at a hole, a changed byte or a broken chain."""
        return _manifests.log(self.storage, since)

    def manifest(self) -> int:
        """Number of the newest manifest that is indexed."""
        return self.catalog.indexed()

    def last_report(self) -> dict[str, Any] | None:
        """What the newest finished run reported."""
        for number in range(self.manifest(), 0, -1):
            manifest = _manifests.read(self.storage, number)
            if manifest and manifest.report:
                return manifest.report
        return None

    def _frames(self, segment: Segment) -> Iterator[_segments.Frame]:
        with self._open(segment.name) as file:
            yield from _segments.frames(file, segment.name)

    def _open(self, name: str) -> Any:
        try:
            return self.storage.open(name)
        except FileNotFoundError as error:
            raise Damaged(f"{name}: it is missing; restore this file from a copy") from error

    def pages(self, since: int = 0) -> Iterator[tuple[int, Mark, list[Record]]]:
        """Whole pages of the segments committed after manifest `since`, in order, with their manifest's number."""
        for manifest in self.manifests(since):
            for segment in manifest.segments:
                for frame in self._frames(segment):
                    for lines in frame.pages:
                        yield manifest.number, read_mark(lines[-1]), [read_record(line) for line in lines[:-1]]

    def thread_pages(self, thread: ThreadRef, kind: str) -> Iterator[tuple[int, Mark, list[Record]]]:
        """All committed pages of one thread and kind, in order, with their manifest's number."""
        whose = dump({"kind": "page", "source": thread.source, "endpoint": thread.endpoint, "thread": thread.id})
        start = whose[:-1] + b","

        def wanted(line: bytes) -> bool:
            return line.startswith(start)

        for name, offset in self.catalog.frames_of(thread, kind):
            number = int(name.rsplit("/", 1)[-1].split("-", 1)[0])
            with self._open(name) as file:
                for lines in _segments.read_at(file, offset, wanted, name):
                    mark = read_mark(lines[-1])
                    if mark.kind == kind:
                        yield number, mark, [read_record(line) for line in lines[:-1]]

    def records(self, thread: ThreadRef | None = None, kind: str = "message") -> Iterator[Record]:
        """Records of one thread or of all, in the order they were archived."""
        pages = self.thread_pages(thread, kind) if thread else self.pages()
        for _, mark, records in pages:
            if mark.kind == kind:
                yield from records

    def owner(self, thread: ThreadRef) -> Registration:
        """What is known about a thread's owner; profile `default` for a thread never registered."""
        known = self.catalog.find(thread)
        return owner_of(known) if known else Registration(thread)

    # What the tables note

    def tmp(self) -> Path:
        """A fresh folder for files on their way."""
        return make_folder(self.storage.tmp() / secrets.token_hex(4))

    def table_files(self) -> dict[str, TableFile]:
        """What is noted of each table file."""
        return {
            row["name"]: TableFile(row["sha256"], row["rows"], row["manifest"])
            for row in self.catalog.table_rows()
            if row["sha256"]
        }

    def note_table_file(self, name: str, pending: str | None, final: TableFile | None) -> None:
        """Note the hash a file is about to get, then the file it has become."""
        if final is None:
            self.catalog.note_table(name, pending=pending)
        else:
            values = {"sha256": final.sha256, "rows": final.rows, "manifest": final.manifest}
            self.catalog.note_table(name, pending=pending, **values)


def read_id(path: Path) -> str:
    """The archive's id; `NoArchive` if the folder is none or its format is newer than this program."""
    try:
        about = load((path / "archive.json").read_bytes())
        version, name = about["format"], about["archive"]
    except FileNotFoundError:
        where = printable(str(path))
        raise NoArchive(f"{where}: no archive here; `exporter backup` makes one, -a names another") from None
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise NoArchive(
            f"{path / 'archive.json'}: it cannot be read ({error}); restore this file from a copy"
        ) from error
    if not isinstance(version, int) or version > FORMAT:
        raise NoArchive(f"{path}: format {version} is newer than this exporter reads ({FORMAT}); upgrade exporter")
    return str(name)


def sha256_of(file: Any) -> tuple[str, int]:
    """Hash and length of an open file, which is closed."""
    with file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


__all__ = ["MARK", "TABLES", "Archive", "Manifest", "TableFile", "read_id", "sha256_of"]
