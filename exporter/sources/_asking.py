"""Asks for one thing and comes back with it, or with the error it stands for.

What a server refuses of the question itself (a limit, a value of include[]) is taken back, remembered in `Habits`
and asked without; so the walk above sees pages only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from exporter.complaints import Complaint, complaint
from exporter.errors import BadAnswer
from exporter.model import Gap, Kind, Page, ThreadRef, now
from exporter.sources import Answer, Transport
from exporter.sources._answers import ATTEMPTS, not_json, refusal
from exporter.sources._habits import Habits, settled, smaller
from exporter.sources._split import Body, Piece, compact, name, parted, piece

Params = tuple[tuple[str, str], ...]
Children = Callable[[Piece], AsyncIterator[Page | Gap]]
Sleep = Callable[[float], Awaitable[None]]

AT_ONCE = (0.0,)
ONE: Params = (("limit", "1"), ("order", "asc"))


@dataclass(frozen=True, slots=True)
class Listing:
    """One list of one thread: what to ask, and what its objects are."""

    thread: ThreadRef
    kind: Kind
    list: str
    path: str
    params: Params = ()
    "What can be left out when the server refuses it: include[]."
    headers: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None
    children: Children | None = None
    "What is to be walked before an object counts as had: a run's steps."
    settles: Callable[[Piece, datetime], bool] = settled
    "Whether an object will stay as it is; from the first that may not, the next visit looks again."
    omits: Callable[[str], bool] | None = None
    "Whether the object of this id belongs to another thread and is archived there."
    waits: tuple[float, ...] = ()
    "Seconds to wait, each time before a 404 is asked again: what was just stored may be found a little later."
    doubtful: bool = False
    "Whether an empty list may be one whose server shows nothing to who says how much he wants."

    again: bool = False
    "Whether it is walked from its beginning although it was walked before."

    @property
    def of_threads(self) -> bool:
        """Whether this is the list of a source's threads, whose order tells nothing but where to go on."""
        return not self.thread.id

    @property
    def single(self) -> bool:
        """Whether this is the thread's own object, and no list."""
        return self.list == "thread"


class Listed(msgspec.Struct, frozen=True):
    """A page as the server gave it."""

    pieces: tuple[Piece, ...]
    last_id: str | None
    more: bool
    limit: int
    "How many were asked for."
    at: datetime
    proven: bool = False
    "Whether it was asked what follows the last object, and nothing did."
    unclear: bool = False
    "Whether the server said of more neither that it follows nor that it does not."


