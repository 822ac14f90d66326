"""What was learned of a server, and the pure decisions of the walk.

`Habits` outlives a thread: what one list of a server does, its other lists of that kind do too. So each trait is
looked for once, and an honest server is asked nothing twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from exporter.sources._split import Piece

UNSETTLED = frozenset({"queued", "in_progress", "requires_action", "cancelling", "waiting", "active"})
"Of runs, turns, items, responses; a subagent is `active` while it may get another turn."
STUCK = 24 * 3600.0
"Seconds after which what is not settled never will be: runs expire after ten minutes."
MAXIMUM = re.compile(r"(?:<=|equal to|at most|max\w*(?: value)?(?: of| is|:)?)\s*['\"]?(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Habits:
    """What one server does with one kind of list, as far as we know."""

    limit: int = 100
    says_more: bool = False
    "It said has_more: true once, so its false can be believed where a page does not look cut off."
    hides_more: bool = False
    "It said has_more: false, and more came."
    by_second: bool | None = None
    "Its cursor means a second, not an object."
    inclusive: bool | None = None
    "A page begins with what `after` names."
    tokens: bool = False
    "Its cursors are `last_id`, and not ids of objects."
    ordered: bool | None = None
    "It obeys `order`."
    mirrors: bool | None = None
    "Its lists come the other way round, and exactly so, when they are asked for newest first."
    bare: bool | None = None
    "It answers nothing when it is told a limit and an order, and something when it is not."
    restarts: bool | None = None
    "It answers an unknown cursor with the first page."
    denies: bool | None = None
    "It refuses such a list of a thread that it does not have."
    refused: set[tuple[str, str]] = field(default_factory=set)
    "Parameters that it does not take."

    @property
    def believed(self) -> bool:
        """Whether its has_more tells anything."""
        return self.says_more and not self.hides_more


def settled(piece: Piece, at: datetime) -> bool:
    """Whether an object will stay as it is; what is unfinished for a day is taken for abandoned."""
    if piece.status not in UNSETTLED:
        return True
    return piece.time is not None and at.timestamp() - piece.time > STUCK


def descending(pieces: Sequence[Piece]) -> bool | None:
    """Whether times only fall along these objects; False when they rise anywhere, None when neither."""
    times = [piece.time for piece in pieces if piece.time is not None]
    if any(a < b for a, b in pairwise(times)):
        return False
    return True if any(a > b for a, b in pairwise(times)) else None


def tied(pieces: Sequence[Piece]) -> tuple[str, str] | None:
    """Return two neighbours' ids of one second, if there are any."""
    if len({int(piece.time) for piece in pieces if piece.time is not None}) == len(pieces):
        return None
    for a, b in pairwise(pieces):
        if a.id and b.id and a.id != b.id and same_second(a, b):
            return a.id, b.id
    return None


def same_second(a: Piece, b: Piece) -> bool:
    """Whether two objects were made in one second, as far as they tell."""
    return a.time is not None and b.time is not None and int(a.time) == int(b.time)


def stepped_back(pieces: Sequence[Piece]) -> int | None:
    """Return the index of the last object that is of an earlier second than the last; None when none is."""
    last = pieces[-1]
    if last.time is None:
        return None
    for index in range(len(pieces) - 2, -1, -1):
        time = pieces[index].time
        if pieces[index].id and time is not None and int(time) < int(last.time):
            return index
    return None


def smaller(limit: int, message: str) -> int | None:
    """Return what to ask for when `limit` was too much: what the message allows, else half; None below 1."""
    allowed = [int(found) for found in MAXIMUM.findall(message)]
    best = max((number for number in allowed if 1 <= number < limit), default=limit // 2)
    return best or None
