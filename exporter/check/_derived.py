"""What can be made again, against what it is made of: rows that are doubled, a rebuild beside, open gaps."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from exporter.archive import Archive
from exporter.archive._lines import load
from exporter.archive._verify import REBUILD, damage
from exporter.archive.catalog import Catalog
from exporter.check._catalog import CATALOG
from exporter.files import make_folder
from exporter.model import Finding


def gaps(archive: Archive) -> Iterator[Finding]:
    """The open gaps, which are no damage: a thread's newest visit tells all of them."""
    for known in archive.catalog.known(state="partial"):
        newest = None
        for newest in archive.records(known.thread, "visit"):  # noqa: B007 - the last one is wanted
            pass
        for gap in load(newest.body)["gaps"] if newest else ():
            what = f"gap in {gap['list']} after {gap['after'] or 'the beginning'}: {gap['code']}: {gap['detail']}"
            yield Finding("gap", str(known.thread), what, "the next backup asks again", "note")


class _Beside(Archive):
    """The archive as a fresh catalog knows it, which puts nothing into the archive's folder."""

    folder: Path

    def tmp(self) -> Path:
        """A fresh folder elsewhere."""
        return Path(tempfile.mkdtemp(dir=self.folder))


def rebuilt(archive: Archive) -> Iterator[Finding]:
    """Make catalog and tables again in a temporary folder, as of the same commits, and compare value by value."""
    from exporter.tables import compare, outdated, publish

    if outdated(archive.path):
        what = "they have the columns of another version of exporter, so they were not compared"
        help_ = "the next backup makes them again; so does `exporter rebuild`"
        yield Finding("table_version", "tables", what, help_, "note")
        return
    published, indexed = int(archive.catalog.fact("published") or 0), archive.manifest()
    with tempfile.TemporaryDirectory(prefix="exporter-check-") as name:
        folder = Path(name)
        with closing(Catalog(folder / CATALOG, create=True)) as fresh:
            again = _Beside(archive.path, fresh)
            again.folder = make_folder(folder / "tmp")
            again.index_into(fresh, published)
            publish(again, 0, into=make_folder(folder / "tables"))
            different = list(compare(archive.path, folder / "tables")) if published else []
            again.index_into(fresh, indexed)
            same = _equal(archive.catalog, fresh)
    if moved(archive, published) or archive.manifest() != indexed:
        what = "a backup wrote while they were compared, or one that did not end is to go on"
        yield Finding("not_compared", "tables", what, "run `exporter check --rebuild` again", "note")
        return
    for where in different:
        yield damage("table_differs", where, "it differs from what the segments say", REBUILD)
    if not same:
        yield damage("catalog_differs", CATALOG, "it differs from what the segments say", REBUILD)


def moved(archive: Archive, published: int) -> bool:
    """Tell whether the tables are not, or not all, as of that manifest: they are being published, or were halfway."""
    if int(archive.catalog.fact("published") or 0) != published:
        return True
    return any(row["pending"] or (row["manifest"] or 0) > published for row in archive.catalog.table_rows())


def _equal(one: Catalog, two: Catalog) -> bool:
    end = object()
    left, right = one.content(), two.content()
    while True:
        pair = next(left, end), next(right, end)
        if pair[0] != pair[1] or pair[0] is end:
            return pair[0] is pair[1]
