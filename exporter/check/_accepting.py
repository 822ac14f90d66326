"""Going on without what is damaged, where no copy brings it back.

What is left of each damaged segment takes its place, for good. All that tells what was lost goes into a folder of the
user's first: the damaged files, the catalog as it was, and the rows that only the tables had. Then catalog and tables
are made again, threads are registered as they were, and those that lost something are walked from their beginning.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.archive import TABLES, Archive, read_id
from exporter.archive._encrypted import sealed
from exporter.archive._keyfile import unlock
from exporter.archive._lock import Lock
from exporter.archive._remainder import Given, give_up
from exporter.archive.catalog import Catalog, owner_of
from exporter.check import _losses as losses
from exporter.check._repair import LOG, look_again
from exporter.erase import finish
from exporter.errors import ArchiveError, Damaged, DiskFull, Locked, UsageError
from exporter.files import make_folder, translated
from exporter.model import Code, Finding, ThreadRef
from exporter.rebuild import rebuild
from exporter.registry import register
from exporter.retention import Policies
from exporter.storage import load as load_storage

if TYPE_CHECKING:
    import pyarrow as pa

SEGMENTS: frozenset[Code] = frozenset({"segment_missing", "segment_damaged"})
ACCEPTED: frozenset[Code] = SEGMENTS | {"content_missing", "content_damaged"}
"What can be gone on without."
KEYS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "messages": ("message_id", ("parent_id",)),
    "threads": (None, ()),
    "runs": ("run_id", ("parent_id",)),
    "steps": ("step_id", ()),
    "files": ("file_id", ("container_id",)),
    "revisions": ("object_id", ("kind", "parent_id", "revision")),
}
"Of each table, the column of the objects' ids, where they have some, and what else tells two rows of a thread apart."
assert set(KEYS) == set(TABLES) - {"gaps"}
WHOSE, REF = ["source", "endpoint", "thread_id"], ["source", "endpoint", "id"]
LOST = (errno.ENOENT, errno.EIO)
"Why a damaged file cannot be put aside: it is missing, or lies on a bad sector. A folder that is full is no reason."
CATALOG, BEFORE = "catalog.sqlite", "tables-before"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was given up, and what is known of it."""

    given: Given
    rows: dict[str, int]
    "Of each table, the rows that only it had; they lie in the folder."
    threads: int
    "That lost something, and are walked from their beginning."


def accept(path: Path, found: Iterable[Finding], aside: Path, policies: Policies | None = None) -> Accepted | None:
    """Go on without the damaged segments and contents among what `check` found; None where all are whole after all.

    `aside` is a new or empty folder outside the archive. Raises `UsageError` where it is not, `Damaged` where a
    manifest is damaged, `Locked` where somebody writes; then nothing was changed.
    """
    found = list(found)
    names = {one.where for one in found if one.code in ACCEPTED}
    for one in found:
        if one.code in LOG - SEGMENTS:
            raise Damaged(f"{one.where}: {one.what}; only a copy mends that, nothing else says what was committed")
    if not names:
        return None
    _check_folder(path, aside)
    _finish(path)
    with Lock(path):
        lost = _keep(path, make_folder(aside), names)
        archive = read_id(path)
        storage = sealed(load_storage("local", path), unlock(path, archive))
        given = give_up(storage, archive, f"accepted-{secrets.token_hex(3)}", names)
    if given is None:
        return None
    if not given.segments:
        with Archive.write(path) as writing:
            finish(writing)
        return Accepted(given, {}, 0)
    rebuild(path, policies)
    rows = {table: count for table in KEYS if (count := _only_before(table, path, aside, lost))}
    with suppress(OSError):
        (aside / BEFORE).rmdir()
    with Archive.write(path) as writing:
        with suppress(ArchiveError), closing(Catalog(aside / CATALOG)) as old:
            register(writing, map(owner_of, old.known()))
        writing.seal()
        known = writing.catalog.find_all(list(lost)).values()
        threads = look_again(writing, [one.thread for one in known if one.state != "gone"], policies or Policies())
    return Accepted(given, rows, threads)


