"""Manifests: the commit log, numbered without holes, each holding the hash of the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from exporter.archive._lines import FORMAT, dump, load, stamp
from exporter.errors import Damaged, Locked
from exporter.files import writing
from exporter.model import Segment, now
from exporter.storage import Storage

ZEROS = b"0" * 64
FIELD = b'"sha256":"'
ERASED = b'"erased":{'
"Stands in each manifest that erases something, and in no other: quotes inside strings are escaped."


@dataclass(frozen=True, slots=True)
class Replaced:
    """A segment that was written again without the pages of erased threads, under the same number."""

    old: Segment
    new: Segment


@dataclass(frozen=True, slots=True)
class Amended:
    """A manifest whose report quoted erased threads, and does not any more: the hashes of both files."""

    number: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """What a manifest takes out of the archive; nothing of what it takes out stands here."""

    threads: tuple[str, ...]
    "The tombstones of the threads."
    ids: tuple[str, ...]
    "The hashes of their ids alone: who has nothing but an id can tell that it was erased."
    replaced: tuple[Replaced, ...]
    amended: tuple[Amended, ...]
    about: dict[str, Any]
    "How it was asked for, and how much was found."


@dataclass(frozen=True, slots=True)
class Manifest:
    """One commit: which segments it adds, at the end of a run its report, and what is erased from those before."""

    archive: str
    number: int
    previous: str | None
    created_at: str
    run: str
    segments: tuple[Segment, ...]
    report: dict[str, Any] | None
    erased: Erasure | None = None
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
    return int(PurePosixPath(name).stem)


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
        **({"erased": asdict(manifest.erased)} if manifest.erased else {}),
    }
    begin, end = dump(fields)[:-1] + b"," + FIELD, b'"}\n'
    return begin + hashlib.sha256(begin + ZEROS + end).hexdigest().encode() + end


def decode(data: bytes, name: str) -> Manifest:
    """Read a manifest's file; `Damaged`, naming it, if any byte of it changed."""
    at = data.rfind(FIELD) + len(FIELD)
    digest = data[at : at + 64]
    if data[at + 64 :] != b'"}\n' or hashlib.sha256(data[:at] + ZEROS + data[at + 64 :]).hexdigest().encode() != digest:
        raise Damaged(f"{name}: its bytes differ from what was committed; restore this file from a copy")
    try:
        return _manifest(load(data), hashlib.sha256(data).hexdigest())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = "it is whole, and no manifest as this version knows it"
        raise Damaged(f"{name}: {what} ({error!r}); upgrade exporter, or restore this file from a copy") from error


def _manifest(fields: dict[str, Any], file_sha256: str) -> Manifest:
    return Manifest(
        archive=fields["archive"],
        number=fields["number"],
        previous=fields["previous"],
        created_at=fields["created_at"],
        run=fields["run"],
        segments=tuple(Segment(**segment) for segment in fields["segments"]),
        report=fields["report"],
        erased=_erasure(fields["erased"]) if "erased" in fields else None,
        file_sha256=file_sha256,
    )


def _erasure(fields: dict[str, Any]) -> Erasure:
    return Erasure(
        threads=tuple(fields["threads"]),
        ids=tuple(fields["ids"]),
        replaced=tuple(Replaced(Segment(**one["old"]), Segment(**one["new"])) for one in fields["replaced"]),
        amended=tuple(Amended(**one) for one in fields["amended"]),
        about=fields["about"],
    )


class Later:
    """What erasing manifests say of the files before them: under which names, and with which hashes, they are now."""

    def __init__(self, erasing: Iterable[Manifest] = ()) -> None:
        self._segments: dict[str, Segment] = {}
        self._files: dict[tuple[int, str], str] = {}
        self.given_up: set[str] = set()
        "Contents of files, as they are named on the disk, without which the archive goes on."
        for manifest in erasing:
            erased = manifest.erased
            assert erased is not None
            self._segments.update((one.old.name, one.new) for one in erased.replaced)
            self._files.update(((one.number, one.old), one.new) for one in erased.amended)
            self.given_up.update(map(str, erased.about.get("contents", ())))

    @classmethod
    def read(cls, storage: Storage, since: int = 0) -> Later:
        """Read the erasing manifests after `since`; those that cannot be read say nothing here."""
        return cls(erasing(storage, since))

    def segment(self, one: Segment) -> Segment:
        """Return what a segment has become."""
        while one.name in self._segments:
            one = self._segments[one.name]
        return one

    def named(self, name: str) -> Segment | None:
        """Return what a segment of this name has become; None if it is as it was."""
        return self.segment(self._segments[name]) if name in self._segments else None

    def resolved(self, manifest: Manifest) -> Manifest:
        """Return a manifest with the segments that its own have become."""
        segments, erased = tuple(map(self.segment, manifest.segments)), manifest.erased
        if erased is not None:
            newest = tuple(Replaced(one.old, self.segment(one.new)) for one in erased.replaced)
            erased = replace(erased, replaced=newest)
        return replace(manifest, segments=segments, erased=erased)

    def follows(self, manifest: Manifest, last: Manifest) -> bool:
        """Tell whether a manifest names the one before it, as that was or as it has become."""
        digest = manifest.previous
        while digest is not None and digest != last.file_sha256:
            digest = self._files.get((last.number, digest))
        return digest is not None


def erasing(storage: Storage, since: int = 0) -> Iterator[Manifest]:
    """Read the manifests after `since` that erase something, in order; skip what cannot be read."""
    for number in sorted(numbers(storage)):
        with suppress(OSError, Damaged, ValueError, KeyError, TypeError):
            if number > since and (found := _erasing(storage, number)) is not None:
                yield found


def _erasing(storage: Storage, number: int) -> Manifest | None:
    name = manifest_name(number)
    with storage.open(name) as file:
        data = file.read()
    found = decode(data, name) if ERASED in data else None
    return found if found and found.erased else None


def read(storage: Storage, number: int) -> Manifest | None:
    """Read a manifest by its number; None if there is none."""
    name = manifest_name(number)
    try:
        with storage.open(name) as file:
            return decode(file.read(), name)
    except FileNotFoundError:
        return None


def log(storage: Storage, since: int = 0) -> Iterator[Manifest]:
    """Read all manifests after `since`, in order; `Damaged` at a hole, a changed byte or a broken chain.

    Each names the segments as they are now: those that were rewritten since by their newest names.
    """
    last, later = read(storage, since) if since else None, Later.read(storage, since)
    if since and last is None:
        raise missing(since)
    number = since + 1
    while manifest := read(storage, number) or _late(storage, number):
        if last and not later.follows(manifest, last):
            later = Later.read(storage, since)  # something may be erased just now
        if manifest.number != number or (last and not later.follows(manifest, last)):
            raise Damaged(f"{manifest.name}: it does not follow the one before; restore both files from a copy")
        yield later.resolved(manifest)
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
