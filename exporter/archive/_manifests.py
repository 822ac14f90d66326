"""Manifests: the commit log, numbered without holes, each holding the hash of the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from exporter.archive._lines import FORMAT, dump, load, stamp
from exporter.errors import Damaged
from exporter.files import writing
from exporter.model import Segment, now
from exporter.storage import Storage

ZEROS = b"0" * 64
FIELD = b'"sha256":"'


@dataclass(frozen=True, slots=True)
class Manifest:
    """One commit: which segments it adds, and at the end of a run its report."""

    archive: str
    number: int
    previous: str | None
    created_at: str
    run: str
    segments: tuple[Segment, ...]
    report: dict[str, Any] | None
    file_sha256: str = ""
    "Hash of the whole file: the next manifest's `previous`."

    @property
    def name(self) -> str:
        """Where it is kept."""
        return manifest_name(self.number)


def manifest_name(number: int) -> str:
    """Name the file of a manifest."""
    return f"manifests/{number:09d}.json"


def draft(
    archive: str, last: Manifest | None, run: str, segments: tuple[Segment, ...], report: dict[str, Any] | None
) -> Manifest:
    """Make the manifest that follows `last`."""
    number, previous = (last.number + 1, last.file_sha256) if last else (1, None)
    return Manifest(archive, number, previous, stamp(now()), run, segments, report)


def commit(manifest: Manifest, storage: Storage) -> Manifest:
    """Write a manifest; when this returns, what it names is committed. FileExistsError if its number is taken."""
    data = encode(manifest)
    path = storage.tmp() / f"{manifest.number:09d}.json"
    with writing(path) as file:
        file.write(data)
    storage.create(manifest.name, path)
    return decode(data, manifest.name)


def encode(manifest: Manifest) -> bytes:
    """Turn a manifest into its file."""
    fields = {
        "format": FORMAT,
        "archive": manifest.archive,
        "number": manifest.number,
        "previous": manifest.previous,
        "created_at": manifest.created_at,
        "run": manifest.run,
        "segments": [asdict(segment) for segment in manifest.segments],
        "report": manifest.report,
    }
    data = dump(fields)[:-1] + b',"sha256":"' + ZEROS + b'"}\n'
    return data.replace(FIELD + ZEROS, FIELD + hashlib.sha256(data).hexdigest().encode())


def decode(data: bytes, name: str) -> Manifest:
    """Read a manifest's file; `Damaged`, naming it, if any byte of it changed."""
    at = data.rfind(FIELD) + len(FIELD)
    digest = data[at : at + 64]
    if data[at + 64 :] != b'"}\n' or hashlib.sha256(data[:at] + ZEROS + data[at + 64 :]).hexdigest().encode() != digest:
        raise Damaged(f"{name}: its bytes differ from what was committed; restore this file from a copy")
    fields = load(data)
    return Manifest(
        archive=fields["archive"],
        number=fields["number"],
        previous=fields["previous"],
        created_at=fields["created_at"],
        run=fields["run"],
        segments=tuple(Segment(**segment) for segment in fields["segments"]),
        report=fields["report"],
        file_sha256=hashlib.sha256(data).hexdigest(),
    )


def read(storage: Storage, number: int) -> Manifest | None:
    """Read a manifest by its number; None if there is none."""
    name = manifest_name(number)
    try:
        with storage.open(name) as file:
            return decode(file.read(), name)
    except FileNotFoundError:
        return None


def log(storage: Storage, since: int = 0) -> Iterator[Manifest]:
    """Read all manifests after `since`, in order; `Damaged` at a hole, a changed byte or a broken chain."""
    last = read(storage, since) if since else None
    for name in storage.names("manifests"):
        number = int(name.rsplit("/", 1)[-1].removesuffix(".json"))
        if number <= since:
            continue
        expected = last.number + 1 if last else since + 1
        manifest = read(storage, number)
        if number != expected or manifest is None or manifest.number != number:
            raise Damaged(f"{manifest_name(expected)}: it is missing; restore this file from a copy")
        if last is not None and manifest.previous != last.file_sha256:
            raise Damaged(f"{last.name}: it is not the file that {name} follows; restore this file from a copy")
        yield manifest
        last = manifest
