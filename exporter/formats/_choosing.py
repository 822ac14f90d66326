"""Which threads an export takes, in the order in which they were registered.

The idea: a chain of stored responses is one conversation. Where it is read as one, it is told from its last response,
and those before it are no conversations of their own. Who is told already stands in a private temporary database, so
that any number of threads passes in flat memory.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing

from exporter.archive.catalog import Known
from exporter.formats import found
from exporter.formats._chain import before, chain
from exporter.formats._job import Job
from exporter.formats._pages import Shelf
from exporter.formats._story import Story, Wanted
from exporter.model import ThreadRef

CHAINED = "responses"
"The source whose threads go on from one another."


def chosen(archive: Shelf, wanted: Wanted, job: Job) -> Iterator[Story]:
    """Yield the wanted threads; the empty ones are counted."""
    for story in _all(archive, wanted):
        if story.is_empty():
            job.empty += 1
        else:
            yield story


def conversations(archive: Shelf, wanted: Wanted, job: Job) -> Iterator[Story]:
    """Yield the wanted threads, a chain of responses once, with all that the last one goes on from."""
    with closing(sqlite3.connect("")) as db:  # gone when closed
        db.execute("CREATE TABLE earlier (thread TEXT PRIMARY KEY)")
        db.execute("CREATE TABLE told (thread TEXT PRIMARY KEY)")
        if not wanted.ids and wanted.source in (None, CHAINED):
            for story in _all(archive, wanted, CHAINED):
                if (one := before(story.pages, story.thread)) is not None:
                    db.execute("INSERT OR IGNORE INTO earlier VALUES (?)", (_key(one),))
        for story in chosen(archive, wanted, job):
            if story.thread.source != CHAINED:
                yield story
            elif not _has(db, "earlier", story.thread):
                yield _chained(db, story)
        # a server may say that they go round in a circle: what no last one has led to is told all the same
        if db.execute("SELECT 1 FROM earlier").fetchone():
            for story in chosen(archive, wanted, Job()):
                if story.thread.source == CHAINED and not _has(db, "told", story.thread):
                    yield _chained(db, story)


def _all(archive: Shelf, wanted: Wanted, source: str | None = None) -> Iterator[Story]:
    named = [found(archive, one, wanted.source) for one in dict.fromkeys(wanted.ids)]
    known: Iterable[Known]
    if named:
        known = (one for thread in named if (one := archive.catalog.find(thread)) is not None)
    else:
        equal = {"source": source or wanted.source, "user": wanted.user, "customer": wanted.customer}
        known = archive.catalog.known(**equal)
    yield from (Story(archive, one, wanted) for one in known if wanted.takes(one))


def conversation(archive: Shelf, thread: ThreadRef, wanted: Wanted) -> Story:
    """Return a known thread as the conversation that it is, or ends."""
    known = archive.catalog.find(thread)
    assert known is not None
    story = Story(archive, known, wanted)
    if thread.source == CHAINED:
        _link(story)
    return story


def _chained(db: sqlite3.Connection, story: Story) -> Story:
    """Add to a response what it goes on from, and note what is told so."""
    for thread in _link(story):
        db.execute("INSERT OR IGNORE INTO told VALUES (?)", (_key(thread),))
    return story


def _link(story: Story) -> tuple[ThreadRef, ...]:
    """Add to a response what it goes on from; returns all of the chain."""
    linked = chain(story.archive, story.thread)
    known = (story.archive.catalog.find(thread) for thread in linked.threads[:-1])
    earlier = [Story(story.archive, one, story.wanted) for one in known if one is not None]
    story.before = tuple(one for one in earlier if story.wanted.deleted or not one.gone)
    story.missing, story.circular = linked.missing, linked.circular
    return linked.threads


def _has(db: sqlite3.Connection, table: str, thread: ThreadRef) -> bool:
    query = f"SELECT 1 FROM {table} WHERE thread = ?"  # noqa: S608 - our own names
    return db.execute(query, (_key(thread),)).fetchone() is not None


def _key(thread: ThreadRef) -> str:
    return json.dumps([thread.source, thread.endpoint, thread.id])
