"""Where a later visit goes on with a list, whatever becomes of this walk: never behind anything that it may lack.

That is behind all that came, but for three reasons: an object is not as it will be, a gap was found that nobody has
heard of yet, or the cursor may mean a second, and more of that second may be to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from exporter.model import Position
from exporter.sources._habits import same_second, stepped_back
from exporter.sources._split import Piece


class Anchor(msgspec.Struct, frozen=True, gc=False):
    """A place to go on from, and the position of what comes then."""

    cursor: str | None
    seq: int


class Anchors:
    """The places of one walk, as page after page is taken."""

    def __init__(self, position: Position) -> None:
        self.end = Anchor(position.cursor, position.seq)
        "Behind all that came."
        self.earlier = self.end
        "Before the second that the last page ends in, while a cursor may mean one; else the end."
        self._start = self._first = self.end
        "The end of the page before, and of the walk before."
        self._before: list[Anchor] = []
        "Of each object that the page brought, the place before it; none where nobody asks for them."
        self._held: Anchor | None = None
        self._lacking: Anchor | None = None

    @property
    def held(self) -> Anchor | None:
        """The place before the first object that is not as it will be."""
        return self._held

    def begin(self) -> None:
        """Begin a page."""
        self._start, self._before = self.end, []

    def take(self) -> None:
        """Count an object in, before `move` goes past it."""
        self._before.append(self.end)

    def move(self, cursor: str | None, seq: int) -> None:
        """Go behind what came."""
        self.end = Anchor(cursor, seq)

    def hold(self, index: int) -> None:
        """Stay before this one of the objects that the page brought: it is not as it will be."""
        self._held = self._held or self._before[index]

    def lack(self) -> None:
        """Stay before a gap, until the list was walked to its end and the gap is told."""
        self._lacking = self._lacking or self.earlier

    def pass_second(self, taken: Sequence[Piece], last: Piece | None, *, exact: bool) -> None:
        """Say what may follow a page that brought these objects, after one that ended with `last`.

        Where a cursor is `exact` it means an object or a page, and nothing before its end comes again.
        """
        if exact:
            self.earlier = self.end
        elif taken:
            self.earlier = self._before_second(taken, last)

    def _before_second(self, taken: Sequence[Piece], last: Piece | None) -> Anchor:
        index = stepped_back(taken)
        if index is not None:
            return self._before[index + 1] if self._before else Anchor(taken[index].id, self._start.seq + index + 1)
        if not same_second(taken[0], taken[-1]):
            return self.end  # times that fall, or none
        return self.earlier if last is not None and same_second(last, taken[-1]) else self._start

    @property
    def stays(self) -> bool:
        """Whether it stands where it began, although something came."""
        return self.earlier == self._first != self.end

    def prove(self) -> None:
        """Go behind all that came: nothing of the second was passed over."""
        self.earlier = self.end

    def place(self, *, more: bool) -> Anchor:
        """Return where to go on if nothing is committed after this page; the list ended where no `more` is to come."""
        places = [self._held or self.end]
        if more:
            places += [self.earlier, self._lacking or self.earlier]
        return min(places, key=attrgetter("seq"))
