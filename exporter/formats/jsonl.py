"""JSON lines: one record a line, as `docs/format.md` describes it; the body is byte for byte what was archived.

After the objects of a thread come our own words on what is not there any more: a record of kind `deletion` for each
object that was deleted, and the last `visit` of a thread that is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from exporter.archive import record_line
from exporter.formats import KINDS
from exporter.formats._job import Job
from exporter.formats._story import Story
from exporter.model import Record
from exporter.rows import deleted_kind, identity

SUFFIX = ".jsonl"


def write(stories: Iterable[Story], out: BinaryIO, job: Job) -> None:
    """Write one line per record."""
    for story in stories:
        job.threads += 1
        deleted: set[tuple[str, bytes]] = set()
        for kind in KINDS:
            for one in story.told(kind):
                out.write(record_line(one.record))
                job.records += 1
                job.messages += kind == "message"
                deleted |= {(kind, identity(one.record))} if one.deleted else set()
        for record in _marks(story, deleted):
            out.write(record_line(record))
            job.records += 1


def _marks(story: Story, deleted: set[tuple[str, bytes]]) -> Iterator[Record]:
    """Yield our newest word on each object that was deleted, and on a thread that is gone."""
    if deleted:
        told = _records(story, "deletion")
        words = {(deleted_kind(one) or "", identity(one)): one for one in told}
        yield from (record for key, record in words.items() if key in deleted)
    last = None
    for last in _records(story, "visit") if story.gone else ():  # noqa: B007 - the last one is wanted
        pass
    if last is not None:
        yield last


def _records(story: Story, kind: str) -> Iterator[Record]:
    for _, _, records in story.pages.thread_pages(story.thread, kind):
        yield from records
