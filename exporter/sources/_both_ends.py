"""One long list from both ends: a second chain of cursors comes from the newest object towards the walk.

The walk stays the one loop that goes from the oldest object on. What the second chain brings is held here, and handed
to the walk as if the server had answered it, once the two overlap: `OVERLAP` neighbours in a row must be the same. So
pages are committed in their order, and whatever stops a run, only what is held is asked for again. What does not fit
(an order or a cursor that is not what it seems, an object deleted meanwhile) ends the second chain, and the walk goes
on by itself. The end stays the server's to tell: it is asked what follows the newest object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from exporter.errors import BadAnswer, ExporterError
from exporter.sources import Roomy, _probes
from exporter.sources._asking import Desk, Listed, StaleCursor
from exporter.sources._habits import Habits, tied
from exporter.sources._held import Held
from exporter.sources._state import Walk

AFTER = 300
"Objects that the walk has to bring before it is worth while: a list of so many costs no request more."
OVERLAP = 21
"""Neighbours that both chains must have in the same sequence: one more than servers take at once, as what is put in
together has one time, and may come in one order for both."""
MOST_BYTES = 64 * 2**20
"What is held at most; a longer list is walked to where that begins."
TRIES = 3
"How often something that does not fit is tried again."

Ask = Callable[[], Coroutine[Any, Any, Listed | None]]


class SecondChain:
    """What comes towards one walk, if it is begun at all."""

    def __init__(self, desk: Desk, state: Walk) -> None:
        self._desk, self._state = desk, state
        self._habits: Habits = desk.habits(state.listing.kind)
        self._first: str | None = None
        self._tail: tuple[str | None, ...] = ()
        "Ids of the walk's newest objects, in its order."
        self._count = self._misses = 0
        self._held = Held()
        self._descending: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[Listed | None] | None = None
        "What follows the newest object; asked for once the chains have met."
        self._expected: str | None = None
        "Where the walk goes on if it takes what it is handed."
        self._over = False
        self._alone = False
        "Whether no other list is walked so over this transport, until this one is done."

    def took(self, listed: Listed) -> None:
        """Hear of a page of the walk that was not the last, once it was taken; begins the chain where that helps."""
        if self._over or self._ending is not None:
            return
        if not self._count:
            self._first = listed.pieces[0].id if listed.pieces else None
        self._count += len(listed.pieces)
        self._tail = (*self._tail, *[piece.id for piece in listed.pieces])[-OVERLAP:]
        if self._descending is None and self._count >= AFTER and self._may_begin(listed):
            self._descending = asyncio.create_task(self._descend())

    async def next(self, after: str | None, ask: Ask) -> Listed | None:
        """Return what comes after this object: what is held, where that is proven, else what `ask` brings.

        Where the chains meet while it is asked for, its answer is not waited for.
        """
        held = await self._follows(after)
        if held is not None or self._over or self._descending is None or self._descending.done():
            return held or await ask()
        asking = asyncio.create_task(ask())
        try:
            await asyncio.wait({asking, self._descending}, return_when=asyncio.FIRST_COMPLETED)
            held = None if asking.done() else await self._follows(after)
            return held or await asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _follows(self, after: str | None) -> Listed | None:
        """Return what comes after this object, if it is held and proven; None where the server is to be asked."""
        if self._over or self._descending is None or after is None:
            return None
        if self._state.restarts or self._state.backwards or self._habits.by_second or self._habits.mirrors is False:
            await self.close()
            return None
        if self._ending is None:
            if self._descending.done():
                self._descending.result()  # an error that nobody expected shows
            if not self._met(after):
                return None
            self._descending.cancel()
            self._ending, self._expected = asyncio.create_task(self._end()), after
        await asyncio.sleep(0)  # others have their turn between pages that nobody waits for
        found = await self._next() if after == self._expected else None
        if found is None:
            await self.close()
        return found

    async def close(self) -> None:
        """End the chain, and forget what it holds."""
        self._over = True
        self._held = Held()
        tasks = [task for task in (self._descending, self._ending) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._alone:
            self._alone = False
            self._aside.release()

    # whether

    def _may_begin(self, listed: Listed) -> bool:
        """Whether the walk is at the beginning of a long list on a server of which nothing odd is known."""
        state, habits, listing = self._state, self._habits, self._state.listing
        plain = not (listing.again or listing.of_threads or listing.children or listing.omits)
        whole = 0 < len(listed.pieces) == len(state.taken) and state.next == listed.pieces[-1].id
        exact = habits.ordered and habits.mirrors is not False and not (habits.by_second or habits.inclusive)
        known = not (habits.tokens or habits.bare or habits.restarts or habits.hides_more)
        sound = state.fresh and not (state.backwards or state.gaps)
        return bool(plain and whole and exact and known and sound) and self._room() and not self._aside.locked()

    @property
    def _aside(self) -> asyncio.Lock:
        transport = self._desk.transport
        assert isinstance(transport, Roomy)
        return transport.aside

    def _room(self) -> bool:
        transport = self._desk.transport
        return isinstance(transport, Roomy) and transport.room()

    # the chain

    async def _descend(self) -> None:
        """Hold page after page, from the newest object on, until the walk is reached."""
        if self._aside.locked():
            self._over = True
            return
        self._alone = await self._aside.acquire()
        try:
            while self._room() and self._held.size < MOST_BYTES:
                listed = await self._desk.page(self._state.listing, self._held.cursor, order="desc")
                if not await self._adds(listed) or not listed.more or self._reached():
                    return
        except (StaleCursor, BadAnswer):
            self._disbelieve()
        except ExporterError:
            return  # the walk meets it too, and says what it is

    async def _adds(self, listed: Listed) -> bool:
        """Whether a page fits what is held, and is held now.

        Each page is asked for after the last object but one, and has to begin with the last one. So it is the very
        cursor that is proven, and a server whose cursors are seconds skips nothing but where two have one second.
        """
        pieces = listed.pieces
        if not self._held.pages:
            new = pieces
            if not pieces or self._state.had(pieces[0].id):
                self._habits.mirrors = False if pieces and pieces[0].id == self._first else self._habits.mirrors
                return False
        else:
            new = pieces[1:]
            if not new or pieces[0].id != self._held.oldest:
                self._disbelieve()
                return False
        pair = tied(pieces[::-1])
        if pair is not None and not await _probes.mirrors(self._desk, self._state.listing, pair):
            return False
        if len(new) < 2 or not self._held.add(new, listed):
            self._disbelieve()
            return False
        return True

    def _disbelieve(self) -> None:
        """Learn that this server cannot be walked from its end, if not even one cursor was what it should be."""
        if len(self._held.pages) < 2:
            self._habits.mirrors = False

    def _reached(self) -> bool:
        """Whether the walk has had what came last, and enough of it."""
        last = self._held.ids(len(self._held) - OVERLAP, OVERLAP)
        return len(last) == OVERLAP and self._state.had(last[0]) and self._state.had(last[-1])

    # the seam

    def _met(self, after: str) -> bool:
        """Whether the walk stands in what is held, and both have the same objects in a row up to there."""
        place = self._held.place(after)
        if place is None:
            return False
        theirs = self._held.ids(place, OVERLAP)
        if len(theirs) < OVERLAP:
            return False
        if theirs != list(reversed(self._tail)):
            self._misses += 1
            if self._misses >= TRIES:
                self._habits.mirrors = False
            return False
        self._held.cut(place)
        return True

    async def _end(self) -> Listed | None:
        """Ask what follows the newest object; one that was deleted meanwhile is left out."""
        for _ in range(TRIES):
            newest = self._held.newest
            if newest is None:
                break
            try:
                return await self._desk.page(self._state.listing, newest)
            except StaleCursor:
                self._held.leave_out_newest()
            except ExporterError:
                break  # the walk asks too, and says what it is
        return None

    async def _next(self) -> Listed | None:
        """Return the oldest page that is held; then what the server says of the end, if that is any object."""
        assert self._ending is not None
        last = len(self._held.pages) <= 1
        end = await self._ending if last else None
        page = self._held.pop()
        if page is None:
            self._over = True
            return end if end is not None and end.pieces else None
        pieces, like = page
        self._expected = pieces[-1].id
        proven = last and end is not None and not end.pieces and not end.more
        return Listed(pieces, self._expected, not proven, like.limit, like.at, proven)
