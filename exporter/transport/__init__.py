"""Reaches a server with the SDK's login and headers, a lean client, our retries, and the server's bytes.

Every attempt, and every address that a download is led on to, is one request of the pace and of the budget.
What leaves is an `Answer` or one of our errors, and none of them knows the key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Self

from exporter.endpoint import endpoint_of
from exporter.errors import BadAnswer, BudgetReached, Temporary
from exporter.model import Profile, printable
from exporter.pacing import Pace
from exporter.sources import NO_HEADERS, Answer, Sink
from exporter.transport._client import Client
from exporter.transport._elsewhere import REDIRECTS, Elsewhere, led_to, shown
from exporter.transport._login import Login, check, connectable, with_session
from exporter.transport._reading import beginning, unpacked, whole
from exporter.transport._retrying import (
    RETRY_AFTER_MAX,
    Again,
    Patience,
    Unusable,
    backoff,
    refill,
    retry_after,
    retryable,
)
from exporter.transport._wire import Incoming, Method

BINARY = {"Accept": "application/binary", "Accept-Encoding": "identity"}
"As the SDK asks for files; and not packed, so that what is counted is what is kept."
ERROR_BYTES = 2**16
"How much is read of what another server complains."

# stamina reports each retry as a warning, which Python prints when nobody configured logging
logging.getLogger("stamina").addHandler(logging.NullHandler())


class Budget:
    """How many requests a run may send, over all its servers; None is any number."""

    def __init__(self, requests: int | None) -> None:
        self.requests = requests
        self._left = requests

    def spend(self) -> None:
        """Take one; `BudgetReached` when none is left."""
        if self._left is not None:
            if self._left < 1:
                raise BudgetReached(f"{self.requests:,} requests were sent, as many as allowed; run again to go on")
            self._left -= 1


class HttpTransport:
    """One profile's way to its server. Close it with `aclose()`, or use it as an async context manager."""

    def __init__(
        self,
        profile: Profile,
        pace: Pace,
        *,
        budget: Budget | None = None,
        attempts: int = 8,
        patience: float = 600.0,
        timeout: tuple[float, float] = (10.0, 60.0),
        max_bytes: int = 512 * 2**20,
    ) -> None:
        self.endpoint = endpoint_of(profile.base_url)
        self.requests = 0
        self.aside = asyncio.Lock()
        self._login = Login(profile)
        self._client = Client(self._login, timeout, max_bytes, patience)
        self._elsewhere: Elsewhere | None = None
        self._timeout = timeout
        self._pace, self._budget = pace, budget or Budget(None)
        self._attempts, self._patience, self._max_bytes = attempts, patience, max_bytes

    @property
    def last_date(self) -> datetime | None:
        """What the server's clock said last, in `Date`."""
        return self._client.last_date

    @property
    def last_seen(self) -> float | None:
        """Our clock at that moment (time.time())."""
        return self._client.last_seen

    async def get(
        self, path: str, params: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """GET a path under the endpoint, again while that may help; `Temporary` when it did not."""
        patience = self._patient()

        async def once() -> Answer:
            return await patience.bounds(self._asked(path, params, headers, patience))

        return await self._insist(path, once, patience)

    def room(self) -> bool:
        """Whether there is room for a request that nobody waits for, as `Roomy` promises: never where they are few."""
        return self._budget.requests is None and self._pace.roomy

    async def delete(self, path: str, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
        """DELETE a path under the endpoint, as `Deleter` promises."""
        patience = self._patient()

        async def once() -> Answer:
            try:
                return await patience.bounds(self._asked(path, (), headers, patience, "DELETE"))
            except (Again, Unusable) as error:
                unclear = str(error)
            raise Temporary(f"{self._what(path, 'DELETE')}: {unclear}, so whether it was done is not known")

        return await self._insist(path, once, patience, _busy, "DELETE")

    async def download(self, path: str, sink: Sink, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
        """GET bytes into a sink, as `Downloader` promises.

        An absolute URL, and a redirect that leads away from the endpoint, is asked for without key and `headers`: over
        https, and in the internet only; a server on this machine may name others on this machine. `BadAnswer` where
        that is refused. What the sink raises comes through as it is; after any error what it holds is worth nothing.
        """
        patience, begun = self._patient(), False

        async def once() -> Answer:
            nonlocal begun
            if begun:
                sink.restart()
            begun = True
            if not path.startswith("/"):
                return await patience.bounds(self._fetch(path, sink, patience))
            return await patience.bounds(self._loaded(path, sink, headers, patience))

        return await self._insist(path, once, patience)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"HttpTransport({self.endpoint!r})"

    async def _insist(
        self,
        path: str,
        once: Callable[[], Awaitable[Answer]],
        patience: Patience,
        betters: Callable[[Answer], bool] = retryable,
        method: Method = "GET",
    ) -> Answer:
        """Try until there is an answer that no other attempt may better."""
        trouble: Exception
        try:
            try:
                return await self._attempt(once, 1, patience, betters)
            except Again as again:
                return await self._again(again, once, patience, betters)
        except Again as last:
            trouble = Temporary(f"{self._what(path, method)}: {last} (attempt {last.attempt}); run again later")
        except Unusable as error:
            trouble = BadAnswer(f"{self._what(path, method)}: {error}")
        # raised outside of the handlers: nothing foreign hangs on our errors
        raise trouble

    def _what(self, path: str, method: Method = "GET") -> str:
        return f"{method} {printable(path)} at {self.endpoint}" if path.startswith("/") else "GET the content"

    async def _again(
        self,
        first: Again,
        once: Callable[[], Awaitable[Answer]],
        patience: Patience,
        betters: Callable[[Answer], bool],
    ) -> Answer:
        """Try on; the first attempt was made without stamina, which almost none needs and which costs."""
        import stamina

        async for attempt in stamina.retry_context(on=backoff, attempts=self._attempts, timeout=None):
            with attempt:
                if attempt.num == 1:
                    raise first
                return await self._attempt(once, attempt.num, patience, betters)
        raise first

    async def _attempt(
        self,
        once: Callable[[], Awaitable[Answer]],
        number: int,
        patience: Patience,
        betters: Callable[[Answer], bool],
    ) -> Answer:
        try:
            return await self._paced(once, betters)
        except Again as again:
            again.attempt = number
            if patience.over:
                again.retry_after = float("inf")  # that is: never
            raise

    async def _paced(self, once: Callable[[], Awaitable[Answer]], betters: Callable[[Answer], bool]) -> Answer:
        """Ask when it is our turn, and heed what the server says of its load."""
        async with self._pace.slot() as slot:
            answer = await once()
            after = retry_after(answer.headers) if answer.status >= 400 else None
            if (rate := refill(answer.headers)) is not None:
                self._pace.told(rate)
            if answer.status == 429 or (answer.status == 503 and after is not None):
                slot.slowed(None if after is not None and after > RETRY_AFTER_MAX else after)
        if betters(answer):
            raise Again(f"HTTP {answer.status}", after)
        return answer

    async def _asked(
        self,
        path: str,
        params: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        patience: Patience,
        method: Method = "GET",
    ) -> Answer:
        got = await self._client.open(path, params, headers, self._spend, patience, method=method)
        if isinstance(got, Answer):
            return got
        return self._client.answer(got, await whole(got, self._max_bytes, patience))

    async def _loaded(self, path: str, sink: Sink, headers: Mapping[str, str], patience: Patience) -> Answer:
        got = await self._client.open(path, (), {**BINARY, **headers}, self._spend, patience)
        if isinstance(got, Answer):
            return await self._followed(path, got, sink, patience)
        return await self._poured(got, sink, patience)

    async def _poured(self, incoming: Incoming, sink: Sink, patience: Patience) -> Answer:
        async with aclosing(unpacked(incoming, patience)) as pieces:
            async for piece in pieces:
                sink.write(piece)
        return self._client.answer(incoming, b"")

    async def _followed(self, path: str, answer: Answer, sink: Sink, patience: Patience) -> Answer:
        """Follow a redirect of a download away from the endpoint, where no key goes; anything else is the answer."""
        if answer.status not in REDIRECTS:
            return answer
        target = led_to(self.endpoint + path, answer.headers.get("location", ""))
        if self._away().is_ours(target):
            return answer
        got = await self._fetch(target, sink, patience)
        if got.status >= 300:  # not the endpoint's word about this file, so it must not look like it
            raise Unusable(f"it is redirected to {shown(target)}, which answered HTTP {got.status}")
        return got

    async def _fetch(self, url: str, sink: Sink, patience: Patience) -> Answer:
        """GET from elsewhere, as nobody; what is said there is nothing about our endpoint's pace."""
        async with self._away().response(url, self._spend) as incoming:
            if incoming.status < 300:
                return await self._poured(incoming, sink, patience)
            answer = self._client.answer(incoming, await beginning(incoming, ERROR_BYTES, patience))
        if retryable(answer):
            raise Again(f"HTTP {answer.status} from elsewhere", retry_after(answer.headers))
        return answer

    def _patient(self) -> Patience:
        """Return how long one question may take; an attempt has at least as long as the timeouts allow."""
        return Patience(self._patience, sum(self._timeout))

    def _away(self) -> Elsewhere:
        if self._elsewhere is None:
            with connectable(self._login):
                self._elsewhere = Elsewhere(self.endpoint, self._timeout)
        return self._elsewhere

    def _spend(self) -> None:
        self._budget.spend()
        self.requests += 1


def _busy(answer: Answer) -> bool:
    """Whether a server has not even begun with what it was asked to do, and may be asked again."""
    return answer.status == 429 and retryable(answer)


__all__ = ["Budget", "HttpTransport", "check", "with_session"]
