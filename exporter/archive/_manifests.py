"""Manifests: the commit log, numbered without holes, each holding the hash of the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from exporter.archive._lines import FORMAT, dump, load, stamp
from exporter.errors import Damaged, Locked
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


def number_of(name: str) -> int:
    """Return the number in the name of a manifest's file."""
    return int(name.rsplit("/", 1)[-1].removesuffix(".json"))


def draft(
    archive: str, last: Manifest | None, run: str, segments: tuple[Segment, ...], report: dict[str, Any] | None
) -> Manifest:
    """Make the manifest that follows `last`."""
    number, previous = (last.number + 1, last.file_sha256) if last else (1, None)
    return Manifest(archive, number, previous, stamp(now()), run, segments, report)


def commit(manifest: Manifest, storage: Storage) -> Manifest:
    """Write a manifest; when this returns, what it names is committed. `Locked` if somebody else took its number."""
    data = encode(manifest)
    path = storage.tmp() / f"{manifest.number:09d}.json"
    with writing(path) as file:
        file.write(data)
    try:
        storage.create(manifest.name, path)
    except FileExistsError:
        raise Locked(f"{manifest.name}: another writer made it, past the lock; stop one of them") from None
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
    if since and last is None:
        raise missing(since)
    number = since + 1
    while manifest := read(storage, number) or _late(storage, number):
        if manifest.number != number or (last and manifest.previous != last.file_sha256):
            raise Damaged(f"{manifest.name}: it does not follow the one before; restore both files from a copy")
        yield manifest
        last, number = manifest, number + 1


def _late(storage: Storage, number: int) -> Manifest | None:
    """Tell the end of the log from a hole: a writer may have added several since we looked."""
    if max(numbers(storage), default=0) < number:
        return None
    manifest = read(storage, number)
    if manifest is None:
        raise missing(number)
    return manifest


def numbers(storage: Storage) -> Iterator[int]:
    """The numbers of all manifests there are; other files do not count."""
    for name in storage.names("manifests"):
        stem = name.removeprefix("manifests/").removesuffix(".json")
        if stem.isascii() and stem.isdigit() and manifest_name(int(stem)) == name:
            yield int(stem)


def missing(number: int) -> Damaged:
    """Say that a manifest is not there."""
    return Damaged(f"{manifest_name(number)}: it is missing; restore this file from a copy")
