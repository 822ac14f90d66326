"""What stands between you and a backup: keys, addresses, APIs, clock, archive, disk.

Each look is a few small questions that change nothing. `everything` looks at all profiles and the archive, `thread`
looks for one thread with every profile and says who sees it, or why nobody does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from exporter.doctor import _archive, _ids, _known, _profiles, _sights, _verdict
from exporter.doctor._cards import Card, keep, kept
from exporter.doctor._look import Look
from exporter.doctor._sources import traits
from exporter.endpoint import endpoint_of
from exporter.errors import UsageError
from exporter.model import Profile
from exporter.sources import load, names


def everything(profiles: Sequence[Profile], archive: Path) -> Iterator[Look]:
    """Look at every profile with every source, then at the archive; keep a card of each server in it."""
    needs = _archive.needs(archive, _addresses(profiles))
    visited = asyncio.run(_profiles.visit_all(profiles, needs))
    for one in visited:
        yield from _profiles.looks(one, needs)
    keep(archive, chain.from_iterable(map(_profiles.cards, visited)))
    yield from _archive.look_at(archive)


def thread(profiles: Sequence[Profile], text: str, archive: Path, source: str | None = None) -> Iterator[Look]:
    """Look for a thread with every profile; where none sees it, say why as far as the answers tell.

    Without a source and with an id that tells none, every source is asked.
    """
    named = _ids.read(text)
    if source is not None:
        load(source)
    elif named.certain:
        yield _verdict.no_thread(named)
        return
    told, trouble = _known.kept(archive, named.id)
    found = asyncio.run(_sights.look_for(named.id, profiles, _sources(named, source, told)))
    sights = list(chain.from_iterable(found))
    yield from _sights.looks(sights)
    yield from [trouble] if trouble else map(_known.look, told) if told else _known.nothing(archive)
    yield _verdict.verdict(_verdict.Asked(named, sights, told, profiles))


def _sources(named: _ids.Named, source: str | None, told: Sequence[_known.Kept]) -> list[str]:
    """Return where to look: the source that is said, or that the id tells, or that the archive knows; else all."""
    if source:
        return [source]
    known = [one.known.thread.source for one in told]
    likely = [named.source] if named.source else names()
    return list(dict.fromkeys([*known, *likely]))


def _addresses(profiles: Sequence[Profile]) -> Iterator[tuple[str, str]]:
    for profile in profiles:
        with suppress(UsageError):
            yield profile.name, endpoint_of(profile.base_url)


__all__ = ["Card", "Look", "everything", "kept", "thread", "traits"]
