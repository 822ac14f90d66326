"""Rebuild the objects behind recorded HTTP exchanges.

Every object seen in an answer is kept, in its last version, also when the recording deletes it later: an archive
has to hold what was there, and tests want to fetch it. The order under an id is what the recorded pages say
together: a page places what it shows before and after what is known already, its cursor included.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from exporter.sandbox import raw
from exporter.sandbox.state import State

Body = dict[str, Any]

TOP = {
    "thread": "threads",
    "conversation": "conversations",
    "response": "responses",
    "file": "files",
    "assistant": "assistants",
    "chat.completion": "completions",
    "chatkit.thread": "chatkit",
    "agent.session": "sessions",
    "container": "containers",
    "vector_store": "vector_stores",
}
SERIES = {"thread.message": "messages", "thread.run": "runs", "thread.run.step": "steps"}
UNDER = re.compile(r"/(conversations|responses|chatkit/threads|chat/completions)/([^/]+)/(items|input_items|messages)")
SHELF = {"chatkit/threads": "chatkit", "chat/completions": "completions"}
VARIETY = "conv_recorded_variety"
"""The conversation that holds recorded items which came without one."""

EXAMPLE_IDS = {
    "{conversation_id}": "conv_123",
    "{response_id}": "resp_abc123",
    "{completion_id}": "chatcmpl-abc123",
    "{thread_id}": "cthr_abc123",
}
"""What the variables of a published example's path stand for."""


class Place(NamedTuple):
    """A list under an id; or, without an id, the shelf itself."""

    shelf: str
    name: str = ""
    series: str = ""


@dataclass(slots=True)
class Gathered:
    """The objects of one list: last versions, and their order so far."""

    bodies: dict[str, Body] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def see(self, names: list[str]) -> None:
        """Learn from a page, oldest first, what comes after what."""
        known = [name for name in names if name in self.order]
        for spot, name in zip(sorted(map(self.order.index, known)), known, strict=True):
            self.order[spot] = name
        spot = len(self.order)
        for name in reversed(names):
            if name in self.order:
                spot = self.order.index(name)
            else:
                self.order.insert(spot, name)


def load(*paths: Path | str, dialect: str = "live") -> State:
    """Return a state with every object in these files of recordings or examples."""
    book: dict[Place, Gathered] = {}
    for path in paths:
        found = json.loads(Path(path).read_text("utf-8"))
        for exchange in found.get("exchanges", ()):
            if exchange["status"] == 200 and exchange["method"] != "DELETE":
                _exchange(book, exchange["method"], exchange["url"], exchange["body"])
        for example in found.get("examples", ()):
            if example["parsed"] and example["method"] != "DELETE":
                _exchange(book, example["method"], _example_path(example["path"]), example["body"])
        for item in found.get("items", ()):
            _exchange(book, "POST", f"/conversations/{VARIETY}/items", item["item"])
    return _state(book, dialect)


def _exchange(book: dict[Place, Gathered], method: str, url: str, body: Any) -> None:
    if not isinstance(body, dict):
        return
    parts = urlsplit(url)
    path, params = parts.path.removeprefix("/v1"), dict(parse_qsl(parts.query))
    listed = isinstance(body.get("data"), list)
    seen: dict[Place, list[str]] = {}
    for one in body["data"] if listed else [body]:
        place = _place(path, one)
        if place is not None and one.get("id"):
            gathered = book.setdefault(place, Gathered())
            gathered.bodies[one["id"]] = one
            seen.setdefault(place, []).append(one["id"])
    default = "asc" if path.startswith("/chat/completions") else "desc"
    newest_first = listed and method == "GET" and params.get("order", default) == "desc"
    for place, names in seen.items():
        chain = [params["after"], *names] if params.get("after") in book[place].order else names
        book[place].see(chain[::-1] if newest_first else chain)


def _place(path: str, body: Body) -> Place | None:
    """Return the list that an object belongs to: its own fields say it, else the path."""
    kind = str(body.get("object"))
    if kind in TOP:
        return Place(TOP[kind])
    if kind == "thread.run.step":
        return Place("threads", body["thread_id"], f"steps/{body['run_id']}")
    if kind in SERIES:
        return Place("threads", body["thread_id"], SERIES[kind])
    under = UNDER.match(path)
    return Place(SHELF.get(under[1], under[1]), under[2], under[3]) if under else None


def _state(book: dict[Place, Gathered], dialect: str) -> State:
    state = State(dialect=dialect)
    for place, gathered in sorted(book.items()):  # shelves come before what is under their ids
        for name in gathered.order:
            body = gathered.bodies[name]
            if place.name:
                _ensure(state, place, body)
                state.add(place.shelf, place.name, place.series, raw.text(body), kind="message")
            else:
                state.put(place.shelf, raw.text(body))
    return state


def _ensure(state: State, place: Place, body: Body) -> None:
    """Recordings do not always show how a thread, or the run of a step, began."""
    at = int(body.get("created_at") or 0)
    if place.name not in state.shelves[place.shelf].holders:
        state.put(place.shelf, {"id": place.name, "created" if place.shelf == "completions" else "created_at": at})
    _, is_step, run = place.series.partition("steps/")
    if is_step and state.shelves["threads"].holders[place.name].series("runs").get(run) is None:
        state.add_run(place.name, {"id": run, "created_at": at})


def _example_path(path: str) -> str:
    for variable, name in EXAMPLE_IDS.items():
        path = path.replace(variable, name)
    return path