class StaleCursor(Exception):
    """The server does not know the object that `after` names."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where one source asks: its transport, and what it learned of the server, per kind of list."""

    transport: Transport
    sleep: Sleep = asyncio.sleep
    probing: asyncio.Lock = field(default_factory=asyncio.Lock)
    "Held by who asks what all visits of a run want to know."
    _habits: dict[Kind, Habits] = field(default_factory=dict)
    _single: Habits = field(default_factory=Habits)

    def habits(self, kind: Kind) -> Habits:
        """Return what is known of this kind of list."""
        found = self._habits.get(kind)
        if found is None:
            found = self._habits[kind] = Habits()
        return found

    async def thread(self, own: Listing) -> Piece:
        """Return the thread's own object; a 404 is believed when it is said twice."""
        answer, kept = await self._object(own)
        if answer.status != 200:
            raise refusal(answer, own.thread, own.path, identified=False)
        found = piece(await self._json(answer, own, kept))
        if found.id != own.thread.id:
            raise BadAnswer(
                f"{own.thread}: GET {own.path} answered with another object than the one that was asked for"
            )
        return found

    async def page(
        self, listing: Listing, after: str | None, *, order: str = "asc", limit: int | None = None
    ) -> Listed:
        """Return one page of a list; StaleCursor when `after` is what the server refuses."""
        habits = self.habits(listing.kind)
        waits = listing.waits if after is None else ()
        while True:
            asked = min(limit or habits.limit, habits.limit)
            kept = self._kept(listing)
            cursor = (("after", after),) if after is not None else ()
            paging = () if habits.bare else (("limit", str(asked)), ("order", order))
            params = (*paging, *cursor, *kept)
            answer = await self._get(listing, params, waits)
            if answer.status == 200:
                return await self._listed(answer, listing, params, asked)
            if await self._give_in(answer, listing, asked, kept):
                continue
            told = complaint(answer.body)
            if after is not None and answer.status in (400, 404, 422) and not _thread_is_missing(told, listing, after):
                raise StaleCursor
            raise refusal(answer, listing.thread, listing.path, identified=True)

    async def _object(self, own: Listing) -> tuple[Answer, Params]:
        """Return the answer to the question for a single object, and the parameters it was asked with."""
        while True:
            kept = self._kept(own)
            answer = await self._get(own, kept, own.waits or AT_ONCE)
            if answer.status == 200 or not await self._give_in(answer, own, 1, kept):
                return answer, kept

    async def _get(self, listing: Listing, params: Params, waits: tuple[float, ...]) -> Answer:
        answer = await self.transport.get(listing.path, params, listing.headers)
        for wait in waits:
            if answer.status != 404:
                break
            await self.sleep(wait)
            answer = await self.transport.get(listing.path, params, listing.headers)
        return answer

    def refuses(self, listing: Listing) -> bool:
        """Whether the server does not take all that a list, or a thread's own object, is to be asked with."""
        return len(self._kept(listing)) < len(listing.params)

    def _known(self, listing: Listing) -> Habits:
        return self._single if listing.single else self.habits(listing.kind)

    def _kept(self, listing: Listing) -> Params:
        refused = self._known(listing).refused
        if not refused:
            return listing.params
        return tuple(pair for pair in listing.params if pair not in refused)

    async def _give_in(self, answer: Answer, listing: Listing, asked: int, kept: Params) -> bool:
        """Take back what the server refuses of the question; False when it refuses something else."""
        if answer.status not in (400, 413, 422):
            return False
        told = complaint(answer.body)
        habits = self._known(listing)
        if kept and ("include" in told.param or "include" in told.text or any(told.names(v) for _, v in kept)):
            habits.refused |= await self._refused(listing, told, kept)
            return True
        if told.param == "limit" or "limit" in told.text:
            fewer = smaller(asked, told.text)
            if fewer is not None:
                habits.limit = fewer
                return True
        return False

    async def _refused(self, listing: Listing, told: Complaint, kept: Params) -> set[tuple[str, str]]:
        """Return the values that the server does not take: the one it names, else each is tried by itself."""
        blamed = [pair for pair in kept if told.names(f"'{pair[1]}'") or told.names(f'"{pair[1]}"')]
        # servers name the refused value first, and then perhaps all that they know
        first = min(blamed, key=lambda pair: told.text.find(pair[1]), default=None)
        if first is not None:
            return {first}
        bad: set[tuple[str, str]] = set()
        for pair in kept:
            params = (pair,) if listing.single else (*ONE, pair)
            answer = await self.transport.get(listing.path, params, listing.headers)
            if answer.status != 200:
                bad.add(pair)
        return bad or set(kept)

    async def _listed(self, answer: Answer, listing: Listing, params: Params, asked: int) -> Listed:
        body = await self._json(answer, listing, params)
        envelope, pieces = _split(body, listing)
        if pieces is None:
            raise BadAnswer(f"{listing.thread}: GET {listing.path} answered no list: its `data` is none")
        if not listing.of_threads and {p.thread for p in pieces} - {None, listing.thread.id}:
            raise BadAnswer(f"{listing.thread}: GET {listing.path} answered with objects of another thread")
        said = envelope.get("has_more")
        more, unclear = said in (True, "true"), said not in (True, "true", False, "false", None)
        habits = self.habits(listing.kind)
        habits.says_more = habits.says_more or (more and bool(pieces))
        return Listed(pieces, name(envelope.get("last_id")), more, asked, now(), unclear=unclear)

    async def _json(self, answer: Answer, listing: Listing, params: Params) -> bytes:
        """Return the compact body; one that is no JSON is asked for again first."""
        thread, path = listing.thread, listing.path
        for left in range(ATTEMPTS - 1, -1, -1):
            try:
                return compact(answer.body)
            except ValueError as error:
                if not left:
                    raise not_json(answer, thread, path, _reason(error)) from None
            answer = await self.transport.get(path, params, listing.headers)
            if answer.status != 200:
                raise refusal(answer, thread, path, identified=False)
        raise AssertionError


def _split(body: bytes, listing: Listing) -> Body:
    try:
        return parted(body)
    except ValueError as error:
        raise BadAnswer(f"{listing.thread}: GET {listing.path} answered no list: {_reason(error)}") from None


def _reason(error: ValueError) -> str:
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else "not JSON" if not str(error) else f"{error}"[:100]


def _thread_is_missing(told: Complaint, listing: Listing, after: str) -> bool:
    return told.names(listing.thread.id) and not told.names(after)
