"""The one loop that follows a cursor.

Progress is what ends it: each page must bring an id that this walk has not seen, and ask after something it has not
asked after. A list ends when the server says so and can be believed; whatever else happens is a note on a page
(survived exactly) or a `Gap` (named). A page is yielded once everything before it was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial

from exporter.errors import Lie, NotFound, ThreadError
from exporter.model import Gap, Page, Position, now
from exporter.sources import _probes
from exporter.sources._asking import Children, Desk, Listed, Listing, StaleCursor
from exporter.sources._both_ends import SecondChain
from exporter.sources._habits import descending
from exporter.sources._state import Walk

RETRIES = 2
"How often an empty page that promises more is asked for again, and a walk is begun again."
TURNED_MAX = 100
"Pages of a list that comes newest first which are held to be turned round; a longer one is a gap."

MISTAKEN = {
    "stale_cursor": "more was promised, and nothing follows the object it is asked to go on after",
    "descending": "the list comes newest first",
    "cursor_restarted": "the list begins again whatever it is asked for",
    "cursor_by_second": "the cursor means a second",
}
"Why a walk does not go on where an earlier one ended."


async def walk(desk: Desk, listing: Listing, position: Position | None) -> AsyncIterator[Page | Gap]:
    """Yield what follows the position, None being never walked; an error of this list alone is a gap."""
    state = Walk(listing, position)
    second: SecondChain | None = None
    turned: list[Page] = []
    going = True
    try:
        while going:
            listed = await _next(desk, state, second)
            if listed is None:
                continue
            second = _towards(desk, state, second, listed)
            if listing.children is not None:
                async for event in _children(state, listing.children):
                    yield event
            for page in _in_order(state, listed, turned):
                yield page
            going = state.advance()
    except NotFound:
        raise
    except ThreadError as error:
        state.gap(error.code, str(error))
    finally:
        if second is not None:
            await second.close()
    left: list[Page | Gap] = [*_turned(turned), *state.gaps]
    for event in left:
        yield event


async def _next(desk: Desk, state: Walk, second: SecondChain | None) -> Listed | None:
    """Take the next page; None where something else is to be asked for first."""
    ask = partial(_ask, desk, state)
    listed = await (ask() if second is None else second.next(state.after, ask))
    if listed is None or await _begun_again(desk, state, listed):
        return None
    if not listed.pieces and listed.more:
        raise Lie("an empty page says that more follows", "empty_page_has_more")
    if await _by_second(desk, state, listed):
        return None
    await _look_at_order(desk, state, listed)
    state.take(listed, desk.habits(state.listing.kind))
    return None if await _leapt(desk, state) else listed


def _towards(desk: Desk, state: Walk, second: SecondChain | None, listed: Listed) -> SecondChain | None:
    """Return the chain that comes from the list's end, if one may; it hears of each page but the last."""
    if listed.more and state.fresh:
        second = second or SecondChain(desk, state)
        second.took(listed)
    return second


def _in_order(state: Walk, listed: Listed, turned: list[Page]) -> Iterator[Page]:
    """Yield what a page brought, if it is news; in `turned` is held back what comes newest first."""
    page = state.page(listed)
    if page is None or (state.backwards and not page.items):
        return
    if state.backwards and len(turned) < TURNED_MAX:
        turned.append(page)
    else:
        yield from _too_long(state, turned)
        yield page


async def _children(state: Walk, children: Children) -> AsyncIterator[Page | Gap]:
    """Yield what hangs on the new objects; one that cannot be had whole is looked at again by the next visit."""
    for index, piece in enumerate(state.taken):
        async for event in children(piece):
            if isinstance(event, Gap):
                state.hold(index)
            yield event


async def _ask(desk: Desk, state: Walk) -> Listed | None:
    """Return the next page; None when the walk has to begin again."""
    limit = desk.habits(state.listing.kind).limit
    state.whole = state.alone(desk.habits(state.listing.kind))
    after = None if state.whole else state.after
    try:
        listed = await desk.page(state.listing, after)
        for _ in range(RETRIES):
            if listed.pieces or not listed.more:
                break
            listed = await desk.page(state.listing, after)
        if state.listing.doubtful and after is None and not listed.pieces and not listed.more:
            listed = await _probes.bare(desk, state.listing) or listed
    except StaleCursor:
        other = state.other_cursor()
        if other is not None and not desk.habits(state.listing.kind).tokens:
            desk.habits(state.listing.kind).tokens = True
            state.use(other)
            return None
        if state.ended(desk.habits(state.listing.kind)):
            return Listed((), None, more=False, limit=limit, at=now(), proven=True)
        _begin_again(state, "stale_cursor", "the server does not know the object it is asked to go on after")
        return None
    if desk.habits(state.listing.kind).limit != limit:
        state.note("smaller_limit")
    if desk.refuses(state.listing):
        state.note("include_refused")
    return listed


def _begin_again(state: Walk, note: str, why: str) -> None:
    if state.restarts >= RETRIES or (state.after is None and state.restarts):
        raise Lie(f"{state.listing.thread}: {state.listing.list}: {why}", note)
    state.restart(note)


