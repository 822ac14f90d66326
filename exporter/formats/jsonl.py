"""JSON lines: one record a line, as `docs/format.md` describes it; the body is byte for byte what was archived."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import BinaryIO

from exporter.model import Record

BODY = b',"body":'


def write(records: Iterable[Record], out: BinaryIO) -> int:
    """Write one line per record; return how many."""
    count = 0
    for record in records:
        count += 1
        out.write(line(record) + b"\n")
    return count


def line(record: Record) -> bytes:
    """Return a record as its line in a segment, without the end of line."""
    thread, parent = record.thread, {} if record.parent is None else {"parent": record.parent}
    fields = {
        "kind": record.kind,
        "source": thread.source,
        "endpoint": thread.endpoint,
        "thread": thread.id,
        "id": record.id,
        "seq": record.seq,
        "observed_at": f"{record.observed_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "run": record.run,
        **parent,
    }
    return json.dumps(fields, separators=(",", ":"))[:-1].encode() + BODY + record.body + b"}"
