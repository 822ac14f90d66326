"""What the response before holds: some servers repeat it in the input items of the one that follows.

Told apart by id, so ids that only count (`item_0`) tell nothing, and what has such an id is kept. Where the response
before is gone, nothing can be told apart, and everything is kept: better twice than never.
"""

from __future__ import annotations

import re

from exporter.errors import BadAnswer, NotFound, SourceError, Temporary
from exporter.model import Gap
from exporter.sources._asking import Desk, Listing
from exporter.sources._paging import walk
from exporter.sources._split import elements, piece

COUNTED = re.compile(r"[A-Za-z]*[_-]?\d{0,12}")
"An id that another thread may have for another object."


class Earlier:
    """The ids of a response's items, as 64-bit hashes; asked whether it holds one, it remembers the answers."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._asked = self._held = 0

    def add(self, name: str | None) -> None:
        """Remember an id that names one object everywhere."""
        if name is not None and not COUNTED.fullmatch(name):
            self._ids.add(hash(name))

    def __call__(self, name: str) -> bool:
        held = hash(name) in self._ids
        self._asked += not COUNTED.fullmatch(name)
        self._held += held
        return held

    @property
    def told(self) -> bool | None:
        """Whether this server repeats earlier turns, as far as one list of it tells."""
        if self._held:
            return True
        return False if self._ids and self._asked else None


async def earlier(desk: Desk, own: Listing, items: Listing) -> Earlier | None:
    """Read a response and its input items; None where it is gone. Raises `Temporary` where it may be read later."""
    found = Earlier()
    try:
        body = (await desk.thread(own)).body
    except (NotFound, BadAnswer, SourceError):
        return None
    for item in elements(body, "output"):
        found.add(piece(item).id)
    try:
        async for event in walk(desk, items, None):
            if not isinstance(event, Gap):
                for one in event.items:
                    found.add(one.id)
            elif event.code == Temporary.code:
                raise Temporary(event.detail)
    except NotFound:
        pass  # it went while it was read
    return found
