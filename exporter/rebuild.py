"""Make catalog and tables again from the segments, which are the truth and stay as they are."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

from exporter.archive import TABLES, Archive, TableFile, read_id
from exporter.archive._lock import Lock
from exporter.archive._sqlite import put_in_place
from exporter.archive.catalog import Catalog
from exporter.files import make_folder, sha256_of
from exporter.tables import publish


def rebuild(path: Path) -> None:
    """Make the catalog and all tables again; readers beside see the old or the new, file by file."""
    read_id(path)
    with Lock(path):
        _catalog(path)
    with Archive.write(path) as archive:
        _tables(archive)


def _catalog(path: Path) -> None:
    folder = make_folder(path / ".exporter" / "rebuild")
    try:
        for left in folder.iterdir():  # by a rebuild that was cut short
            left.unlink()
        with closing(Catalog(folder / "catalog.sqlite", create=True)) as fresh:
            Archive(path, fresh).index_into(fresh)
        put_in_place(folder / "catalog.sqlite", path / "catalog.sqlite")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tables(archive: Archive) -> None:
    """Publish everything beside, then let each file take its place, noted as publishing notes it."""
    folder, newest = archive.tmp(), archive.manifest()
    publish(archive, 0, into=folder)
    for table in TABLES:
        made = {file.name for file in (folder / table).glob("*.parquet")}
        for name in sorted(made):
            _replace(archive, f"{table}/{name}", folder / table / name, newest)
        for file in sorted((archive.path / table).glob("*.parquet")):
            if file.name not in made:
                archive.note_table_file(f"{table}/{file.name}", None, TableFile("", 0, newest))
                file.unlink()
    archive.catalog.note_fact("published", str(newest))
    shutil.rmtree(folder, ignore_errors=True)


def _replace(archive: Archive, name: str, made: Path, newest: int) -> None:
    import pyarrow.parquet as pq

    sha256 = sha256_of(made.open("rb"))
    rows = int(pq.read_metadata(made).num_rows)
    archive.note_table_file(name, sha256, None)
    archive.storage.replace(name, made)
    archive.note_table_file(name, None, TableFile(sha256, rows, newest))
