"""Everything a sandbox knows: keys, clock, switches, objects.

Shelves hold what the APIs call by id (threads, conversations, ...); a holder on a shelf has lists (messages, runs,
items). Objects are bytes. Retention is looked at when somebody asks: what is past its time is deleted then.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from exporter.sandbox import objects, raw
from exporter.sandbox.clock import Clock, Retention
from exporter.sandbox.keys import KEYS, Key
from exporter.sandbox.series import Entry, Generator, Series
from exporter.sandbox.switches import Switches

SHELVES = {
    "threads": "thread",
    "conversations": "conversation",
    "chatkit": "chatkit",
    "completions": "completion",
    "responses": "response",
    "files": "file",
    "assistants": "assistant",
}
"""What the APIs call by id, with the kind of object that lies there."""


class Request(NamedTuple):
    """One line of the request log."""

    method: str
    path: str
    params: list[tuple[str, str]]
    status: int
    project: str | None


@dataclass(slots=True)
class Holder:
    """One object that is called by id, and the lists under it."""

    id: str
    project: str
    created: float
    active: float
    lists: dict[str, Series] = field(default_factory=dict)
    content: bytes = b""

    def series(self, name: str) -> Series:
        """Return one of its lists; empty when nothing was added yet."""
        return self.lists.setdefault(name, Series())


@dataclass(slots=True)
class Shelf:
    """All objects of one API, in order."""

    series: Series = field(default_factory=Series)
    holders: dict[str, Holder] = field(default_factory=dict)


class State:
    """What a sandbox knows; tests change it while the server runs."""

    def __init__(self, *, dialect: str = "live", start: float | None = None, switches: Switches | None = None) -> None:
        objects.complete("thread", {}, dialect)
        self.dialect = dialect
        self.clock = Clock(start)
        self.switches = switches or Switches()
        self.keys: dict[str, Key] = dict(KEYS)
        self.retention: dict[str, Retention] = {}
        self.requests: list[Request] = []
        self.shelves: dict[str, Shelf] = {name: Shelf() for name in SHELVES}
        self.denied: set[str] = set()
        self._random = random.Random(20261121)  # noqa: S311 - ids, no secrets

    @staticmethod
    def seed(**counts: Any) -> State:
        """Return a state full of believable data; see `seed.seed` for what can be counted."""
        from exporter.sandbox.seed import seed

        return seed(**counts)

    @staticmethod
    def recorded(*paths: Path | str, dialect: str = "live") -> State:
        """Return a state with every object of recorded exchanges; see `recorded.load`."""
        from exporter.sandbox.recorded import load

        return load(*paths, dialect=dialect)

    @staticmethod
    def sdk_fixture() -> State:
        """Return a state with the fixed ids that the SDK's own tests ask for."""
        from exporter.sandbox.fixture import sdk_fixture

        return sdk_fixture()

    # objects that are called by id

    def put(self, shelf: str, body: raw.Given, *, project: str = "proj_one") -> str:
        """Add or replace an object on a shelf; returns its id. Bytes are kept as they are, a dict is completed."""
        made = self._made(SHELVES[shelf], body, objects.ID_PREFIXES[SHELVES[shelf]])
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

    def add(self, shelf: str, name: str, series: str, body: raw.Given, *, kind: str, **defaults: Any) -> Entry:
        """Add an object to a list under an id; bytes are kept as they are, a dict is completed."""
        holder = self.shelves[shelf].holders[name]
        if isinstance(body, dict):
            prefix = objects.prefix_of(kind, body)
            body = self._made(kind, {**defaults, **body}, prefix)
        at = self._time(body)
        holder.active = max(holder.active, at)
        return holder.series(series).add(body, at)

    # by their APIs' names

    def add_thread(self, body: raw.Given | str | None = None, *, project: str = "proj_one") -> str:
        """Add a thread, given its id, its bytes, some of its fields or nothing; returns its id."""
        return self.put("threads", {"id": body} if isinstance(body, str) else body or {}, project=project)

    def add_message(self, thread: str, body: raw.Given) -> str | None:
        """Add a message at the end of a thread; returns its id."""
        return self.add("threads", thread, "messages", body, kind="message", thread_id=thread).id

    def add_run(self, thread: str, body: raw.Given) -> str | None:
        """Add a run to a thread; returns its id."""
        return self.add("threads", thread, "runs", body, kind="run", thread_id=thread).id

    def add_step(self, thread: str, run: str, body: raw.Given) -> str | None:
        """Add a step to a run; returns its id."""
        return self.add("threads", thread, f"steps/{run}", body, kind="step", thread_id=thread, run_id=run).id

    def add_conversation(self, body: raw.Given | str | None = None, *, project: str = "proj_one") -> str:
        """Add a conversation, given its id, its bytes, some of its fields or nothing; returns its id."""
        return self.put("conversations", {"id": body} if isinstance(body, str) else body or {}, project=project)

    def add_item(self, conversation: str, body: raw.Given) -> str | None:
        """Add an item at the end of a conversation; returns its id."""
        given = objects.item_body(body) if isinstance(body, dict) else body
        return self.add("conversations", conversation, "items", given, kind="item").id

    def add_file(self, body: raw.Given, content: bytes = b"", *, project: str = "proj_one") -> str:
        """Add a file and its content; returns its id."""
        given = {"bytes": len(content), **body} if isinstance(body, dict) else body
        name = self.put("files", given, project=project)
        self.shelves["files"].holders[name].content = content
        return name

    def add_generated(
        self,
        thread: str,
        count: int,
        make: Callable[[int], bytes] | None = None,
        *,
        prefix: str = "msg_generated",
        project: str = "proj_one",
        since: float = 1_760_000_000,
    ) -> str:
        """Add a thread (a conversation, when its id says so) of `count` objects that are made when asked for.

        `make(i)` gives the bytes of the i-th; its id must be `prefix` and i with eight digits.
        """
        from exporter.sandbox.seed import maker

        shelf, series = ("conversations", "items") if thread.startswith("conv") else ("threads", "messages")
        self.put(shelf, {"id": thread, "created_at": int(since)}, project=project)
        generator = Generator(count, prefix, make or maker(shelf, thread, prefix, since, self.dialect), since)
        for position in {0, count - 1} if count else ():
            if raw.value(generator.make(position), "id") != generator.name(position):
                raise ValueError(f"object {position} should have the id {generator.name(position)}")
        self.shelves[shelf].holders[thread].lists[series] = Series(generator)
        return thread

    def edit_message(self, thread: str, message: str, body: raw.Given) -> None:
        """Replace the bytes of a message; it keeps its place."""
        self._series("threads", thread, "messages").edit(message, raw.given(body))
        self.touch("threads", thread)

    def edit_run(self, thread: str, run: str, body: raw.Given) -> None:
        """Replace the bytes of a run, as when it ends; it keeps its place."""
        self._series("threads", thread, "runs").edit(run, raw.given(body))
        self.touch("threads", thread)

    def delete_message(self, thread: str, message: str) -> bool:
        """Delete a message; False when there is none."""
        return self._series("threads", thread, "messages").drop(message)

    def edit_item(self, conversation: str, item: str, body: raw.Given) -> None:
        """Replace the bytes of an item; it keeps its place."""
        self._series("conversations", conversation, "items").edit(item, raw.given(body))

    def delete_item(self, conversation: str, item: str) -> bool:
        """Delete an item; False when there is none."""
        return self._series("conversations", conversation, "items").drop(item)

    def delete_thread(self, thread: str) -> bool:
        """Delete a thread and all in it; False when there is none."""
        return self.delete("threads", thread)

    def delete_conversation(self, conversation: str) -> bool:
        """Delete a conversation and all in it; False when there is none."""
        return self.delete("conversations", conversation)

    def messages(self, thread: str) -> list[bytes]:
        """All messages of a thread, oldest first, as they are kept."""
        return [entry.raw for entry in self._series("threads", thread, "messages")]

    def items(self, conversation: str) -> list[bytes]:
        """All items of a conversation, oldest first, as they are kept."""
        return [entry.raw for entry in self._series("conversations", conversation, "items")]

    def new_id(self, prefix: str) -> str:
        """Return an id that nobody has yet."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return f"{prefix}_{''.join(self._random.choices(letters, k=24))}"

    def _series(self, shelf: str, name: str, series: str) -> Series:
        return self.shelves[shelf].holders[name].series(series)

    def _made(self, kind: str, body: raw.Given, prefix: str) -> bytes:
        if not isinstance(body, dict):
            return body
        stamp = "created" if kind == "completion" else "created_at"
        own: dict[str, Any] = {"id": self.new_id(prefix)}
        if stamp in objects.TEMPLATES[kind]:
            own[stamp] = int(self.clock.now())
        return raw.text(objects.complete(kind, own | body, self.dialect))

    def _time(self, body: bytes) -> float:
        stamp = raw.field(body, "created_at") or raw.field(body, "created") or b""
        try:
            return float(stamp)
        except ValueError:
            return self.clock.now()
