"""Checking the table files: what is there against what was noted when they were published. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from exporter.archive._verify import REBUILD, damage
from exporter.files import sha256_of, sync_folder, translated
from exporter.model import Finding, ThreadRef

if TYPE_CHECKING:
    from exporter.archive import Archive

TABLES = ("messages", "threads", "runs", "steps", "files", "revisions", "gaps")

TRIES = 5
"Looks at a file that is being replaced again and again."


class Published:
    """The table files against what was noted when they were published."""

    def __init__(self, archive: Archive, published: int) -> None:
        self._archive, self._published = archive, published
        self._settled = True
        self._rows = 0

    def findings(self) -> Iterator[Finding]:
        """Read every table file."""
        for table in sorted(TABLES):
            for name in self.names(table):
                yield from self.file(name)

    def names(self, table: str) -> list[str]:
        """Name the files that a table has, or should have, in order."""
        noted = (
            row["name"] for row in self._archive.catalog.table_rows(f"{table}/") if row["sha256"] or row["pending"]
        )
        there = (name for name in self._archive.storage.names(table) if name.endswith(".parquet"))
        return sorted({*noted, *there})

    def _note(self, name: str) -> dict[str, Any] | None:
        noted = (dict(row) for row in self._archive.catalog.table_rows(name) if row["name"] == name)
        return next((row for row in noted if row["sha256"] or row["pending"]), None)

    def file(self, name: str) -> Iterator[Finding]:
        """Read one table file."""
        for _ in range(TRIES):
            before = self._note(name)
            found = self._sha256(name)
            note = self._note(name)
            if note == before:
                break
        else:
            self._settled = False
            return
        if note and note["pending"]:
            self._settled = False  # it was, or is, being replaced
        if note and found == "" and note["sha256"]:
            yield damage("table_missing", name, "it is missing", REBUILD)
        elif note and note["sha256"] is not None and found not in ("", note["sha256"], note["pending"]):
            yield damage("table_damaged", name, "it is not the file that was published", REBUILD)
        elif found:
            yield from self._content(name, noted=note is not None and found in (note["sha256"], note["pending"]))

    def _sha256(self, name: str) -> str:
        try:
            return sha256_of(self._archive.storage.open(name))
        except FileNotFoundError:
            return ""
        except OSError as error:
            return str(error)

    def _content(self, name: str, *, noted: bool) -> Iterator[Finding]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self._archive.path / name, page_checksum_verification=True) as file:
                footer = file.metadata.metadata or {}
                self._rows += file.metadata.num_rows if name.startswith("messages/") else 0
                for _ in () if noted else file.iter_batches(batch_size=1000):
                    pass
        except FileNotFoundError:
            self._settled = False
            return
        except (pa.ArrowException, OSError) as error:
            yield damage("table_damaged", name, f"it cannot be read: {error}", REBUILD)
            return
        if int(footer.get(b"exporter.manifest", 0)) > self._published:
            self._settled = False  # a publication ended between two files, or goes on
        if not footer.get(b"exporter.schema", b"").startswith(name.encode().split(b"/")[0] + b"/"):
            yield damage("table_damaged", name, "its footer does not say which table it is of", REBUILD)
        elif not noted:
            what = "its hash is noted nowhere, as after a lost catalog"
            yield Finding("table_unnoted", name, what, f"{REBUILD} to note it", "note")

    def counts(self, fresh: int, walked: Iterable[ThreadRef], published: int) -> Iterator[Finding]:
        """Compare the rows of messages with the messages in the segments, unless a publication is under way.

        `fresh` are the records of messages, `walked` the threads where one may hold what an earlier one has.
        """
        if self._archive.encrypted:
            return  # it has no tables
        now = int(self._archive.catalog.fact("published") or 0)
        if not self._settled or now != published or not published:
            return
        there = fresh + sum(_surplus(self._archive, thread, published) for thread in walked)
        if there != self._rows:
            what = f"the table has {self._rows} rows for {there} messages in the segments"
            yield damage("table_differs", "messages", what, REBUILD)


def settle(archive: Archive) -> None:
    """Note what has become of files that a crash left half noted: nobody else may come to them for years."""
    half = [dict(row) for row in archive.catalog.table_rows() if row["pending"]]
    if not half:
        return
    import pyarrow.parquet as pq

    for row in half:
        name, found = row["name"], ""
        with suppress(OSError):
            found = sha256_of(archive.storage.open(name))
        if found == row["pending"]:
            with translated(archive.path / name):  # its name may not be on the disk yet, and the note will be
                sync_folder((archive.path / name).parent)
            about = pq.read_metadata(archive.path / name)
            number = int((about.metadata or {}).get(b"exporter.manifest", 0))
            archive.catalog.note_table(name, pending=None, sha256=found, rows=about.num_rows, manifest=number)
        elif row["sha256"] is None or found == row["sha256"]:  # it was not replaced
            archive.catalog.note_table(name, pending=None)


def _surplus(archive: Archive, thread: ThreadRef, published: int) -> int:
    """How far a thread's messages exceed the records that hold them: zero, or less where some came again."""
    seen: set[tuple[str | None, str | int]] = set()
    records = 0
    for number, _, found in archive.thread_pages(thread, "message"):
        if number <= published:
            records += len(found)
            seen.update((record.parent, record.seq if record.id is None else record.id) for record in found)
    return len(seen) - records
