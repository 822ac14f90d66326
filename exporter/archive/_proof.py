"""What the archive holds of one thread, read back from the disk now: the proof that it may go elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from exporter.archive import Archive
from exporter.archive._blobs import Named, content
from exporter.archive._commits import opened
from exporter.archive._lines import dump, dump_ascii, read_mark, read_record
from exporter.archive._segments import checked, read_at
from exporter.archive.catalog import digest
from exporter.errors import Damaged
from exporter.model import Finding, ThreadRef


@dataclass(frozen=True, slots=True)
class Proof:
    """What was read back of one thread."""

    sha256: str
    "Of all its pages, line by line, kind by kind in the order of their names: what `proof` returns again, later."
    records: int
    messages: int
    files: int
    "Contents of files that its records name, each read and equal to its name."
    bodies: frozenset[str]
    "`digest` of the body of every record."


def proof(archive: Archive, thread: ThreadRef) -> Proof:
    """Read all that is committed of a thread; `Damaged` where a byte is not as it was written, or something lacks.

    Every frame is unpacked, every page compared with its mark, every content of a file with its name.
    """
    hashing, named = hashlib.sha256(), Named(archive.storage)
    bodies: set[str] = set()
    counts = {"records": 0, "messages": 0, "files": 0}
    for kind in sorted(archive.catalog.kinds_of(thread)):
        for lines in _pages(archive, thread, kind):
            mark = read_mark(lines[-1])
            hashing.update(b"".join(lines))
            counts["records"] += mark.count
            counts["messages"] += mark.count if kind == "message" else 0
            bodies.update(digest(read_record(line).body) for line in lines[:-1])
            for name, missing in named.news(mark, lines):
                counts["files"] += 1
                _refuse(missing)
                for finding in content(archive.storage, name):
                    _refuse(finding)
    return Proof(hashing.hexdigest(), **counts, bodies=frozenset(bodies))


def _pages(archive: Archive, thread: ThreadRef, kind: str) -> Iterator[list[bytes]]:
    """Yield the pages of one kind, compared with their marks."""
    whose = {"kind": "page", "source": thread.source, "endpoint": thread.endpoint, "thread": thread.id}
    starts = tuple(text[:-1] + b"," for text in (dump(whose), dump_ascii(whose)))
    for name, offset in archive.catalog.frames_of(thread, kind):
        with opened(name, archive.storage) as file:
            pages = list(checked(read_at(file, offset, starts, name), name))
        yield from (lines for lines in pages if read_mark(lines[-1]).kind == kind)


def _refuse(finding: Finding | None) -> None:
    if finding is not None:
        raise Damaged(f"{finding.where}: {finding.what}; {finding.help}")
