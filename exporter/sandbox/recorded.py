"""Rebuild the objects behind recorded HTTP exchanges.

Every object seen in an answer is kept, in its last version, also when the recording deletes it later: an archive
has to hold what was there, and tests want to fetch it. Lists tell the order; runs that were only created are kept
as they were then.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from exporter.sandbox import raw
from exporter.sandbox.state import State

Body = dict[str, Any]

SERIES = {"thread.message": "messages", "thread.run": "runs", "thread.run.step": "steps"}
TOP = {"thread": "threads", "conversation": "conversations", "response": "responses", "file": "files"} | {
    "assistant": "assistants",
    "chat.completion": "completions",
    "chatkit.thread": "chatkit",
}
UNDER = re.compile(r"/(conversations|responses|chatkit/threads|chat/completions)/([^/]+)/(items|input_items|messages)")
SHELF = {"chatkit/threads": "chatkit", "chat/completions": "completions"}
KINDS = {"conversations": "item", "responses": "item", "chatkit": "chatkit_item", "completions": "completion_message"}
VARIETY = "conv_recorded_variety"


def load(*paths: Path | str, dialect: str = "live") -> State:
    """Return a state with every object in these files of recordings or examples."""
    state = State(dialect=dialect)
    for path in paths:
        book = json.loads(Path(path).read_text("utf-8"))
        for exchange in book.get("exchanges", ()):
            if exchange["status"] == 200:
                _exchange(state, exchange["method"], exchange["url"], exchange["body"])
        for example in book.get("examples", ()):
            if example["parsed"]:
                _exchange(state, example["method"], _example_path(example["path"]), example["body"])
        for item in book.get("items", ()):
            _under(state, "conversations", VARIETY, "items", [item["item"]])
    return state


def _exchange(state: State, method: str, url: str, body: Any) -> None:
    if method == "DELETE" or not isinstance(body, dict):
        return
    parts = urlsplit(url)
    path = parts.path.removeprefix("/v1")
    listed = body.get("object") == "list" or (isinstance(body.get("data"), list) and "has_more" in body)
    found = list(body["data"]) if listed else [body]
    default = "asc" if path.startswith("/chat/completions") else "desc"
    if listed and method == "GET" and dict(parse_qsl(parts.query)).get("order", default) == "desc":
        found.reverse()
    if under := UNDER.match(path):
        shelf = SHELF.get(under[1], under[1])
        _under(state, shelf, under[2], under[3], found)
        return
    for one in found:
        _object(state, one)


def _object(state: State, body: Body) -> None:
    """Keep one object that says itself what it is and to which thread it belongs."""
    kind = str(body.get("object"))
    if kind in TOP and body.get("id"):
        state.put(TOP[kind], raw.text(body))
        return
    if kind not in SERIES:
        return
    thread = body["thread_id"]
    _ensure(state, "threads", thread, body.get("created_at", 0))
    name = f"steps/{body['run_id']}" if kind == "thread.run.step" else SERIES[kind]
    if kind == "thread.run.step" and not state.shelves["threads"].holders[thread].series("runs").get(body["run_id"]):
        state.add_run(thread, {"id": body["run_id"], "created_at": body.get("created_at", 0)})
    state.add("threads", thread, name, raw.text(body), kind="message")


def _under(state: State, shelf: str, name: str, series: str, found: list[Body]) -> None:
    _ensure(state, shelf, name, 0)
    for body in found:
        if body.get("id") != name:  # deleting an item answers with its conversation
            state.add(shelf, name, series, raw.text(body), kind=KINDS[shelf])


def _ensure(state: State, shelf: str, name: str, at: int) -> None:
    """Recordings do not always show how a thread began."""
    if name not in state.shelves[shelf].holders:
        stamp = "created" if shelf == "completions" else "created_at"
        state.put(shelf, {"id": name, stamp: at})


def _example_path(path: str) -> str:
    """Fill the variables of a path as the published examples do."""
    names = {"{conversation_id}": "conv_123", "{response_id}": "resp_abc123", "{completion_id}": "chatcmpl-abc123"}
    if "/chatkit/" in path:
        names["{thread_id}"] = "cthr_abc123"
    for variable, name in names.items():
        path = path.replace(variable, name)
    return path
