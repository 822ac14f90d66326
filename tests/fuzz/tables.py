"""Parquet files in the folders of tables that are not what was published."""

from __future__ import annotations

from hypothesis import strategies as st

from exporter.archive import Archive
from exporter.archive._published import Published
from exporter.check._unique import doubled
from exporter.errors import Damaged
from exporter.tables import compare, outdated
from exporter.tables._parquet import manifest_of
from tests.archive.making import in_memory
from tests.archive.publishing import published
from tests.fuzz._inputs import mutated

FILE = "messages/2025-10.parquet"


def _sample() -> bytes:
    with in_memory() as folder:
        return (published(folder / "a") / FILE).read_bytes()


INPUT = mutated(_sample) | st.binary(max_size=60)


def parse(data: bytes) -> None:
    with in_memory() as folder:
        path = published(folder / "a")
        (path / FILE).write_bytes(data)
        list(doubled(path))
        outdated(path)
        list(compare(path, path))
        with Archive.open(path) as archive:
            list(Published(archive, archive.manifest()).findings())
        try:
            manifest_of(path / FILE)
        except Damaged:
            return
