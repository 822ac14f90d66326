"""What the response before holds: some servers repeat it in the input items of the one that follows.

What is left out of the one must be archived with the other. So everything is kept where that is not certain: where
the response before is gone, or so old that it may be gone before it is visited; where it is no response before, but a
later one; where ids only count (`item_0`), so that equal ones may name different objects. Better twice than never.
"""

from __future__ import annotations

import re

from exporter.errors import BadAnswer, NotFound, SourceError, Temporary
from exporter.model import Gap, now
from exporter.sources._asking import Desk, Listing
from exporter.sources._paging import walk
from exporter.sources._split import Piece, elements, member, piece
from exporter.text import string

COUNTED = re.compile(r"[A-Za-z]*[_-]?\d{0,12}")
"An id that another thread may have for another object."
OLD = 25 * 24 * 3600.0
"Seconds after which a response may soon be gone: most servers keep them for 30 days."


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


async def earlier(desk: Desk, later: Piece, own: Listing, items: Listing) -> Earlier | None:
    """Read the response before `later`, and its input items; None where nothing may be left out because of it.

    Raises `Temporary` where it may be read later.
    """
    found = Earlier()
    try:
        before = await desk.thread(own)
    except (NotFound, BadAnswer, SourceError):
        return None
    if not _precedes(before, later):
        return None
    for item in elements(before.body, "output"):
        found.add(piece(item).id)
    try:
        async for event in walk(desk, items, None):
            if not isinstance(event, Gap):
                for one in event.items:
                    found.add(one.id)
            elif event.code == Temporary.code:
                raise Temporary(event.detail)
    except NotFound:
        return None  # it went while it was read
    return found


def _precedes(before: Piece, later: Piece) -> bool:
    """Whether a response can be the one before, and will be there when it is visited."""
    if string(member(before.body, "previous_response_id")) == later.id:
        return False
    if before.time is None or later.time is None:
        return True
    return before.time <= later.time and now().timestamp() - before.time < OLD
