"""The way to a profile's server, with small patience; and several profiles beside each other.

A server that hangs costs its own look and nobody else's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from exporter.endpoint import endpoint_of
from exporter.errors import Temporary
from exporter.model import Profile
from exporter.pacing import Pace
from exporter.transport import HttpTransport

A = TypeVar("A")
B = TypeVar("B")

TOGETHER = 8
"Profiles that are looked at together."
AT_ONCE = 4
"Requests that one server gets together."
TIMEOUT = (3.0, 8.0)
"Seconds to connect, and to read."
PATIENCE = 8.0
"Seconds after which nothing is tried again."
LONGEST = 40.0
"Seconds for everything that is asked of one profile."


@dataclass(slots=True)
class There:
    """A profile's server, and what its answers tell by the way."""

    profile: Profile
    way: HttpTransport
    identity: dict[str, str] = field(default_factory=dict)
    "Headers that say whom the server takes us for."

    @property
    def skew(self) -> float | None:
        """Seconds by which this machine's clock is ahead of the server's."""
        if self.way.last_date is None or self.way.last_seen is None:
            return None
        return self.way.last_seen - self.way.last_date.timestamp()


@asynccontextmanager
async def there(profile: Profile) -> AsyncIterator[There]:
    """Open the way to a profile's server; `Temporary` when what is asked takes too long."""
    try:
        async with asyncio.timeout(LONGEST):
            if profile.auth != "entra":
                await asyncio.to_thread(profile.key.reveal)  # a command may take its time
            pace = Pace(AT_ONCE)
            async with HttpTransport(profile, pace, attempts=2, patience=PATIENCE, timeout=TIMEOUT) as way:
                yield There(profile, way)
    except TimeoutError:
        where = endpoint_of(profile.base_url)
        raise Temporary(f"{where} did not answer everything within {LONGEST:.0f} s; try again later") from None


async def beside(todo: Iterable[A], ask: Callable[[A], Awaitable[B]]) -> list[B]:
    """Ask for each, several at a time; the answers come in their order."""
    gate = asyncio.Semaphore(TOGETHER)

    async def one(what: A) -> B:
        async with gate:
            return await ask(what)

    return list(await asyncio.gather(*map(one, todo)))


async def first_then_others(
    todo: Sequence[A], ask: Callable[[A], Awaitable[B]], goes_on: Callable[[B], bool]
) -> list[B]:
    """Ask for the first, and for the others together where the first answer makes sense of it."""
    first = await ask(todo[0])
    return [first, *(await beside(todo[1:], ask) if goes_on(first) else ())]
