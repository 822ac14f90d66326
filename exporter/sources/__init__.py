"""The APIs that hold conversations: one file each, found by its name.

A member `NAME.py` defines `NAMESource(transport, runs=True)` (first letter upper-case) with `name`, `prefixes`, `path`,
`ids_from` and `pages(thread, after)`: it yields what follows the given positions, list by list, in the server's
order, a `Gap` where a list cannot be walked to a proven end, and a `Link` where an object points to another thread.
It raises a `SourceError` when the whole source is unusable, `BudgetReached` when no request is left, and a
`ThreadError` when the thread itself cannot be had. It knows no archive. `threads(after)` yields all threads, or
raises `CannotList`. Most members are a few words on top of `_shelf.Shelf`, which is all of this for a thread that is
an object with lists under it.
A list of files (kind `file`) holds what the server says of them; their bytes are not the source's business.
A member imports nothing heavy, so all of them can be asked for their `prefixes`.

Names that begin with `_` are shared by the members: `_paging` is the one loop that follows a cursor.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Protocol, cast, runtime_checkable

import msgspec

from exporter.errors import UsageError
from exporter.model import Gap, Link, Page, Position, Positions, ThreadRef, printable

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Event = Page | Gap | Link
"What a walk yields."

AGAIN: Positions = MappingProxyType({})
"""Stands for the positions of a thread that is walked from its beginning although it was walked before: each list by
one chain of cursors, so that what was had from both ends is looked at from one."""

Container = Callable[[], bytes]
"Reads the thread's own object from the archive."


class Answer(msgspec.Struct, frozen=True):
    """What a server answered, whatever its status."""

    status: int
    headers: Mapping[str, str]
    "Keys in lower case."
    body: bytes


class Transport(Protocol):
    """How a source asks its server. Retries, pacing and credentials are the transport's business."""

    endpoint: str

    async def get(
        self, path: str, params: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """Answer with any status that no retry can better; raise `Temporary` when retries are used up."""


@runtime_checkable
class Roomy(Protocol):
    """A transport that knows whether it has room for requests that nobody waits for."""

    aside: asyncio.Lock
    "Held by who asks for what is needed later only: one at a time, as it is kept in memory until then."

    def room(self) -> bool:
        """Whether one more request would hold back none that somebody waits for, and cost nothing that is limited."""


class Sink(Protocol):
    """Where the bytes of a download go."""

    def write(self, data: bytes) -> None:
        """Take what came next."""

    def restart(self) -> None:
        """Forget what came so far: the download begins again."""


class Downloader(Protocol):
    """A transport that can also stream bytes."""

    async def download(self, path: str, sink: Sink, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
        """GET bytes into a sink, again while that may help; the answer's body is empty unless it is an error.

        `path` is under the endpoint, or an absolute URL: that one is asked for without any credential. A body that
        ends early is no success.
        """


@runtime_checkable
class Deleter(Protocol):
    """A transport that can also delete."""

    async def delete(self, path: str, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
        """DELETE a path, once: it is sent again only where the server says by 429 that it has not begun.

        Answer with any other status; no redirect is followed. `Temporary` where no whole answer came: whether it was
        done, only asking tells.
        """


class Source(Protocol):
    """One API surface that holds conversations."""

    name: str
    prefixes: tuple[str, ...]

    def pages(self, thread: ThreadRef, after: Positions, container: Container | None = None) -> AsyncIterator[Event]:
        """Yield what follows the positions; a list without a position is walked from its beginning; all are `AGAIN`.

        With `container`, the thread's own object is in the archive and new enough: it is asked for again only where
        nothing else proves that the thread is there, or where a thread whose lists were walked before has news. One
        that has none is asked for one list only, if its server can be believed.
        """


@runtime_checkable
class Listable(Protocol):
    """A source that may be asked which threads there are; whether it answers is the server's and the key's matter."""

    ids_from: str
    "Where ids come from when the server does not list them; a sentence for people."

    def threads(self, after: Position | None = None) -> AsyncIterator[Page | Gap]:
        """Yield the threads' own objects, oldest first: pages of kind `thread`, list `threads`, of no thread (id "").

        Raises `CannotList` where the server has no such list, or shows it to a browser's session only.
        """


@runtime_checkable
class Deletable(Protocol):
    """A source whose server deletes a thread when it is told to."""

    async def delete(self, thread: ThreadRef) -> Answer:
        """Delete a thread on its server; return the answer, which says that this thread is deleted.

        Raises `NotFound` where the server names it and has none, a `SourceError` where the key may not, and another
        `ThreadError` for any other answer; after `Temporary` and `BadAnswer` it may be deleted or not.
        """


class SourceClass(Protocol):
    """What makes a source, and what is known of it without one."""

    name: str
    prefixes: tuple[str, ...]
    path: str
    "Where its threads are, under the endpoint: `/chat/completions`."
    ids_from: str
    "Where ids come from when the server does not list them; a sentence for people."

    def __call__(self, transport: Transport, runs: bool = True) -> Source:
        """Return the source, reached through this transport."""


def names() -> tuple[str, ...]:
    """Return the names of all sources, sorted."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def load(name: str) -> SourceClass:
    """Return the class of a source; an unknown name is a UsageError that lists the known ones."""
    if name not in names():
        raise UsageError(f"no source is called {printable(name)!r}; there are: {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    return cast("SourceClass", getattr(module, f"{name.capitalize()}Source"))


def source_of(thread_id: str) -> str | None:
    """Return the name of the source whose ids begin like this one; None when none does."""
    beginnings, names_of = _beginnings()
    found = beginnings.match(thread_id)
    return names_of[found[0]] if found else None


@cache
def prefixes() -> tuple[str, ...]:
    """Return how ids of all sources begin, by the source's name."""
    return tuple(prefix for prefix, _ in sorted(_prefixes(), key=lambda pair: pair[1]))


@cache
def _beginnings() -> tuple[re.Pattern[str], dict[str, str]]:
    """Return what finds how an id begins, the longest first, and whose ids begin like that."""
    return re.compile("|".join(re.escape(prefix) for prefix, _ in _prefixes())), dict(_prefixes())


@cache
def _prefixes() -> tuple[tuple[str, str], ...]:
    pairs = ((prefix, name) for name in names() for prefix in load(name).prefixes)
    return tuple(sorted(pairs, key=lambda pair: -len(pair[0])))
