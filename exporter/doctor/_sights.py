"""Looks for one thread with one profile: who sees it, how it looks from there, and what came instead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from exporter.doctor._look import Look
from exporter.doctor._probe import Probe, Refused, refused, told
from exporter.doctor._reach import There, beside, first_then_others, there
from exporter.doctor._sources import hasty
from exporter.endpoint import endpoint_of, shown
from exporter.errors import BudgetReached, ExporterError, Lie, NotFound, SourceGone, Temporary
from exporter.model import Gap, Page, Profile, ThreadRef, printable
from exporter.sources import SourceClass, load

MOST = 12
"Requests for one thread of one source."
OLDEST, NEWEST = 1_000_000_000, 10_000_000_000
"Seconds between which a time is believed."


@dataclass(slots=True)
class Sight:
    """One source of one profile, asked for one thread."""

    profile: Profile
    source: str
    endpoint: str
    error: ExporterError | None = None
    refused: Refused | None = None
    asked: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    "The thread's own object."
    items: int | None = None
    "How many objects the first page of its history has."
    more: bool = False

    @property
    def sees(self) -> bool:
        """Whether the thread is there."""
        return self.error is None

    @property
    def title(self) -> str | None:
        """What it is called, by its title or its metadata."""
        metadata = self.body.get("metadata")
        found = self.body.get("title") or (metadata.get("title") if isinstance(metadata, dict) else None)
        return printable(found)[:80] if isinstance(found, str) and found else None

    @property
    def created_at(self) -> str | None:
        """When it was made, if it says so in seconds that can be believed."""
        time = self.body.get("created_at", self.body.get("created"))
        if not isinstance(time, int | float) or not OLDEST <= time <= NEWEST:
            return None
        return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def look_for(thread_id: str, profiles: Sequence[Profile], sources: Sequence[str]) -> list[list[Sight]]:
    """Ask every profile for a thread, in every source that it may belong to."""
    # where any source may be meant, most of them are not: no waiting for what may be found a little later
    asking = hasty if len(sources) > 1 else load

    async def one(profile: Profile) -> list[Sight]:
        return await _with(profile, thread_id, {name: asking(name) for name in sources})

    return await beside(profiles, one)


async def _with(profile: Profile, thread_id: str, sources: Mapping[str, SourceClass]) -> list[Sight]:
    found: list[Sight] = []
    todo = list(sources)
    try:
        async with there(profile) as server:

            async def ask(source: str) -> Sight:
                sight = await _ask(server, sources[source], thread_id)
                found.append(sight)
                return sight

            await first_then_others(todo, ask, _goes_on)
    except ExporterError as error:
        found.append(Sight(profile, found[-1].source if found else todo[0], _endpoint(profile), error))
    return sorted(found, key=lambda sight: todo.index(sight.source))


def _goes_on(sight: Sight) -> bool:
    if sight.refused is not None:
        return not sight.refused.of_the_key
    return not isinstance(sight.error, Temporary)


def _endpoint(profile: Profile) -> str:
    try:
        return endpoint_of(profile.base_url)
    except ExporterError:
        return shown(profile.base_url)


async def _ask(server: There, source: SourceClass, thread_id: str) -> Sight:
    probe = Probe(server.way, MOST, small=False, identity=server.identity)
    sight = Sight(server.profile, source.name, probe.endpoint)
    thread = ThreadRef(source.name, probe.endpoint, thread_id)
    try:
        async for event in source(probe, runs=False).pages(thread, {}):
            if isinstance(event, Page) and event.list == "thread":
                sight.body = _object(event)
            elif isinstance(event, Page):
                sight.items, sight.more = len(event.items), event.more
                break
            elif isinstance(event, Gap):
                sight.error = None if sight.body else Lie(event.detail, event.code)
                break
    except BudgetReached as reached:
        sight.error = None if sight.body else reached
    except ExporterError as error:
        sight.error = None if sight.body and not isinstance(error, NotFound) else error
        sight.refused = refused(probe.last)
    sight.asked = probe.asked
    return sight


def _object(page: Page) -> dict[str, Any]:
    try:
        body = json.loads(page.items[0].body) if page.items else None
    except (ValueError, RecursionError):
        return {"id": None}
    return body if isinstance(body, dict) else {"id": None}


def looks(sights: Sequence[Sight]) -> Iterator[Look]:
    """Say what the profiles see: who sees it by itself, of the others the sources that were told the same together."""
    groups: dict[tuple[str, object], list[Sight]] = {}
    for sight in sights:
        kind = sight.source if sight.sees else (type(sight.error), sight.refused and sight.refused.code)
        groups.setdefault((sight.profile.name, kind), []).append(sight)
    return map(_look, groups.values())


def _look(same: Sequence[Sight]) -> Look:
    sight = same[0]
    subject = f"profile {printable(sight.profile.name)}, {', '.join(one.source for one in same)}"
    facts: dict[str, Any] = {
        "profile": sight.profile.name,
        "sources": [one.source for one in same],
        "endpoint": sight.endpoint,
        "sees": True if sight.sees else False if isinstance(sight.error, NotFound) else None,
        "title": sight.title,
        "created_at": sight.created_at,
        "items": sight.items,
        "more": sight.more,
        "code": sight.refused.code or None if sight.refused else None,
        "scopes": sorted({scope for one in same if one.refused for scope in one.refused.scopes}),
        "requests": sum(one.asked for one in same),
    }
    if sight.sees:
        return Look("thread", subject, "good", _seen(sight), facts=facts)
    assert sight.error is not None
    said = told(sight.error, sight.refused and replace(sight.refused, scopes=tuple(facts["scopes"])))
    if isinstance(sight.error, NotFound):
        return Look("thread", subject, "note", f"does not see it ({said})", facts=facts)
    if isinstance(sight.error, SourceGone):
        return Look("thread", subject, "note", f"there is no such API ({said})", facts=facts)
    return Look("thread", subject, "note", f"could not look: {said}", facts=facts)


def _seen(sight: Sight) -> str:
    said = [f"sees this thread ({sight.source} at {sight.endpoint})"]
    if sight.title:
        said.append(f'called "{sight.title}"')
    if sight.created_at:
        said.append(f"made {sight.created_at[:16].replace('T', ' ')} UTC")
    if sight.items is not None:
        said.append(f"{sight.items:,} objects in its first page{', more follow' if sight.more else ''}")
    return ", ".join(said)
