"""What can still be read of a damaged segment, and how the archive goes on with that.

The idea: a frame of a segment stands for itself, so all that a bad sector leaves is found by where frames begin. What
is left is written as a segment of its own, and a manifest says which segment it takes the place of, as one that erases
does. Nothing else is needed for that: neither the catalog, which may be lost too, nor any other segment.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from typing import Any, BinaryIO

from exporter.archive import _manifests, _segments
from exporter.archive._blobs import content
from exporter.archive._encrypted import cipher_of, kept
from exporter.archive._journal import header, pages_until_torn
from exporter.archive._lines import header_line
from exporter.archive._manifests import Erasure, Manifest, Replaced
from exporter.archive._segments import LEFT
from exporter.archive._verify import UNREADABLE
from exporter.errors import Damaged
from exporter.files import sha256_of
from exporter.model import Segment
from exporter.storage import Storage

BLOCKS = (1 << 20, 4096)
"What is read at once, and what of that where it cannot be read: no more is given up than has to be."
REASON = "damaged"
"What `about` says in a manifest by which the archive goes on without what is damaged."


@dataclass(frozen=True, slots=True)
class Given:
    """What an archive goes on without."""

    manifest: int
    segments: tuple[str, ...]
    "That were damaged or missing."
    contents: tuple[str, ...]
    "Of files, as they are named on the disk."
    pages: int
    "Of the segments that are lost; the records in them next."
    records: int
    kept_pages: int


def give_up(storage: Storage, archive: str, run: str, names: Collection[str]) -> Given | None:
    """Commit that in the place of these segments stands what is left of them, and in that of contents nothing.

    Of the files that are named, those count that are damaged or missing; None where none is. The writer's lock is
    held. Raises `Damaged` where a manifest is: then it is not known what was committed.
    """
    log = list(_manifests.log(storage))
    broken = [one for manifest in log for one in manifest.segments if one.name in names and _differs(one, storage)]
    contents = tuple(sorted(name for name in names if name.startswith("blobs/") and _is_lost(name, storage)))
    if not broken and not contents:
        return None
    last = log[-1]
    replaced = [Replaced(one, _remainder(one, storage, archive, last)) for one in broken]
    lost = {
        "pages": sum(one.old.pages - one.new.pages for one in replaced),
        "records": sum(one.old.records - one.new.records for one in replaced),
    }
    about: dict[str, Any] = {"reason": REASON, **lost, "contents": list(contents)}
    draft = replace(_manifests.draft(archive, last, run, (), None), erased=Erasure((), (), tuple(replaced), (), about))
    made = _manifests.commit(draft, storage)
    for name in contents:
        kept(storage).remove(name)
    kept_pages = sum(one.new.pages for one in replaced)
    segments = tuple(one.name for one in broken)
    return Given(made.number, segments, contents, lost["pages"], lost["records"], kept_pages)


def _differs(one: Segment, storage: Storage) -> bool:
    try:
        return sha256_of(kept(storage).open(one.name)) != one.sha256
    except OSError:
        return True


def _is_lost(name: str, storage: Storage) -> bool:
    try:
        kept(storage).open(name).close()
    except OSError:
        return True
    return any(content(storage, name))


def _remainder(one: Segment, storage: Storage, archive: str, last: Manifest) -> Segment:
    """Make a segment of what is left of another, durably, under the number, month and journal that it had."""
    head = header_line(archive, one.journal, datetime.fromisoformat(last.created_at))
    pages = left(one, storage)
    new, source = _segments.pack(head, pages, one, storage.tmp(), cipher_of(storage), mark=LEFT)
    with suppress(FileExistsError):  # made before by a process that died before it was committed
        storage.create(new.name, source)
    return new


def left(one: Segment, storage: Storage) -> Iterator[list[bytes]]:
    """Yield the pages of a segment that can be read, each as it was committed."""
    data = _image(one, storage)
    at = data.find(_segments.MAGIC)
    while at >= 0:
        length = 1
        with suppress(*UNREADABLE):
            text, length = _segments.frame_at(data, at, one.name)
            lines = BytesIO(text)
            if not header(lines):
                lines.seek(0)
            yield from _segments.checked(pages_until_torn(lines), one.name)
        at = data.find(_segments.MAGIC, at + length)


def _image(one: Segment, storage: Storage) -> bytes:
    """Read a segment as far as it can be read; what cannot be read is zeros."""
    try:
        file = storage.open(one.name)
    except UNREADABLE:
        return b""
    with file:
        size = file.seek(0, os.SEEK_END)
        return b"".join(_part(file, at, min(BLOCKS[0], size - at), *BLOCKS[1:]) for at in range(0, size, BLOCKS[0]))


def _part(file: BinaryIO, at: int, size: int, *smaller: int) -> bytes:
    try:
        file.seek(at)
        data = file.read(size)
        if len(data) < size:
            raise Damaged("it ends early")
    except UNREADABLE:
        if not smaller:
            return bytes(size)
        step = smaller[0]
        parts = (_part(file, at + n, min(step, size - n), *smaller[1:]) for n in range(0, size, step))
        return b"".join(parts)
    return data
