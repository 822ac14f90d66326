"""What is told of an entry beside its words: calls, receivers, how far it came, which of several answers it is.

The idea: bodies are as a server sent them, so each field may be anything; what is not what it should be is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exporter.formats import records
from exporter.formats._pages import Reader
from exporter.model import ThreadRef
from exporter.text import loads

SAID = ("completed", "complete")
"A status that is nothing to speak of."


def choices(archive: Reader, thread: ThreadRef) -> Mapping[int, str]:
    """Name the answers of a stored completion by their position, where it has several."""
    pages = archive.thread_pages(thread, "message") if thread.source == "completions" else ()
    found = sorted({record.seq for _, mark, page in pages if mark.list == "choices" for record in page})
    return {seq: f"choice {at} of {len(found)}" for at, seq in enumerate(found, 1)} if len(found) > 1 else {}


class Names:
    """What the subagents of a session are called; read when somebody asks."""

    def __init__(self, archive: Reader, thread: ThreadRef) -> None:
        self._archive, self._thread = archive, thread
        self._found: dict[str, str] | None = None

    def __getitem__(self, key: str) -> str:
        if self._found is None:
            runs = records(self._archive, self._thread, ("run",))
            bodies = ((record.id, _parsed(record.body)) for record in runs)
            self._found = {name: f"{body['name']} ({name})" for name, body in bodies if name and _is_named(body)}
        return self._found.get(key, key)


def _is_named(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("name"), str)


def remarks(known: Mapping[str, Any], names: Names) -> Iterator[str]:
    """Say what an entry is besides: calls, between whom, and how far it came."""
    said = _parsed(str(known.get("extra_json") or "{}").encode())
    calls = [*_listed(said.get("tool_calls")), said.get("function_call")]
    called = [name for call in calls if (name := _called(call))]
    if called:
        yield f"calls {', '.join(called)}"
    if known.get("role") == "tool" and isinstance(said.get("name"), str):
        yield str(said["name"])
    to = [said.get("recipient_agent_id"), *_listed(said.get("recipient_agent_ids"))]
    if receivers := [names[one] for one in to if isinstance(one, str)]:
        yield f"to {', '.join(receivers)}"
    if (status := known.get("status")) and status not in SAID:
        yield str(status)


def _called(call: Any) -> str | None:
    """Return what a call in a message calls, whatever kind of tool."""
    parts = [call, *(call.get(key) for key in ("function", "custom"))] if isinstance(call, dict) else []
    found = (part.get("name") for part in parts if isinstance(part, dict))
    return next((name for name in found if isinstance(name, str)), None)


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = loads(body)
    except (ValueError, RecursionError):  # nested deeper than any parser goes
        found = None
    return found if isinstance(found, dict) else {}
