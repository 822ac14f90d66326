"""Where an object stands in the archive: the frame of its page, so that a hit's text is read again in a millisecond.

The idea: the index holds no copy of any text; whoever found something reads it where it is archived.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.archive import Archive, Manifest
from exporter.archive._commits import frames, opened
from exporter.archive._lines import dump, dump_ascii, read_mark, read_record, read_records
from exporter.archive._segments import read_at
from exporter.model import Kind, Mark, Record, ThreadRef


@dataclass(frozen=True, slots=True)
class Place:
    """A frame of a segment."""

    segment: str
    "Its name, relative to the archive."
    offset: int

    @property
    def number(self) -> int:
        """The manifest that commits it."""
        return int(self.segment.rsplit("/", 1)[-1].split("-", 1)[0])


Page = tuple[Place, Mark, list[Record]]


def new_pages(archive: Archive, manifest: Manifest) -> Iterator[list[Page]]:
    """Yield the pages that a manifest commits, frame by frame."""
    for segment in manifest.segments:
        for frame in frames(segment.name, archive.storage):
            place = Place(segment.name, frame.offset)
            yield [(place, read_mark(lines[-1]), read_records(lines[:-1])) for lines in frame.pages]


def thread_pages(archive: Archive, thread: ThreadRef, kind: Kind, until: int) -> Iterator[Page]:
    """Yield the pages of one thread and kind up to a manifest, in order."""
    for name, offset in archive.catalog.frames_of(thread, kind):
        place = Place(name, offset)
        if place.number <= until:
            yield from pages_at(archive, place, thread, kind)


def pages_at(archive: Archive, place: Place, thread: ThreadRef, kind: Kind) -> Iterator[Page]:
    """Yield the pages of one thread and kind in a frame."""
    whose = {"kind": "page", "source": thread.source, "endpoint": thread.endpoint, "thread": thread.id}
    # A line is ASCII as a whole where anything in it, such as its cursor, needs escapes.
    starts = tuple(text[:-1] + b"," for text in (dump(whose), dump_ascii(whose)))
    with opened(place.segment, archive.storage) as file:
        for lines in read_at(file, place.offset, starts, place.segment):
            mark = read_mark(lines[-1])
            if mark.kind == kind:
                yield place, mark, [read_record(line) for line in lines[:-1]]
