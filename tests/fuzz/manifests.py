"""Manifests, changed with and without their hash made right again."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import strategies as st

from exporter.archive import _manifests
from exporter.archive._lines import dump
from exporter.archive._manifests import FIELD, ZEROS, Manifest
from exporter.model import Segment
from tests.fuzz._inputs import mutated, objects, values

SEGMENT = Segment("segments/2026/11/000000001-0123456789ab.jsonl.zst", "0" * 64, 1, 1, 9, 9, "w")
SAMPLE = _manifests.encode(Manifest("a" * 32, 1, None, "2026", "r", (SEGMENT,), {"command": "backup"}))
NAMES = ("format", "archive", "number", "previous", "created_at", "run", "segments", "report", "erased")


def hashed(fields: dict[str, Any]) -> bytes:
    """A manifest of any fields, whose hash is right."""
    data = dump({**fields, "sha256": "0" * 64}) + b"\n"
    return data.replace(FIELD + ZEROS, FIELD + hashlib.sha256(data).hexdigest().encode())


INPUT = (
    mutated(SAMPLE)
    | st.binary(max_size=99)
    | (st.dictionaries(st.sampled_from(NAMES), values | st.lists(objects, max_size=2), max_size=9).map(hashed))
)


def parse(data: bytes) -> None:
    _manifests.decode(data, "manifests/000000001.json")
