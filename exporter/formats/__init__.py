"""What threads can be turned into: one file per format, found by its name.

A member `NAME.py` offers `write(stories, out, job)`: it takes threads one by one, writes them to a binary file, and
counts in `job` what it wrote and what it had to drop. It never needs all of them at once. `SUFFIX` is how its files
end. It may say `CHAINS = True` to get a chain of responses as one conversation, and `FOLDER = True` to be a file per
thread unless somebody asks for one; `Contents` is then what leads to those files.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from exporter.errors import UsageError
from exporter.formats._job import Job
from exporter.formats._newest import newest
from exporter.formats._pages import Reader, Shelf
from exporter.model import Kind, Record, ThreadRef, printable

if TYPE_CHECKING:
    from exporter.formats._story import Story

KINDS: tuple[Kind, ...] = ("thread", "message", "run", "step", "file")
"Objects of a server, and what we know of its files, in the order in which a thread's history is told."


class Format(Protocol):
    """Something that threads can be turned into."""

    SUFFIX: str

    def write(self, stories: Iterable[Story], out: BinaryIO, job: Job) -> None:
        """Write threads, and count them."""


def names() -> tuple[str, ...]:
    """Name all formats, sorted."""
    found_ = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found_ if not name.startswith("_")))


def load(name: str) -> Format:
    """Return a format by its name; `UsageError` lists the known ones."""
    if name not in names():
        raise UsageError(f"there is no format {printable(name)!r}; there is {', '.join(names())}")
    return cast("Format", importlib.import_module(f"{__name__}.{name}"))


def records(archive: Reader, thread: ThreadRef, kinds: Iterable[Kind] = KINDS) -> Iterator[Record]:
    """Yield the newest revision of each object of a thread, kind by kind, in the order of positions."""
    for kind in kinds:
        yield from newest(archive, thread, kind)


def found(archive: Shelf, thread_id: str, source: str | None = None) -> ThreadRef:
    """Return the thread that people mean by an id; `UsageError` where it is none or several."""
    known = [one.thread for one in archive.catalog.named(thread_id) if source in (None, one.thread.source)]
    shown = printable(thread_id[:80])
    if not known:
        raise UsageError(f"{shown}: it is not in {archive.path}; `exporter threads` lists what is")
    if len({one.source for one in known}) > 1:
        raise UsageError(f"{shown}: several sources use this id; say --source {' or '.join(o.source for o in known)}")
    if len(known) > 1:
        raise UsageError(f"{shown}: several endpoints use this id: {', '.join(one.endpoint for one in known)}")
    return known[0]
