"""Whether a text is anywhere in a folder: in any file's bytes, also once unpacked."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def holding(folder: Path, text: bytes) -> list[str]:
    """Name the files that have the text, in their bytes, in what is packed in them, or in their own names."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if text in name.encode() or (path.is_file() and any(text in form for form in _forms(path))):
            found.append(name)
    return found


def unpacked(data: bytes) -> bytes:
    """Return what all frames of a file hold."""
    return zstd.decompress(data)


def _forms(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    if path.name.endswith(".zst"):
        yield unpacked(data)
    if path.name.endswith(".parquet"):
        yield repr(pq.read_table(io.BytesIO(data)).to_pylist()).encode()
