"""Keep a state in a JSON file, and bring it back equal.

Objects are strings in it, because parsing them would change them; generated objects are written out one by one.
Keys, switches and the request log are not kept: they belong to one run.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from exporter.errors import UsageError
from exporter.sandbox.clock import Retention
from exporter.sandbox.content import Content, Generated, pieces
from exporter.sandbox.series import Series
from exporter.sandbox.state import Holder, State

VERSION = 2


def save(state: State, path: Path | str) -> None:
    """Write everything that the APIs could read to a file, replacing it as a whole."""
    shelves = {
        name: [
            {"body": _text(entry.raw), "at": entry.at, **_frozen(holder)}
            for entry in shelf.series
            if (holder := shelf.holders.get(entry.id or "")) is not None
        ]
        for name, shelf in state.shelves.items()
    }
    retention = {shelf: list(rule) for shelf, rule in state.retention.items()}
    book = {"version": VERSION, "dialect": state.dialect, "retention": retention, "shelves": shelves}
    beside = Path(path).with_name(Path(path).name + ".tmp")
    beside.write_text(json.dumps(book), "utf-8")
    beside.replace(path)


def load(path: Path | str) -> State:
    """Return the state that `save` wrote."""
    try:
        book = json.loads(Path(path).read_text("utf-8"))
        known = book["version"] == VERSION
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no state of a sandbox: {error}") from error
    if not known:
        raise UsageError(f"{path} was written by another version of the sandbox")
    state = State(dialect=book["dialect"])
    state.retention = {shelf: Retention(*rule) for shelf, rule in book["retention"].items()}
    for name, found in book["shelves"].items():
        shelf = state.shelves[name]
        for kept in found:
            entry = shelf.series.add(_bytes(kept["body"]), kept["at"])
            assert entry.id is not None
            shelf.holders[entry.id] = _thawed(entry.id, kept)
    return state


def _frozen(holder: Holder) -> dict[str, Any]:
    return {
        "project": holder.project,
        "created": holder.created,
        "active": holder.active,
        "content": _packed(holder.content),
        "contents": {name: _packed(content) for name, content in holder.contents.items()},
        "lists": {name: [[_text(entry.raw), entry.at] for entry in series] for name, series in holder.lists.items()},
    }


def _thawed(name: str, kept: dict[str, Any]) -> Holder:
    holder = Holder(name, kept["project"], kept["created"], kept["active"])
    holder.content = _unpacked(kept["content"])
    holder.contents = {under: _unpacked(packed) for under, packed in kept["contents"].items()}
    for series, entries in kept["lists"].items():
        holder.lists[series] = Series()
        for body, at in entries:
            holder.lists[series].add(_bytes(body), at)
    return holder


def _packed(content: Content) -> Any:
    if isinstance(content, Generated):
        return list(content)
    return base64.b64encode(b"".join(pieces(content))).decode()


def _unpacked(packed: Any) -> Content:
    return Generated(*packed) if isinstance(packed, list) else base64.b64decode(packed)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
