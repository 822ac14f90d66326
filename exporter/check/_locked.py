"""An encrypted archive without its key: every file is compared with its hash, none is opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from exporter.archive import _verify as verify
from exporter.archive._keyfile import NAME, VARIABLE
from exporter.archive._verify import damage
from exporter.errors import ArchiveError, NoKey
from exporter.files import sha256_of
from exporter.model import Finding, Segment
from exporter.storage import Storage
from exporter.storage import load as load_storage


def without_key(path: Path, archive: str, why: ArchiveError) -> Iterator[Finding]:
    """Compare manifests and segments with their hashes, and say what that leaves open."""
    if not isinstance(why, NoKey):
        yield damage("keys_damaged", NAME, why)
    storage = load_storage("local", path)
    for found in verify.manifests(storage, archive, 0):
        if isinstance(found, Finding):
            yield found
            continue
        for segment in found.segments:
            yield from _hashed(segment, storage)
    what = "it is encrypted, and without its key only the hashes of manifests and segments were compared"
    yield Finding("not_opened", "archive.json", what, f"name its key ({VARIABLE}_FILE) to read everything", "note")


def _hashed(one: Segment, storage: Storage) -> Iterator[Finding]:
    try:
        if sha256_of(storage.open(one.name)) != one.sha256:
            yield damage("segment_damaged", one.name, "it is not the file that its manifest names")
    except FileNotFoundError:
        yield damage("segment_missing", one.name, "it is missing")
    except OSError as error:
        yield damage("segment_damaged", one.name, error)