async def _begun_again(desk: Desk, state: Walk, listed: Listed) -> bool:
    """Whether the first page after a resumed cursor is not what follows it, so that all is walked again."""
    if not state.resuming or state.after is None:
        return False
    if state.whole and listed.pieces:
        await _look_at_whole(desk, state, listed)
        return False
    note = await _mistaken(desk, state, state.after, listed)
    if note is not None:
        _begin_again(state, note, MISTAKEN[note])
    return note is not None


async def _mistaken(desk: Desk, state: Walk, after: str, listed: Listed) -> str | None:
    """Return what shows that a page is not what follows a cursor of an earlier walk; None where nothing does."""
    if not listed.pieces:
        lost = state.cut and not (listed.more or await _probes.ends_with(desk, state.listing, after))
        return "stale_cursor" if lost else None
    first = listed.pieces[0]
    if first.id == after:
        state.overlaps = await _probes.inclusive(desk, state.listing)
        return None
    if descending(listed.pieces) and not await _probes.ordered(desk, state.listing, None):
        return "descending"
    if await _probes.restarted(desk, state.listing, after, first):
        return "cursor_restarted"
    skips = state.cut and await _probes.passed_over(desk, state.listing, after, first)
    return "cursor_by_second" if skips else None


async def _look_at_whole(desk: Desk, state: Walk, listed: Listed) -> None:
    """Judge a list that was one object long: it must begin with that one still, and grow at its end, or is all new."""
    first, grown = listed.pieces[0], len(listed.pieces) > 1
    if first.id != state.after:
        state.restart("stale_cursor")
    elif grown and descending(listed.pieces) is not False and not await _probes.ordered(desk, state.listing, first):
        state.restart("descending")


async def _by_second(desk: Desk, state: Walk, listed: Listed) -> bool:
    """Whether objects of the second where the last page ended were skipped; the walk then asks again for them."""
    if not state.suspects(listed, desk.habits(state.listing.kind)):
        return False
    around = state.around(listed)
    if around is not None:
        proven = await _probes.boundary_by_second(desk, state.listing, around)
    elif state.pair is not None:
        proven = await _probes.by_second(desk, state.listing, state.pair)
    else:
        return await _missed(desk, state)
    if not proven:
        return False
    if not state.unproven:
        return state.step_back()
    _begin_again(state, "cursor_by_second", MISTAKEN["cursor_by_second"])
    return True


async def _missed(desk: Desk, state: Walk) -> bool:
    """Whether stepping back may bring what was promised and did not come; a gap where it can't and the list goes on."""
    if state.step_back():
        return True
    if state.after is not None and not await _probes.ends_with(desk, state.listing, state.after):
        state.gap("cursor_by_second", "more was promised, and nothing came although the list goes on")
    return False


async def _leapt(desk: Desk, state: Walk) -> bool:
    """Whether a page shows that the cursor means a second, and those before it did not; the walk then begins again.

    Asked too where a walk that is cut off here would begin where it began.
    """
    if state.pair is None or not (state.leapt or state.stays):
        return False
    if await _probes.by_second(desk, state.listing, state.pair):
        _begin_again(state, "cursor_by_second", MISTAKEN["cursor_by_second"])
        return True
    state.proven(desk.habits(state.listing.kind))
    return False


async def _look_at_order(desk: Desk, state: Walk, listed: Listed) -> None:
    falls = descending(listed.pieces)
    habits = desk.habits(state.listing.kind)
    if falls is False and habits.ordered is None:
        habits.ordered = True
    if state.after is not None or len(listed.pieces) < 2:
        if (falls or state.falls(listed)) and habits.ordered is False and not state.backwards:
            _out_of_order(state, "descending", "the list comes newest first although oldest first was asked for")
        return
    if falls is False or await _probes.ordered(desk, state.listing, listed.pieces[0]):
        return
    if falls:
        state.backwards = True
    else:
        why = "the list comes in the same order whatever is asked for, and nothing tells which"
        _out_of_order(state, "order_ignored", why)


def _out_of_order(state: Walk, code: str, why: str) -> None:
    """Name what is out of order: of a list of threads nothing is lost by that, but its cursor proves nothing."""
    if state.listing.of_threads:
        state.note(code)
    else:
        state.gap(code, why)


def _turned(pages: list[Page]) -> list[Page]:
    """Return the pages of a list that came newest first, oldest first; it has no cursor to go on from."""
    seq = 0
    found = []
    for page in reversed(pages):
        items = page.items[::-1]
        notes = tuple(sorted({*page.notes, "descending"}))
        found.append(replace(page, items=items, seq=seq, cursor=None, next_seq=0, notes=notes))
        seq += len(items)
    return found


def _too_long(state: Walk, turned: list[Page]) -> list[Page]:
    """Return the pages held back of a list that is too long to be turned round."""
    pages = list(turned)
    turned.clear()
    if pages:
        state.backwards = False
        _out_of_order(state, "descending", "the list comes newest first and is too long to be turned round")
    if state.listing.of_threads:
        return [replace(page, notes=tuple(sorted({*page.notes, "descending"}))) for page in pages]
    return pages
