"""`archive.json`, and the note of who holds the lock."""

from __future__ import annotations

from exporter.archive import read_id
from exporter.archive._lock import Lock
from tests.archive.making import in_memory
from tests.fuzz._inputs import as_json, mutated, objects, texts

INPUT = mutated(b'{"format":1,"archive":"0123","created_at":"2026"}') | texts | objects.map(as_json)


def parse(data: bytes) -> None:
    with in_memory() as folder:
        (folder / ".exporter").mkdir()
        (folder / ".exporter" / "holder.json").write_bytes(data)
        assert Lock(folder).who()
        (folder / "archive.json").write_bytes(data)
        read_id(folder)
