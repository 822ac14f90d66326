"""A connection to a sandbox, one-line visits through it, and what is asked of their events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import stamina

from exporter.model import Gap, Link, Page, Position, Profile, Secret, ThreadRef
from exporter.pacing import Pace
from exporter.sandbox import Running, State, running
from exporter.sandbox.switches import Switches
from exporter.sources import Container, Event, Listable, Source, load, source_of
from exporter.transport import HttpTransport

Events = list[Event]


@dataclass(frozen=True)
class Line:
    """One connection to one sandbox for all tests: making one takes longer than most of them."""

    sandbox: Running
    transport: HttpTransport
    runner: asyncio.Runner

    @property
    def state(self) -> State:
        return self.sandbox.state

    def switch(self, **switches: Any) -> None:
        self.state.switches = Switches().with_changes(switches)

    def ref(self, thread: str, source: str | None = None) -> ThreadRef:
        return ThreadRef(source or source_of(thread) or "", self.transport.endpoint, thread)

    def source(self, name: str, *, runs: bool = True) -> Source:
        """Return a source that has learned nothing of its server yet."""
        return load(name)(self.transport, runs)

    def visit(
        self,
        thread: str,
        after: Mapping[str, Position] | None = None,
        *,
        source: Source | str | None = None,
        container: Container | None = None,
        runs: bool = True,
    ) -> Events:
        name = source if isinstance(source, str) else source.name if source else None
        ref = self.ref(thread, name)
        known = self.source(ref.source, runs=runs) if source is None or isinstance(source, str) else source
        return self.runner.run(gathered(known.pages(ref, after or {}, container)))

    def threads(self, source: Source | str, after: Position | None = None) -> Events:
        known = self.source(source) if isinstance(source, str) else source
        assert isinstance(known, Listable)
        return self.runner.run(gathered(known.threads(after)))

    def asked(self, start: int = 0) -> list[str]:
        """The paths of the requests since then, without probes."""
        since = self.state.requests[start:]
        return [r.path.removeprefix("/v1") for r in since if dict(r.params).get("limit") in (None, "100")]


@contextlib.contextmanager
def connected() -> Iterator[Line]:
    """Run an empty sandbox, and a connection to it."""
    with stamina.set_testing(True, attempts=3), running(State()) as sandbox, asyncio.Runner() as runner:
        transport = HttpTransport(Profile(base_url=sandbox.url, key=Secret("sk-sandbox-one")), Pace(8))
        yield Line(sandbox, transport, runner)
        runner.run(transport.aclose())


async def gathered(events: AsyncIterator[Event]) -> Events:
    return [event async for event in events]


def own(events: Events, name: str) -> list[Page]:
    return [event for event in events if isinstance(event, Page) and event.list == name]


def bodies(events: Events, name: str = "messages") -> list[bytes]:
    return [item.body for page in own(events, name) for item in page.items]


def ids(events: Events, name: str = "messages") -> list[str | None]:
    return [item.id for page in own(events, name) for item in page.items]


def seqs(events: Events, *lists: str | None) -> list[int]:
    pages = [page for name in lists if name for page in own(events, name)]
    return sorted(page.seq + n for page in pages for n in range(len(page.items)))


def gaps(events: Events) -> list[str]:
    return [event.code for event in events if isinstance(event, Gap)]


def links(events: Events) -> list[str]:
    return [str(event.to) for event in events if isinstance(event, Link)]


def notes(events: Events) -> set[str]:
    return {note for event in events if isinstance(event, Page) for note in event.notes}


def positions(events: Events) -> dict[str, Position]:
    return {event.list: event.position for event in events if isinstance(event, Page)}


def lists(events: Events) -> list[tuple[str, int]]:
    """Each page with how much it holds; a gap is -1."""
    told = [event for event in events if not isinstance(event, Link)]
    return [(event.list, len(event.items) if isinstance(event, Page) else -1) for event in told]
