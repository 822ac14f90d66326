"""JSON lines: one record a line, as `docs/format.md` describes it; the body is byte for byte what was archived."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from exporter.archive import record_line
from exporter.model import Record


def write(records: Iterable[Record], out: BinaryIO) -> int:
    """Write one line per record; return how many."""
    count = 0
    for record in records:
        count += 1
        out.write(record_line(record))
    return count
