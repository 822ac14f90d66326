"""One visit of one thread: what of it is known, and whether anything yet proves that the thread is there.

A thread's own object proves it, and so does any object of its lists. An empty list proves nothing: some servers
answer one for any id. So a thread that a list of threads brought is asked for itself only where its lists are empty.
Where a server was seen to refuse the list of a thread that nobody has, an empty list proves its thread after all: of a
thread that was had whole before, nothing else is asked for then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from exporter.errors import MissingScope, NotFound
from exporter.model import Gap, Item, Page, Position, Positions, ThreadRef, now
from exporter.sources import AGAIN, Container, _probes
from exporter.sources._asking import Desk, Listing
from exporter.sources._paging import walk
from exporter.sources._split import Piece, piece


class Visit:
    """One visit of one thread."""

    def __init__(self, desk: Desk, own: Listing, after: Positions, container: Container | None) -> None:
        self.desk, self.own, self.after = desk, own, after
        self.container = container
        self.asked = False
        "Whether the server gave the thread's own object in this visit."
        self.proven = False
        "Whether the server gave anything of it."
        self.gaps: list[str] = []
        "Why something of its lists is missing, a word each."
        self.nobody: Callable[[], Listing] | None = None
        "Of a thread that was had whole before, and is not asked for yet: its first list, of a thread that nobody has."
        self.rests = False
        "Whether its first list says that nothing is new, and can be believed: then nothing else is to be asked."
        self._object: Piece | None = None

    @property
    def thread(self) -> ThreadRef:
        """Whose visit it is."""
        return self.own.thread

    @property
    def object(self) -> Piece:
        """The thread's own object: from the server if it was asked, else from the archive."""
        if self._object is None:
            assert self.container is not None
            self._object = piece(self.container())
        return self._object

    async def ask(self) -> Page:
        """Return the thread's object as the page of its list `thread`, whose position stays where it is unfinished."""
        self._object = found = await self.desk.thread(self.own)
        self.asked = self.proven = True
        at = now()
        return Page(
            thread=self.thread,
            kind="thread",
            items=(Item(found.id, found.body),),
            cursor=None,
            more=False,
            fetched_at=at,
            list="thread",
            next_seq=None if self.own.settles(found, at) else 0,
            fresh="thread" not in self.after,
            notes=("include_refused",) if self.desk.refuses(self.own) else (),
        )

    async def walk(self, listing: Listing, position: Position | None = None) -> AsyncIterator[Page | Gap]:
        """Yield what follows the position, else what follows the known one; the thread too where nothing proves it.

        A list that says that there is no such thread is believed when the thread's own object says so too. A thread
        that was had whole before is yielded where it has news, as it may have changed itself.
        """
        nobody, self.nobody = self.nobody, None
        if self.after is AGAIN:
            listing = replace(listing, again=True)
        quiet = True
        try:
            async for event in walk(self.desk, listing, position or self.after.get(listing.list)):
                quiet = False
                self._heard(event)
                yield event
        except NotFound as error:
            quiet = False
            yield await self.ask()
            yield self.gap(listing.list, error.code, f"{error}; but the thread itself is there")
        except MissingScope as error:
            # what only hangs on a thread, such as traces, may have a scope of its own: the thread is kept without it
            if not self.proven or listing.kind == "message":
                raise
            quiet = False
            yield self.gap(listing.list, "missing_scope", str(error))
        self.rests = nobody is not None and quiet and await self._denied(listing, nobody)
        if not self.rests and not (self.asked if nobody else self.proven):
            yield await self.ask()

    async def _denied(self, listing: Listing, nobody: Callable[[], Listing]) -> bool:
        """Whether an empty list proves its thread."""
        known = self.desk.habits(listing.kind).denies
        return await _probes.denies(self.desk, nobody()) if known is None else known

    def gap(self, name: str, code: str, why: str) -> Gap:
        """Note that something of a list is missing."""
        self.gaps.append(code)
        return Gap(self.thread, name, None, code, why)

    def _heard(self, event: Page | Gap) -> None:
        """Note what a list tells of its thread."""
        if isinstance(event, Gap):
            self.gaps.append(event.code)
        else:
            self.proven = self.proven or bool(event.items)
