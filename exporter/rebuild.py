"""Make catalog and tables again from the segments, which are the truth and stay as they are."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

from exporter.archive import Archive, read_id
from exporter.archive._hints import carry_hints
from exporter.archive._lock import Lock
from exporter.archive._sqlite import put_in_place
from exporter.archive.catalog import Catalog
from exporter.files import make_folder, translated
from exporter.retention import Policies
from exporter.tables import publish


def rebuild(path: Path, policies: Policies | None = None) -> None:
    """Make the catalog and all tables again; readers beside see the old or the new, file by file.

    When threads are due, and until when, is worked out again from what is archived, with these policies.
    """
    from exporter.crawl import work_out

    read_id(path)
    with Lock(path):
        _catalog(path)
    with Archive.write(path) as archive:
        newest = archive.manifest()
        publish(archive, 0, afresh=True)
        archive.note_published(newest)
        work_out(archive, policies or Policies())


def _catalog(path: Path) -> None:
    folder = make_folder(path / ".exporter" / "rebuild")
    try:
        with translated(folder):
            for left in folder.iterdir():  # by a rebuild that was cut short
                left.unlink()
        with closing(Catalog(folder / "catalog.sqlite", create=True)) as fresh:
            archive = Archive(path, fresh)
            archive.storage.settle("manifests")  # the catalog must not outlive what it was made of
            archive.index_into(fresh)
            carry_hints(path, read_id(path), fresh)
        put_in_place(folder / "catalog.sqlite", path / "catalog.sqlite")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
