"""A source whose thread is an object at `PATH/{id}` with lists under it; `PATH` itself may list them.

That is what all these APIs look like, so a source says where its shelf is and what lies under a thread:

    class TicketsSource(Shelf):
        name = "tickets"
        prefixes = ("tick_",)
        path = "/tickets"
        lists = (Under("messages", "/entries"),)
        ids_from = "Ids come from the help desk's database."
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from exporter.errors import CannotList
from exporter.model import Gap, Kind, Page, Position, Positions, ThreadRef, checked_id
from exporter.sources import NO_HEADERS, Container, Event, Transport, _probes
from exporter.sources._asking import Children, Desk, Listing, Params, Sleep
from exporter.sources._paging import walk
from exporter.sources._split import Piece
from exporter.sources._visit import Visit

YOUNG = 300.0
"Seconds in which a list may yet show another thread before a new one: of the same second, or written a little later."


@dataclass(frozen=True, slots=True)
class Under:
    """A list under each thread."""

    list: str
    "Its name in the archive; the first list of a source is its `messages`."
    tail: str
    "Where it is, behind the thread's path."
    kind: Kind = "message"
    params: Params = ()
    "What can be left out when the server refuses it: include[]."
    runs: bool = False
    "Whether it is left out together with the runs."


class Shelf:
    """One source; a member says what differs."""

    name: ClassVar[str]
    prefixes: ClassVar[tuple[str, ...]] = ()
    path: ClassVar[str]
    headers: ClassVar[Mapping[str, str]] = NO_HEADERS
    params: ClassVar[Params] = ()
    "What a thread's own object is asked with, alone and in a list, as far as the server takes it."
    lists: ClassVar[tuple[Under, ...]]
    ids_from: ClassVar[str]
    waits: ClassVar[tuple[float, ...]] = ()
    "Seconds to wait each time before a 404 of something new is asked again."
    doubtful: ClassVar[bool] = False
    "Whether an empty list of threads may be one whose server shows nothing to who says how many he wants."
    sleep: ClassVar[Sleep] = asyncio.sleep

    def __init__(self, transport: Transport, runs: bool = True) -> None:
        self._transport, self._runs = transport, runs
        self._desk = Desk(transport, type(self).sleep)

    async def pages(
        self, thread: ThreadRef, after: Positions, container: Container | None = None
    ) -> AsyncIterator[Event]:
        """Yield the thread, then its lists; of a thread that is in the archive, its first list tells about the rest."""
        visit = self._visit(thread, after, container)
        lists = [under for under in self.lists if self._runs or not under.runs]
        if container is None:
            yield await visit.ask()
        elif all(under.list in after for under in lists if under.kind != "file"):
            visit.nobody = partial(self._of_nobody, visit, lists[0])
        for under in lists:
            async for event in self._walk(visit, self._listing(visit, under)):
                yield event
            if visit.rests:
                return

    async def threads(self, after: Position | None = None) -> AsyncIterator[Page | Gap]:
        """Yield the objects of all threads, oldest first, as far as the server lists them."""
        listing = Listing(
            ThreadRef(self.name, self._transport.endpoint, ""),
            "thread",
            "threads",
            self.path,
            self.params,
            self.headers,
            settles=_old_enough,
            doubtful=self.doubtful,
        )
        try:
            async for event in walk(self._desk, listing, after):
                yield event
        except CannotList as error:
            raise CannotList(f"{error}. {self.ids_from}") from None

    def _visit(self, thread: ThreadRef, after: Positions, container: Container | None) -> Visit:
        path = f"{self.path}/{checked_id(thread.id)}"
        own = Listing(thread, "thread", "thread", path, self.params, self.headers, waits=self._patience(after))
        return Visit(self._desk, own, after, container)

    def _listing(self, visit: Visit, under: Under) -> Listing:
        path = visit.own.path
        return Listing(
            visit.thread,
            under.kind,
            under.list,
            f"{path}{under.tail}",
            under.params,
            self.headers,
            children=self._children(visit, under),
            waits=visit.own.waits,
        )

    def _of_nobody(self, visit: Visit, under: Under) -> Listing:
        """Return the list of a thread that no server has given that id."""
        thread = replace(visit.thread, id="".join(self.prefixes[:1]) + _probes.NOBODY)
        path = f"{self.path}/{thread.id}{under.tail}"
        return replace(self._listing(visit, under), thread=thread, path=path, waits=())

    def _walk(self, visit: Visit, listing: Listing) -> AsyncIterator[Page | Gap]:
        """Yield what is new in a list."""
        return visit.walk(listing)

    def _patience(self, after: Positions) -> tuple[float, ...]:  # noqa: ARG002 - for those that know when it is vain
        """Return how long to wait each time before a 404 is asked again."""
        return self.waits

    def _children(self, visit: Visit, under: Under) -> Children | None:  # noqa: ARG002 - for those that have some
        """Return what walks the lists that hang on each object of a list; None where nothing does."""
        return None


def _old_enough(thread: Piece, at: datetime) -> bool:
    """Whether nothing will be listed before this thread any more, so that the next walk may go on after it."""
    return thread.time is None or abs(at.timestamp() - thread.time) > YOUNG
