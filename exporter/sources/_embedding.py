"""A source whose thread is one exchange: what was said is a list under it, what was answered stands in the object.

Such an object never changes once it is finished. Its answers become a list of their own, whose positions go on
after what was said; they are written when the object is finished and all that was said is had, or the server has no
list of that. So these two lists are also the proof that nothing is left to ask for but the object itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import ClassVar

from exporter.errors import NoList
from exporter.model import Gap, Item, Link, Page, Positions, ThreadRef, now
from exporter.sources import Container, Event
from exporter.sources._habits import settled
from exporter.sources._shelf import Shelf
from exporter.sources._split import Piece
from exporter.sources._visit import Visit


class Embedding(Shelf):
    """One source of that kind; its first list is what was said."""

    answers: ClassVar[str]
    "Name of the list of answers, in the archive and in the object."

    async def pages(
        self, thread: ThreadRef, after: Positions, container: Container | None = None
    ) -> AsyncIterator[Event]:
        """Yield the thread, what it points to, what was said, and what was answered."""
        visit = self._visit(thread, after, container)
        done = self._done(after)
        if container is None or done or not self._suffices(visit.object):
            yield await visit.ask()
        for link in self._links(visit):
            yield link
        if done:
            return
        said = after["messages"].seq if "messages" in after else 0
        async for event in self._said(visit):
            if isinstance(event, Page) and event.list == "messages":
                said = max(said, event.seq + len(event.items))
            yield event
        if set(visit.gaps) <= {NoList.code} and self.answers not in after and settled(visit.object, now()):
            yield self._page(visit, said)

    def _said(self, visit: Visit) -> AsyncIterator[Event]:
        """Walk what was said."""
        return visit.walk(self._listing(visit, self.lists[0]))

    def _page(self, visit: Visit, seq: int) -> Page:
        items = tuple(self._items(visit.object))
        return Page(visit.thread, "message", items, None, False, now(), self.answers, seq)

    def _patience(self, after: Positions) -> tuple[float, ...]:
        return () if self._done(after) else self.waits

    def _done(self, after: Positions) -> bool:
        return self.answers in after and "messages" in after

    def _suffices(self, listed: Piece) -> bool:
        """Whether the object as a list of threads gave it is finished and whole."""
        raise NotImplementedError

    def _items(self, own: Piece) -> Iterator[Item]:
        """Yield what was answered."""
        raise NotImplementedError

    def _links(self, visit: Visit) -> Iterator[Link | Gap]:  # noqa: ARG002 - for those that have some
        """Yield what the object points to."""
        return iter(())
