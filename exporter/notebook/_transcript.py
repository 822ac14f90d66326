"""One conversation, to read in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from exporter.archive import Archive
from exporter.formats import found
from exporter.formats._choosing import conversations
from exporter.formats._entries import Entry, Section, entries
from exporter.formats._job import Job
from exporter.formats._story import Wanted


class Transcript:
    """A conversation as entries: who, when, what; read anew each time that it is looked at."""

    def __init__(self, path: Path, thread_id: str, source: str | None = None) -> None:
        self._path = path
        with Archive.open(path) as archive:
            self.thread = found(archive, thread_id, source)
        self._wanted = Wanted(ids=(thread_id,), source=self.thread.source)

    def __repr__(self) -> str:
        return f"<conversation {self.thread}>"

    def __iter__(self) -> Iterator[Section | Entry]:
        with Archive.open(self._path) as archive:
            for story in conversations(archive, self._wanted, Job()):
                yield from entries(story)
