"""Capability cards: what one server did with one source, as one project saw it, and from when to when.

Kept as hints in the archive's catalog, one per endpoint, project and source. A card that
says what the last one said only moves its `last_at`; else it is added, so that an old one still tells what was so then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from exporter.archive import Archive, hints, note_hints
from exporter.errors import ArchiveError
from exporter.model import now

PREFIX = "card "
MOST = 50
"Changes of one server that are remembered."

Does = Literal["answers", "removed", "refused", "unwell", "odd"]


@dataclass(frozen=True, slots=True)
class Card:
    """What one server does with one source."""

    source: str
    endpoint: str
    project: str
    "As the server says, else as it is set, else `profile NAME`: whose view this is."
    profile: str
    does: Does
    code: str | None = None
    "The server's own word for a refusal: `missing_scope`, `invalid_api_key`."
    scopes: tuple[str, ...] = ()
    "What the key lacks."
    lists: bool | None = None
    "Whether it tells which threads there are; None where that was not found out."
    seen_on: Literal["threads", "thread"] | None = None
    "Where the next four were seen: on the list of all threads, or on the messages of a known one."
    page_maximum: int | None = None
    page_maximum_from: Literal["named", "capped", "above"] | None = None
    default_order: Literal["asc", "desc"] | None = None
    order_obeyed: bool | None = None
    requests: int = 0
    first_at: str = ""
    last_at: str = ""

    @property
    def key(self) -> str:
        """The name of its hint."""
        return f"{PREFIX}{json.dumps([self.endpoint, self.project, self.source])}"

    def says(self) -> dict[str, Any]:
        """What it says of the server, without when and at which cost."""
        return {name: value for name, value in asdict(self).items() if name not in _MADE}


_MADE = {"profile", "requests", "first_at", "last_at"}
_NAMES = {one.name for one in fields(Card)}


def keep(path: Path, made: Iterable[Card]) -> int:
    """Keep cards in the archive, if there is one that nobody writes to; return how many were kept."""
    at = now().strftime("%Y-%m-%dT%H:%M:%SZ")
    told = [replace(card, first_at=at, last_at=at) for card in made if card.does != "unwell"]
    try:
        with Archive.open(path) as archive:
            before = hints(archive.catalog, PREFIX)
            news = {card.key: json.dumps(_with(before.get(card.key), card)) for card in told}
    except ArchiveError:
        return 0
    return len(told) if told and note_hints(path, news) else 0


def kept(path: Path) -> Iterator[Card]:
    """Yield the cards of an archive, of each server the oldest first; raises what opening the archive raises."""
    with Archive.open(path) as archive:
        for value in hints(archive.catalog, PREFIX).values():
            yield from _read(value)


def _with(before: str | None, card: Card) -> list[dict[str, Any]]:
    cards = list(_read(before))
    if cards and _told(cards[-1]) == _told(card):
        cards[-1] = replace(card, first_at=cards[-1].first_at)
    else:
        cards.append(card)
    return [asdict(one) for one in cards[-MOST:]]


def _told(card: Card) -> str:
    return json.dumps(card.says(), sort_keys=True)


def _read(value: str | None) -> Iterator[Card]:
    """Read a fact; one that a newer version wrote gives what this one knows of it."""
    try:
        found = json.loads(value or "[]")
    except ValueError:
        return
    for one in found if isinstance(found, list) else ():
        if isinstance(one, dict) and {"source", "endpoint", "project", "profile", "does"} <= set(one):
            known = {name: value for name, value in one.items() if name in _NAMES}
            yield Card(**known | {"scopes": tuple(one.get("scopes") or ())})
