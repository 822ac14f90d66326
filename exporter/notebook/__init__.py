"""What one wants of an archive in a notebook: tables, SQL with ready views, and conversations to read.

    import exporter

    archive = exporter.open("archive")
    archive.messages(where="ts >= '2026-11-01'", columns=["ts", "role", "text"]).pandas()
    archive.sql("select * from daily_volume").show()
    archive.thread("thread_abc123")

The idea: DuckDB reads the tables where they lie. Nothing is copied, nothing is written and no lock is taken, so a
backup may go on beside; each question sees what is there when it is asked. A ready view is one file in `views/`.
"""

from __future__ import annotations

from pathlib import Path

from exporter.archive import read_id
from exporter.notebook._notebook import Notebook
from exporter.notebook._table import Table
from exporter.notebook._transcript import Transcript


def open(path: str | Path, *, memory: str = "500MB", threads: int | None = None) -> Notebook:  # noqa: A001 - exporter.open
    """Open an archive for reading; `NoArchive` where there is none.

    `memory` is what SQL may use before it spills to the disk, `threads` how many of the machine's cores; None is all.
    """
    place = Path(path).expanduser().absolute()
    read_id(place)
    return Notebook(place, memory=memory, threads=threads)


__all__ = ["Notebook", "Table", "Transcript", "open"]