def _finish(path: Path) -> None:
    """Finish what a crash left, as far as that can be done beside what is damaged."""
    try:
        Archive.write(path).close()
    except (Locked, DiskFull):
        raise
    except ArchiveError:
        return


def _check_folder(path: Path, aside: Path) -> None:
    if aside.resolve().is_relative_to(path.resolve()):
        raise UsageError(f"{aside}: it is in the archive, which `exporter erase` has to look through; name another")
    if aside.exists() and (not aside.is_dir() or any(aside.iterdir())):
        raise UsageError(f"{aside}: it is there already, and not an empty folder; name another")


def _keep(path: Path, aside: Path, names: Iterable[str]) -> set[ThreadRef]:
    """Put aside what tells what was lost; return the threads that the catalog knows to have lost pages."""
    with translated(aside):
        for name in names:
            make_folder((aside / name).parent)
            if (path / name).is_dir():  # whatever it is, it lies where nothing else may
                shutil.move(path / name, aside / name)
                continue
            try:
                shutil.copyfile(path / name, aside / name)
            except OSError as error:
                if error.errno not in LOST:
                    raise
        segments = [name for name in names if not name.startswith("blobs/")]
        for file in (file for table in KEYS for file in (path / table).glob("*.parquet") if segments):
            target = make_folder(aside / BEFORE / file.parent.name) / file.name
            try:
                os.link(file, target)
            except OSError:
                shutil.copyfile(file, target)
    try:
        with closing(sqlite3.connect(path / CATALOG)) as old, closing(sqlite3.connect(aside / CATALOG)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")  # one file, and nothing beside it
        with Archive.open(path) as archive:
            return losses.threads_of(archive, segments)
    except (sqlite3.DatabaseError, ArchiveError):
        return set()  # the tables may still know


def _only_before(table: str, path: Path, aside: Path, lost: set[ThreadRef]) -> int:
    """Keep the rows that a table had and has no more, and add their threads to those that lost something.

    A file of before stays as it is where it cannot be read, or its rows cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = 0
    for file in sorted((aside / BEFORE / table).glob("*.parquet")):
        with suppress(pa.ArrowException, OSError):
            for number, rows in enumerate(_rows_gone(table, file, path / table / file.name)):
                pq.write_table(rows, make_folder(aside / table) / f"{file.stem}-{number:03d}.parquet")
                lost.update(ThreadRef(**row) for row in rows.select(WHOSE).rename_columns(REF).to_pylist())
                count += len(rows)
            file.unlink()
    with suppress(OSError):
        (aside / BEFORE / table).rmdir()
    return count


def _rows_gone(table: str, before: Path, after: Path) -> Iterator[pa.Table]:
    """Yield the rows of a file that the one which took its place has not, if any did."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    known = pa.chunked_array(list(_keys(table, after)) if after.exists() else [], pa.string()).combine_chunks()
    with pq.ParquetFile(before, page_checksum_verification=True) as old:
        for group in range(old.num_row_groups):
            rows = old.read_row_group(group)
            rows = rows.filter(pc.invert(pc.is_in(_key(table, rows), known)))
            if len(rows):
                yield rows


def _keys(table: str, file: Path) -> Iterator[pa.Array[Any]]:
    import pyarrow.parquet as pq

    name, more = KEYS[table]
    columns = [*WHOSE, *([name, "seq"] if name else []), *more]
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(columns=columns):
            yield _key(table, batch)


def _key(table: str, rows: pa.Table | pa.RecordBatch) -> pa.Array[Any]:
    """Return what tells the rows of a table apart; an object without an id is told by its position."""
    import pyarrow as pa
    import pyarrow.compute as pc

    name, more = KEYS[table]
    columns: list[Any] = [rows.column(one) for one in (*WHOSE, *more)]
    if name:
        ids = rows.column(name)
        place = pc.if_else(pc.is_null(ids), pc.cast(rows.column("seq"), pa.string()), "")
        columns += [ids, place]
    texts: list[Any] = [*(pc.cast(one, pa.string()) for one in columns), "\x1f"]
    joined: pa.Array[Any] = pc.binary_join_element_wise(*texts, null_handling="replace", null_replacement="\x00")
    return joined
