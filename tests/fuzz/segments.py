"""Segments that are not what was sealed, read as check, rebuild and every reader do."""

from __future__ import annotations

import hashlib
import io
import sys
from contextlib import suppress
from dataclasses import replace

from hypothesis import strategies as st

from exporter.archive import _segments, _verify
from exporter.archive._blobs import Blobs
from exporter.archive._lines import header_line, page_lines, read_mark, read_records
from exporter.errors import ArchiveError
from exporter.model import Item, Segment
from exporter.storage import load
from tests.archive.making import AT, in_memory, page
from tests.fuzz._inputs import as_json, mutated, objects

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FILE = replace(page(0), kind="file", list="files", items=(Item("f", b'{"sha256":"' + b"a" * 64 + b'"}'),))
RAW = header_line("a" * 32, "w", AT) + b"".join(page_lines(one, "r") for one in (page(0, 3), FILE, page(3, 2)))


def sealed(raw: bytes) -> bytes:
    return zstd.compress(raw, options=_segments.OPTIONS)


def _named(fields: object) -> bytes:
    """Pages whose bytes agree with their mark, whatever it says."""
    said = as_json(fields)
    line = b'{"kind":"file","id":"x","seq":0,"observed_at":"2026","body":%s}\n' % said
    import zlib

    mark = {"kind": "page", "bytes": len(line), "crc32": f"{zlib.crc32(line):08x}", "count": 1, "of": "file"}
    mark |= fields if isinstance(fields, dict) else {}
    return header_line("a" * 32, "w", AT) + line + as_json(mark).replace(b'": ', b'":').replace(b", ", b",") + b"\n"


INPUT = (
    mutated(lambda: sealed(RAW)) | mutated(RAW).map(sealed) | objects.map(_named).map(sealed) | st.binary(max_size=90)
)


def parse(data: bytes) -> None:
    name = f"segments/2026/11/000000001-{hashlib.sha256(data).hexdigest()[:12]}.jsonl.zst"
    with in_memory() as folder:
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(data)
        storage = load("local", folder)
        said = Segment(name, "", 1, 1, len(data), 1, "w")
        assert len(list(_verify.segment(said, storage, "a" * 32, Blobs(storage).see))) == 1
    with suppress(ArchiveError):
        _segments.read_header(io.BytesIO(data), name)
    with suppress(ArchiveError):
        list(_segments.read_at(io.BytesIO(data), 0, (b"{",), name))
    for frame in _segments.frames(io.BytesIO(data), name):
        for lines in frame.pages:
            read_mark(lines[-1])
            read_records(lines[:-1])
