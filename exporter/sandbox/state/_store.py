"""Objects that are called by id, and lists under them: what every API's part of the state is made of."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from exporter.sandbox import objects, raw
from exporter.sandbox.clock import Clock, Retention
from exporter.sandbox.content import Content
from exporter.sandbox.keys import FOUNDRY_AUDIENCE, HOUR, KEYS, Key
from exporter.sandbox.series import Entry, Series
from exporter.sandbox.shapes import TEMPLATES
from exporter.sandbox.switches import Switches

SHELVES = {
    "threads": "thread",
    "conversations": "conversation",
    "chatkit": "chatkit",
    "completions": "completion",
    "responses": "response",
    "sessions": "session",
    "files": "file",
    "containers": "container",
    "vector_stores": "vector_store",
    "attachments": "attachment",
    "assistants": "assistant",
}
"""What the APIs call by id, with the kind of object that lies there."""

CONTAINER_SECONDS = 20 * 60
STAMPS = ("created_at", "created", "opened_at", "last_active_at")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Request(NamedTuple):
    """One line of the request log."""

    method: str
    path: str
    params: list[tuple[str, str]]
    status: int
    project: str | None


@dataclass(slots=True)
class Holder:
    """One object that is called by id, the lists under it, and its bytes where it has some."""

    id: str
    project: str
    created: float
    active: float
    lists: dict[str, Series] = field(default_factory=dict)
    content: Content = b""
    contents: dict[str, Content] = field(default_factory=dict)
    """The bytes of objects under it, by their ids."""

    def series(self, name: str) -> Series:
        """Return one of its lists; empty when nothing was added yet."""
        return self.lists.setdefault(name, Series())


@dataclass(slots=True)
class Shelf:
    """All objects of one API, in order."""

    series: Series = field(default_factory=Series)
    holders: dict[str, Holder] = field(default_factory=dict)


class Store:
    """Keys, clock, switches, shelves; tests change it while the server runs."""

    def __init__(self, *, dialect: str = "live", start: float | None = None, switches: Switches | None = None) -> None:
        objects.complete("thread", {}, dialect)
        self.dialect = dialect
        self.clock = Clock(start)
        self.switches = switches or Switches()
        self.keys: dict[str, Key] = dict(KEYS)
        self.retention: dict[str, Retention] = {"containers": Retention(CONTAINER_SECONDS)}
        self.requests: list[Request] = []
        self.leaks: list[str] = []
        """Paths of requests that brought a credential to where none belongs."""
        self.shelves: dict[str, Shelf] = {name: Shelf() for name in SHELVES}
        self.denied: dict[str, int] = {}
        self._random = random.Random(20261121)  # noqa: S311 - ids, no secrets

    def new_token(self, project: str = "proj_one", *, lasts: float = HOUR, audience: str = FOUNDRY_AUDIENCE) -> str:
        """Return a new token of Entra ID that is good for so many seconds of the sandbox's clock, from now."""
        name = self.new_id("entra-")
        until = self.clock.now() - self.clock.began + lasts
        self.keys[name] = Key(project, "entra", audience=audience, lasts=until)
        return name

    # objects that are called by id

    def put(self, shelf: str, body: raw.Given | str | None = None, *, project: str = "proj_one") -> str:
        """Add or replace an object on a shelf, given its id, its bytes, some of its fields or nothing; return its id.

        Bytes are kept as they are, a dict is completed.
        """
        given = {"id": body} if isinstance(body, str) else body or {}
        made = self.made(SHELVES[shelf], given)
        at = self._time(made)
        entry = self.shelves[shelf].series.add(made, at)
        if entry.id is None:
            raise ValueError(f"an object of {shelf} needs an id")
        holders = self.shelves[shelf].holders
        if entry.id not in holders:
            holders[entry.id] = Holder(entry.id, project, at, at)
        return entry.id

    def holder(self, shelf: str, name: str, project: str | None = None) -> Holder | None:
        """Return what lies under an id, unless it is another project's, or its time is over."""
        found = self.shelves[shelf].holders.get(name)
        if found is None or (project is not None and found.project != project):
            return None
        rule = self.retention.get(shelf)
        if rule and self.clock.now() - (found.active if rule.anchor == "activity" else found.created) > rule.ttl:
            self.delete(shelf, name)
            return None
        return found

    def expire(self, shelf: str) -> None:
        """Delete everything on a shelf whose time is over."""
        if shelf in self.retention:
            for name in list(self.shelves[shelf].holders):
                self.holder(shelf, name)

    def body(self, shelf: str, name: str) -> bytes:
        """Return the bytes of an object on a shelf."""
        entry = self.shelves[shelf].series.get(name)
        if entry is None:
            raise KeyError(name)
        return entry.raw

    def edit(self, shelf: str, name: str, body: raw.Given) -> None:
        """Replace the bytes of an object on a shelf; it keeps its place."""
        self.shelves[shelf].series.edit(name, raw.given(body))
        self.touch(shelf, name)

    def delete(self, shelf: str, name: str) -> bool:
        """Delete an object and everything under it; False when there is none."""
        self.shelves[shelf].holders.pop(name, None)
        return self.shelves[shelf].series.drop(name)

    def touch(self, shelf: str, name: str) -> None:
        """Something happened here: inactivity counts from now."""
        self.shelves[shelf].holders[name].active = self.clock.now()

    # lists under an id

    def add(self, shelf: str, name: str, series: str, body: raw.Given, *, kind: str, **defaults: Any) -> Entry:
        """Add an object to a list under an id; bytes are kept as they are, a dict is completed."""
        holder = self.shelves[shelf].holders[name]
        made = self.made(kind, {**defaults, **body} if isinstance(body, dict) else body)
        at = self._time(made)
        holder.active = max(holder.active, at)
        return holder.series(series).add(made, at)

    def edit_under(self, shelf: str, name: str, series: str, item: str, body: raw.Given) -> None:
        """Replace the bytes of an object in a list; it keeps its place."""
        self._series(shelf, name, series).edit(item, raw.given(body))
        self.touch(shelf, name)

    def drop_under(self, shelf: str, name: str, series: str, item: str) -> bool:
        """Delete an object from a list; False when there is none."""
        return self._series(shelf, name, series).drop(item)

    def under(self, shelf: str, name: str, series: str) -> list[bytes]:
        """All objects of a list, oldest first, as they are kept."""
        return [entry.raw for entry in self._series(shelf, name, series)]

    def new_id(self, prefix: str) -> str:
        """Return an id that nobody has yet; the prefix holds its separator."""
        return prefix + "".join(self._random.choices(LETTERS, k=24))

    def _series(self, shelf: str, name: str, series: str) -> Series:
        return self.shelves[shelf].holders[name].series(series)

    def made(self, kind: str, body: raw.Given) -> bytes:
        """Return an object's bytes: as given, or of a dict with all that is missing in it."""
        if not isinstance(body, dict):
            return body
        at = next((body[name] for name in STAMPS if name in body), int(self.clock.now()))
        own = {name: at for name in STAMPS if name in TEMPLATES[kind]}
        named = {"id": self.new_id(objects.prefix_of(kind, body))}
        return raw.text(objects.complete(kind, named | own | body, self.dialect))

    def _time(self, body: bytes) -> float:
        stamp = next((found for name in STAMPS if (found := raw.field(body, name))), b"")
        try:
            return float(stamp)
        except ValueError:
            return self.clock.now()
