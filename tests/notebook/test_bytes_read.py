"""A filter reads only what it needs: told by the system's own count of bytes read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import exporter
from exporter.tables import _parquet
from tests.notebook.making import months

COUNTS = Path("/proc/self/io")


def bytes_read(read: Callable[[], Any]) -> int:
    """How many bytes this process reads, from whatever files, while something is done."""

    def so_far() -> int:
        return int(COUNTS.read_text("utf-8").split("rchar:")[1].split()[0])

    before = so_far()
    read()
    return so_far() - before


@pytest.mark.skipif(not COUNTS.exists(), reason="only Linux counts what a process reads")
def test_a_filter_reads_only_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parquet, "GROUP_BYTES", 1 << 19)  # as many row groups as a month of a large archive has
    path = months(tmp_path / "a")
    files = [pq.ParquetFile(file) for file in sorted((path / "messages").glob("2*.parquet"))]
    assert len(files) == 4
    assert min(file.num_row_groups for file in files) >= 3
    size = sum(file.stat().st_size for file in (path / "messages").iterdir())
    notebook = exporter.open(path)
    notebook.messages().polars(lazy=True).head(1).collect()  # imports are read too

    everything = bytes_read(lambda: notebook.messages().arrow())
    assert everything >= size

    month = "ts >= '2025-11-01' and ts < '2025-12-01'"
    assert notebook.messages(where=month).count() == 1_500
    assert bytes_read(lambda: notebook.messages(where=month).arrow()) < everything * 0.35
    assert bytes_read(lambda: notebook.messages(["ts", "role"]).arrow()) < everything * 0.1
    assert bytes_read(lambda: notebook.messages(where="thread_id = 't007'").arrow()) < everything * 0.2
    assert bytes_read(lambda: notebook.messages().count()) < everything * 0.1
    assert bytes_read(lambda: notebook.sql("select * from daily_volume").fetchall()) < everything * 0.1
    one = "select * from dialogue where thread_id = 't007' order by seq"
    assert len(notebook.sql(one).fetchall()) == 250
    assert bytes_read(lambda: notebook.sql(one).fetchall()) < everything * 0.3
    lazy = notebook.messages().polars(lazy=True)
    assert bytes_read(lambda: lazy.select("ts").collect()) < everything * 0.1
    assert bytes_read(lambda: lazy.filter(pl.col("thread_id") == "t007").collect()) < everything * 0.2
