"""Where one walk of one list stands: what was seen, what comes next, what is to be said about it.

No I/O here, and one page at a time: `take` it, then hand on `page`, then `advance`.
"""

from __future__ import annotations

from collections.abc import Sequence

from exporter.model import Gap, Item, Page, Position
from exporter.sources._anchors import Anchors
from exporter.sources._asking import Listed, Listing
from exporter.sources._habits import UNSETTLED, Habits, same_second, settled, stepped_back, tied
from exporter.sources._seen import Seen
from exporter.sources._split import Piece

WHY = {
    "cursor_repeated": "the server answers with objects that it gave before, and says that more follow",
    "no_cursor": "the last object has no id, so nothing can be asked for that follows it",
    "cursor_by_second": "the cursor means a second, and there is no earlier one on the page to go back to",
}


USUAL = frozenset({20, 50})
"Page sizes of servers that overlook `limit`: such a page may be full."


class Walk:
    """The walk of one list, from a position on."""

    def __init__(self, listing: Listing, position: Position | None) -> None:
        self.listing = listing
        self.restarts = 0
        self.gaps: list[Gap] = []
        self._begin(position or Position(), fresh=position is None)

    def _begin(self, position: Position, *, fresh: bool) -> None:
        self.after, self.seq, self.said_more = position.cursor, position.seq, position.more
        self.resumed = self.resuming = self.after is not None
        self._open = position.more
        "Whether the last page that was handed on is not the end of the list."
        self.cut = self.resumed and self.said_more
        "Whether an earlier walk was cut off where this one goes on: what that one saw proves nothing here."
        self.fresh = fresh
        self.backwards = False
        self.overlaps = True
        "Whether an object with the id of a resumed cursor is that object."
        self.whole = False
        "Whether the page was asked for from the beginning although the walk is resumed."
        self.taken: Sequence[Piece] = ()
        "The objects of the last page that this walk had not seen before."
        self._first = position.seq
        "Position of the first of these."
        self._anchors = Anchors(position)
        self._notes: set[str] = set()
        self._seen = Seen()
        self._used = {position.cursor}
        self._last: tuple[Piece, ...] = ()
        self._pair: tuple[str, str] | None = None
        self._largest = 0
        self._expected: str | None = None
        self._other: str | None = None
        self._once_more = self._stepped = False
        self._leapt = self.cut
        self.next: str | None = None

    def restart(self, note: str) -> None:
        """Walk from the beginning again: the archive may hold any of it."""
        self.restarts += 1
        self._begin(Position(), fresh=False)
        self.note(note)

    def note(self, word: str) -> None:
        """Remember an oddity for the next page."""
        self._notes.add(word)

    def had(self, name: str | None) -> bool:
        """Whether an object of this id came."""
        return name in self._seen

    def gap(self, code: str, why: str) -> None:
        """Name what cannot be walked; the first of a kind counts."""
        if all(gap.code != code for gap in self.gaps):
            listing = self.listing
            detail = why if why.startswith(str(listing.thread)) else f"{listing.thread}: {listing.list}: {why}"
            self.gaps.append(Gap(listing.thread, listing.list, self._anchors.place(more=False).cursor, code, detail))
            self._anchors.lack()

    def hold(self, index: int) -> None:
        """Let the next visit begin before this one of the objects that were taken: it is not as it will be."""
        self._anchors.hold(index)

    def alone(self, habits: Habits) -> bool:
        """Whether this resumes after the only object of a list, on a server that may list newest first.

        Asking after it would bring nothing there, for ever; so such a list is asked for from its beginning.
        """
        return self.resuming and self.seq == 1 and not self.cut and habits.ordered is None

    # judging a page

    def suspects(self, listed: Listed, habits: Habits) -> bool:
        """Whether objects of the last page's last second may have been skipped before this page."""
        if habits.by_second is not None or self._stepped or self.backwards or not self._last:
            return False
        if not listed.pieces:
            return self.said_more
        if listed.pieces[0].id in self._seen:
            return False
        if same_second(self._last[-1], listed.pieces[0]):
            habits.by_second = False
            return False
        return self.pair is not None or self.around(listed) is not None

    def around(self, listed: Listed) -> tuple[str, str, str] | None:
        """Return the last two objects before this page and its first, where none of them has a time."""
        three = (*self._last[-2:], *listed.pieces[:1])
        names = [piece.id for piece in three if piece.id is not None and piece.time is None]
        return (names[0], names[1], names[2]) if len(names) == 3 else None

    @property
    def pair(self) -> tuple[str, str] | None:
        """Two objects of one second, of the pages so far."""
        return self._pair

    @property
    def unproven(self) -> bool:
        """Whether earlier pages may have been cut off in the middle of a second."""
        return self.resumed or self._leapt

    @property
    def leapt(self) -> bool:
        """Whether this page has to show what the cursor means, as one before it was passed without a proof."""
        return self._leapt and not (self.backwards or self.gaps)

    @property
    def stays(self) -> bool:
        """Whether a walk that is cut off after this page has to begin where this one began, for a second's sake."""
        return self.next is not None and self._anchors.stays and not (self.backwards or self.gaps)

    def proven(self, habits: Habits) -> None:
        """Go on after all that came, where the cursor was found to be an object."""
        if habits.by_second is False:
            self._anchors.prove()

    def step_back(self) -> bool:
        """Go on after the last object of an earlier second; False where there is none."""
        index = stepped_back(self._last)
        if self._pair is None and len(self._last) > 1:
            # nothing shows a second: whoever skips one has skipped the last object too, if no time tells
            index, self._expected = len(self._last) - 2 if index is None else index, self._last[-1].id
        self._stepped = True
        name = None if index is None else self._last[index].id
        if name is None:
            if self._pair is not None:
                self.gap("cursor_by_second", WHY["cursor_by_second"])
            return False
        self._used.discard(self.after)  # what came after it was not taken, so it may be asked for again
        self.use(name)
        if self._pair is not None:
            self.note("cursor_by_second")
        return True

    def falls(self, listed: Listed) -> bool:
        """Whether this page is older than the one before."""
        if not (self._last and listed.pieces):
            return False
        before, now = self._last[-1].time, listed.pieces[0].time
        return before is not None and now is not None and now < before

    # taking it

    def take(self, listed: Listed, habits: Habits) -> None:
        """Take what is new on a page, and find out how to go on: `next` is None at the end."""
        self._leapt = self._leapt or self._leaps(listed, habits)
        repeats = self._sift(listed, habits)
        self._pair = self._pair or tied(listed.pieces)
        before = self._last[-1] if self._last else None
        self._anchors.pass_second(self.taken, before, exact=self._exact(listed, habits))
        progress = self._progress
        if self._once_more and progress:
            habits.hides_more = True
            self.note("has_more_false")
        if listed.unclear:
            self.note("has_more_odd")
        self.next = None
        overlap = not repeats or habits.by_second or self._stepped
        if self._expected and all(piece.id != self._expected for piece in listed.pieces):
            self.gap("cursor_by_second", WHY["cursor_by_second"])
        elif self._expected and progress:
            self.note("cursor_by_second")
        self._expected = None
        if not habits.by_second and self._steps_forward(listed):
            self.next = self._anchors.end.cursor
        elif listed.pieces and not progress and (listed.more or not overlap):
            self.gap("cursor_repeated", WHY["cursor_repeated"])
        elif self._goes_on(listed, habits):
            self.next = self._cursor(listed, habits)
        elif self._loses_a_name(listed):
            self.gap("no_cursor", WHY["no_cursor"])
        self.resuming = self.whole = False
        self._stepped = self.next is not None and self.next == self._anchors.earlier.cursor != self._anchors.end.cursor
        self._last = listed.pieces or self._last
        self._largest = max(self._largest, len(listed.pieces))

    def _leaps(self, listed: Listed, habits: Habits) -> bool:
        """Whether nothing shows that this page goes on exactly where the one before it ended."""
        if habits.by_second is not None or self._stepped or not (self._last and listed.pieces):
            return False
        return listed.pieces[0].id not in self._seen

    def _sift(self, listed: Listed, habits: Habits) -> bool:
        """Fill `taken` with what was not seen; returns whether the page has repeats that no cursor explains."""
        self._first = self.seq
        self._anchors.begin()
        if self._all_new(listed, habits):
            return False
        skip = self._had_before(listed)
        found = self._seen.sift(listed.pieces, skip)
        self._progress = found.progress
        for index in found.repeated if not self._stepped else ():
            self.note("inclusive_cursor" if index == 0 and listed.pieces[0].id == self.after else "repeated_ids")
        if found.twice:
            self.note("duplicate_ids")
            self.fresh = False
        taken: list[Piece] = []
        self.taken, anchors = taken, self._anchors
        omits, settles, names_one = self.listing.omits, self.listing.settles, self._seen.names_one
        for piece in found.new:
            if omits is not None and self._omits(piece):
                continue
            taken.append(piece)
            anchors.take()
            self.seq += 1
            if names_one(piece):
                anchors.move(piece.id, self.seq)
            if anchors.held is None and not settles(piece, listed.at):
                self.hold(-1)
        last = found.new[-1] if found.new else None
        cursor = self._last_id(listed, habits)
        if last and last is listed.pieces[-1] and cursor and (last.id is None or self._seen.names_one(last)):
            anchors.move(cursor, self.seq)
        return skip + len(found.repeated) > 1

    def _all_new(self, listed: Listed, habits: Habits) -> bool:
        """Take a page at once of which nothing has to be looked at by itself; False where anything has to."""
        listing, pieces = self.listing, listed.pieces
        plain = listing.omits is None and listing.children is None and listing.settles is settled
        if not (pieces and plain and UNSETTLED.isdisjoint([piece.status for piece in pieces])):
            return False
        if self.after in [piece.id for piece in pieces] or not self._seen.adds(pieces):
            return False
        self._progress, self.taken = True, pieces
        self.seq += len(pieces)
        self._anchors.move(self._last_id(listed, habits), self.seq)
        return True

    def _exact(self, listed: Listed, habits: Habits) -> bool:
        """Whether a cursor means an object, or a page: then a walk goes on after all that it brought."""
        last = listed.pieces[-1].id if listed.pieces else None
        return habits.by_second is False or habits.tokens or listed.last_id not in (None, last)

    def _omits(self, piece: Piece) -> bool:
        """Whether an object is another thread's; the list goes on after it, its positions do not count it."""
        if self.listing.omits is None or piece.id is None or not self.listing.omits(piece.id):
            return False
        self.note("earlier_turns")
        if self._seen.names_one(piece):
            self._anchors.move(piece.id, self.seq)
        return True

    def _last_id(self, listed: Listed, habits: Habits) -> str | None:
        """Return what the page ends with: its last object's id, `last_id` where that has none or is no cursor."""
        last = listed.pieces[-1].id if listed.pieces else None
        if listed.last_id is None or (last is not None and not habits.tokens):
            return last
        return listed.last_id

    def _loses_a_name(self, listed: Listed) -> bool:
        """Whether the last object's id was left out: it has one when another object is last, and is two then."""
        nameless = bool(listed.pieces) and listed.pieces[-1].id is None and listed.last_id is None
        return nameless and any(piece.id is not None for piece in listed.pieces)

    def other_cursor(self) -> str | None:
        """Return the `last_id` that differed from the last object's id."""
        return self._other

    def use(self, cursor: str) -> None:
        """Ask after this instead."""
        self.after = cursor
        self._used.add(cursor)

    def _had_before(self, listed: Listed) -> int:
        """Return how many objects a page repeats: all up to the one that it was to come after."""
        found = next((n for n, piece in enumerate(listed.pieces, 1) if piece.id and piece.id == self.after), 0)
        if found == 1 and not (self.resuming and self.overlaps):
            return 0  # seen in this walk, or another object of that id
        if found and not self.whole:
            self.note("inclusive_cursor" if found == 1 else "repeated_ids")
        return found

    def _goes_on(self, listed: Listed, habits: Habits) -> bool:
        """Whether to ask again: where more is promised, and once after a page that ends the list and is full.

        Where it is not said whether more follows, until nothing new comes.
        """
        if listed.unclear:
            self._once_more = False
            return bool(listed.pieces) and self._progress
        self._once_more = bool(listed.pieces) and not (listed.more or listed.proven) and self._full(listed, habits)
        return listed.more or self._once_more

    def _full(self, listed: Listed, habits: Habits) -> bool:
        """Whether a page looks cut off rather than ended: it is as long as was asked for, or as any of this walk."""
        size = len(listed.pieces)
        if not habits.believed and (size >= listed.limit or size in USUAL):
            return True
        exact = self._progress and not habits.by_second and (listed.last_id is not None or not habits.tokens)
        return exact and (size >= listed.limit or 0 < self._largest <= size)

    def ended(self, habits: Habits) -> bool:
        """Whether what was asked for is only to prove an end that the server told: it may refuse a place behind it."""
        return self._once_more and habits.believed

    def _cursor(self, listed: Listed, habits: Habits) -> str | None:
        """Return what to ask after, or name why there is nothing."""
        last = listed.pieces[-1].id if listed.pieces else None
        if habits.by_second or (last is not None and self._cautious(listed, habits)):
            earlier = self._anchors.earlier
            if earlier.seq < self._anchors.end.seq and earlier.cursor not in self._used:
                if habits.by_second:
                    self.note("cursor_by_second")
                return earlier.cursor
            if habits.by_second:
                self.gap("cursor_by_second", WHY["cursor_by_second"])
        cursor = self._last_id(listed, habits)
        self._other = listed.last_id if listed.last_id not in (None, last, cursor) else None
        if self._other and last is not None:
            self.note("last_id_wrong")
        if cursor is None:
            if listed.more or listed.unclear:
                self.gap("no_cursor", WHY["no_cursor"])
            return None
        return self._unused(cursor, last)

    def _steps_forward(self, listed: Listed) -> bool:
        """Whether a page brought nothing but what the last one ended with, as it was asked for before that."""
        end = self._anchors.end.cursor
        stepped = self._stepped and listed.more and bool(listed.pieces) and not self._progress
        return stepped and end is not None and end not in self._used

    def _cautious(self, listed: Listed, habits: Habits) -> bool:
        """Whether to go on before the second that a page ends in, as nothing shows what a cursor means."""
        return self.cut and listed.more and habits.by_second is None and self._pair is None

    def _unused(self, cursor: str | None, other: str | None) -> str | None:
        for name in (cursor, other):
            if name is not None and name not in self._used:
                if name != cursor:
                    self.note("last_id_wrong")
                return name
        self.gap("cursor_repeated", WHY["cursor_repeated"])
        return None

    # handing it on

    def page(self, listed: Listed) -> Page | None:
        """Return what the page brought; None when it has no news."""
        more = listed.more or self.next is not None or bool(self.gaps)
        if not self.taken and (more or not self._open):
            return None
        place = self._anchors.place(more=more)
        self.said_more, self._open = listed.more, more
        notes, self._notes = tuple(sorted(self._notes)), set()
        return Page(
            thread=self.listing.thread,
            kind=self.listing.kind,
            items=tuple([Item(piece.id, piece.body) for piece in self.taken]),
            cursor=place.cursor,
            more=more,
            fetched_at=listed.at,
            list=self.listing.list,
            seq=self._first,
            next_seq=None if place.seq == self.seq else place.seq,
            fresh=self.fresh,
            parent=self.listing.parent,
            notes=notes,
        )

    def advance(self) -> bool:
        """Go on to `next`; False at the end."""
        if self.next is None:
            return False
        self.use(self.next)
        return True
