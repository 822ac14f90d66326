"""Questions that tell an honest server from a lying one, each asked once per server and kind of list.

A probe that fails teaches nothing and harms nothing.
"""

from __future__ import annotations

from exporter.errors import BadAnswer, CannotList, NotFound, SourceError, Temporary, ThreadError
from exporter.sources._asking import Desk, Listed, Listing, StaleCursor
from exporter.sources._split import Piece

NOBODY = "0exporter0probe0"
"Ends an id that no server has given to anything."
FAILED = (StaleCursor, BadAnswer, CannotList, NotFound, Temporary)
"How a probe fails."


async def by_second(desk: Desk, listing: Listing, pair: tuple[str, str]) -> bool:
    """Whether `after` means a second: of two objects of one second, the other does not follow the one."""
    habits = desk.habits(listing.kind)
    if habits.tokens:
        return False
    if habits.by_second is None:
        first, second = pair
        try:
            found = await desk.page(listing, first, limit=1)
        except FAILED:
            return False
        name = (found.pieces[0].id or found.last_id) if found.pieces else ""
        if name is None:
            return False  # an object without a name says nothing
        # an inclusive server answers with the first itself: its cursor is an object
        habits.by_second = name not in (first, second)
    return habits.by_second


async def boundary_by_second(desk: Desk, listing: Listing, around: tuple[str, str, str]) -> bool:
    """Whether `after` means a second, where no times tell: of three neighbours over a page's end, two follow the one.

    Looked at once: the objects of one turn mostly share a second.
    """
    habits = desk.habits(listing.kind)
    if habits.by_second is None:
        before, last, first = around
        try:
            found = await desk.page(listing, before, limit=3)
        except FAILED:
            return False
        ids = [piece.id for piece in found.pieces if piece.id != before][:2]
        if None in ids or (len(ids) == 1 and ids[0] == last):
            return False  # nameless objects, or a server of very short pages
        habits.by_second = ids != [last, first]
    return habits.by_second


async def passed_over(desk: Desk, listing: Listing, after: str, first: Piece) -> bool:
    """Whether objects stand between a cursor and the first that came after it, where no time tells of a second.

    What stands before that one when the newest come first is another object then, and the same follows it: of an
    exact cursor it may be another too, as servers break ties both ways, but something else follows it. Not looked for
    where `order` is known to be overlooked, or the cursor to be an object or a page.
    """
    habits = desk.habits(listing.kind)
    settled = habits.by_second is not None or habits.tokens or habits.ordered is False
    if settled or first.time is not None or first.id is None:
        return False
    try:
        before = await desk.page(listing, first.id, order="desc", limit=1)
        other = before.pieces[0].id if before.pieces else None
        if other in (None, after, first.id):
            return False
        found = await desk.page(listing, other, limit=1)
    except FAILED:
        return False
    return bool(found.pieces) and found.pieces[0].id == first.id


async def ends_with(desk: Desk, listing: Listing, name: str) -> bool:
    """Whether a list ends with the object of this id, as it is told when the newest come first."""
    try:
        found = await desk.page(listing, None, order="desc", limit=1)
    except FAILED:
        return False
    return bool(found.pieces) and found.pieces[0].id == name


async def inclusive(desk: Desk, listing: Listing) -> bool:
    """Whether a page begins with the object that `after` names, and not just with one of the same id."""
    habits = desk.habits(listing.kind)
    if habits.inclusive is None:
        try:
            first = (await desk.page(listing, None, limit=1)).pieces[0]
            found = await desk.page(listing, first.id, limit=1)
        except (*FAILED, IndexError):
            return True
        habits.inclusive = bool(found.pieces) and found.pieces[0].body == first.body
    return habits.inclusive


async def ordered(desk: Desk, listing: Listing, first: Piece | None) -> bool:
    """Whether `order` is obeyed: the list begins with something else when asked for the newest first."""
    habits = desk.habits(listing.kind)
    if habits.ordered is None:
        try:
            if first is None:
                first = next(iter((await desk.page(listing, None, limit=1)).pieces), None)
            found = await desk.page(listing, None, order="desc", limit=1)
        except FAILED:
            return True
        if first is None or not found.pieces:
            return True
        same = found.pieces[0].id == first.id if first.id else found.pieces[0].body == first.body
        habits.ordered = not same
    return habits.ordered


async def mirrors(desk: Desk, listing: Listing, pair: tuple[str, str]) -> bool:
    """Whether two objects of one second that came newest first come the other way round when the oldest is first.

    Servers break ties both ways; and where the second follows the first, the cursor is an object, and no second.
    """
    habits = desk.habits(listing.kind)
    if habits.mirrors is None:
        first, second = pair
        try:
            found = await desk.page(listing, first, limit=1)
        except FAILED:
            return False
        habits.mirrors = [piece.id for piece in found.pieces[:1]] == [second]
        if habits.mirrors and habits.by_second is None:
            habits.by_second = False
    return habits.mirrors


async def bare(desk: Desk, listing: Listing) -> Listed | None:
    """Return what an empty list holds when nothing is said of limit and order; None where that is nothing either.

    Measured of OpenAI's list of responses, which a browser's session sees: with `limit` it has no rows.
    """
    habits = desk.habits(listing.kind)
    if habits.bare is not None:
        return None
    habits.bare = True
    try:
        found = await desk.page(listing, None)
    except FAILED:
        habits.bare = None
        return None
    habits.bare = bool(found.pieces)
    return found if found.pieces else None


async def restarted(desk: Desk, listing: Listing, after: str, first: Piece) -> bool:
    """Whether a page that was asked for after a cursor is the list's beginning instead."""
    habits = desk.habits(listing.kind)
    try:
        if habits.restarts is None:
            habits.restarts = await _restarts(desk, listing, after)
        if not habits.restarts:
            return False
        beginning = await desk.page(listing, None, limit=1)
    except FAILED:
        return False
    return bool(beginning.pieces) and beginning.pieces[0].body == first.body


async def denies(desk: Desk, nobody: Listing) -> bool:
    """Whether the list of a thread that nobody has is refused by its name, so that no empty list stands for no thread.

    Asked once, however many visits want to know; what fails in any other way counts as no.
    """
    habits = desk.habits(nobody.kind)
    async with desk.probing:
        if habits.denies is None:
            try:
                await desk.page(nobody, None, limit=1)
            except NotFound:
                habits.denies = True
            except (ThreadError, SourceError):
                habits.denies = False
            else:
                habits.denies = False
    return habits.denies


async def _restarts(desk: Desk, listing: Listing, after: str) -> bool:
    try:
        found = await desk.page(listing, after[:40] + NOBODY, limit=1)
    except (StaleCursor, BadAnswer, CannotList):
        return False
    return bool(found.pieces)
