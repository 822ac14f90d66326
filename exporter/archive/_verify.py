"""Reading manifests and segments to the last byte, to find whatever is not as it was committed. Changes nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO, cast

from exporter.archive import _manifests, _segments
from exporter.archive._cipher import ENC
from exporter.archive._encrypted import as_kept, kept
from exporter.archive._lines import read_mark, read_seqs
from exporter.archive._manifests import Later, Manifest
from exporter.archive._segments import is_remainder
from exporter.errors import ArchiveError, Damaged
from exporter.files import sha256_of
from exporter.model import Code, Finding, Mark, Segment, ThreadRef
from exporter.storage import Storage

RESTORE = "restore this file from a copy"
REBUILD = "run `exporter rebuild`"
UNREADABLE = (ArchiveError, OSError, ValueError, KeyError, TypeError, AttributeError)

SEGMENT = re.compile(r"segments/\d{4}/\d\d/(\d{9,})-[0-9a-f]{12}[^/]*")

See = Callable[[Mark, list[bytes]], None]
"Is told of every page: its mark, and its lines, the mark's being the last."


def damage(code: Code, where: str, error: object, help_: str = RESTORE) -> Finding:
    """A finding from an error or a sentence; what an error says to do is its last part."""
    what = str(error).removeprefix(f"{where}: ")
    if isinstance(error, ArchiveError) and "; " in what:
        what, help_ = what.rsplit("; ", 1)
    return Finding(code, where, what, help_)


def manifests(storage: Storage, archive: str, at_least: int) -> Iterator[Manifest | Finding]:
    """Every manifest that can be read, and what is wrong with the log; it must reach `at_least` this number.

    Each names the segments as they are now.
    """
    last, later = None, Later.read(storage)
    for number in range(1, max(at_least, *_manifests.numbers(storage), 0) + 1):
        found = list(_one(storage, archive, number, last, later))
        yield from found
        last = next((one for one in found if isinstance(one, Manifest)), None)


def manifest(storage: Storage, archive: str, number: int, later: Later) -> Iterator[Manifest | Finding]:
    """One manifest of the log, if it can be read, and what is wrong with it; `later` knows what was erased since."""
    try:
        last = _manifests.read(storage, number - 1) if number > 1 else None
    except UNREADABLE:
        last = None  # which is told where that one is looked at
    yield from _one(storage, archive, number, last, later)


def _one(
    storage: Storage, archive: str, number: int, last: Manifest | None, later: Later
) -> Iterator[Manifest | Finding]:
    name = _manifests.manifest_name(number)
    try:
        found = _manifests.read(storage, number)
    except UNREADABLE as error:
        yield damage("manifest_damaged", name, error)
        return
    if found is None:
        yield damage("manifest_missing", name, "it is missing")
    else:
        if last and not later.follows(found, last):
            later = Later.read(storage)  # something may be erased just now
        yield from _misfits(found, name, archive)
        if last and not later.follows(found, last):
            yield damage("chain_broken", last.name, f"it is not the file that {name} follows")
        yield later.resolved(found)


def _misfits(manifest: Manifest, name: str, archive: str) -> Iterator[Finding]:
    if manifest.number != _manifests.number_of(name):
        yield damage("manifest_damaged", name, f"it says that its number is {manifest.number}")
    if manifest.archive != archive:
        what = "it is of another archive than archive.json says"
        yield damage("other_archive", name, what, "restore the one that was changed")


def committed(names: Iterable[str]) -> dict[int, str]:
    """Return by their numbers the segments that a catalog names; no commit ever named what looks otherwise."""
    return {int(found[1]): name for name in names if (found := SEGMENT.fullmatch(name))}


def dropped(name: str | None, found: Manifest, storage: Storage) -> Iterator[Finding]:
    """Find out whether a manifest does not name the segment that a catalog, which was read before, took from it."""
    if name is None or name in {one.name for one in found.segments}:
        return
    if Later.read(storage).named(name) is None:  # else it was written again since
        yield unnamed(found.number, name)


def unnamed(number: int, name: str) -> Finding:
    """Say that a manifest was written again by another hand, without its segment."""
    where = _manifests.manifest_name(number)
    return damage("manifest_damaged", where, f"it does not name {name}, which was committed with it")


def segment(one: Segment, storage: Storage, archive: str, see: See, walk: Walk | None = None) -> Iterator[Finding]:
    """Read a segment and compare it with what its manifest says: at most one finding.

    With `walk`, which was given to all segments before, positions have to go on where those ended.
    """
    walk = Walk() if walk is None else walk
    try:
        with storage.open(one.name) as file:
            found = _read(file, one.name, archive, see, walk)
        if one.name.endswith(ENC):  # its hash is that of the bytes on the disk
            found = replace(found, sha256=sha256_of(kept(storage).open(one.name)))
    except FileNotFoundError:
        newest = Later.read(storage).segment(one)
        if newest != one:  # it was written again just now, as something is erased
            yield from segment(newest, storage, archive, see, walk)
            return
        yield damage("segment_missing", one.name, "it is missing")
    except UNREADABLE as error:
        yield damage("segment_damaged", one.name, error)
    else:
        found = as_kept(found, storage)
        if found != one:
            yield damage("segment_damaged", one.name, "it is not the file that its manifest names")
        walk.ended(whole=found == one and not is_remainder(one.name))
        return
    walk.ended(whole=False)


def _read(file: BinaryIO, name: str, archive: str, see: See, walk: Walk) -> Segment:
    if _segments.read_header(file, name).get("archive") != archive:
        raise Damaged(f"{name}: its header names another archive; {RESTORE}")
    file.seek(0)
    hashing = _Hashing(file)
    walk.name = name

    def seen(lines: list[bytes]) -> None:
        mark = read_mark(lines[-1])
        walk.step(mark, lines[:-1])
        see(mark, lines)

    found = _segments.describe(name, "", cast("BinaryIO", hashing), seen)  # which only reads forward
    return replace(found, sha256=hashing.hexdigest())


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        return data

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class Walk:
    """The lists of segments: positions go on where the page before ended, or begin again."""

    def __init__(self) -> None:
        self.name = ""
        "The segment that is being read."
        self._next: dict[tuple[ThreadRef, str], tuple[int, bool]] = {}
        "Of each list, what comes next, and whether its first walk goes on after this page."

    def step(self, mark: Mark, lines: list[bytes]) -> None:
        """Take a page; `Damaged` where it does not follow the one before."""
        if read_seqs(lines) != list(range(mark.seq, mark.seq + mark.count)):
            raise Damaged(f"{self.name}: {mark.thread}: positions in {mark.list} do not ascend by one; {RESTORE}")
        if mark.kind in ("registration", "visit"):
            return
        expected, _ = self._next.get((mark.thread, mark.list), (mark.seq, True))
        after = max(mark.position.seq, mark.seq + mark.count)
        self._next[mark.thread, mark.list] = after, mark.fresh and mark.position.more
        # a walk from the beginning writes only what changed, and leaves out the positions between
        if mark.fresh and mark.seq > expected and not is_remainder(self.name):
            raise Damaged(f"{self.name}: {mark.thread}: {mark.list} misses positions from {expected}; {RESTORE}")

    def ended(self, *, whole: bool) -> None:
        """End a segment: of those lists that were in the middle of a walk, the next one goes on; else they are few."""
        self._next = {of: place for of, place in self._next.items() if whole and place[1]}
