"""Which objects a list shows: only this project's, and only those that the parameters ask for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from exporter.sandbox import raw
from exporter.sandbox.answers import Ask
from exporter.sandbox.series import Entry

Path = tuple[str, ...]
Wanted = list[tuple[Path, str]]

PARAMETERS: Mapping[str, Mapping[str, Path]] = {
    "messages": {"run_id": ("run_id",)},
    "chatkit": {"user": ("user",)},
    "completions": {"model": ("model",)},
    "sessions": {"agent_id": ("agent", "id")},
    "artifacts": {"environment_id": ("environment_id",)},
    "files": {"purpose": ("purpose",)},
    "containers": {"name": ("name",)},
    "vector_files": {"filter": ("status",)},
}
"""By kind of list: which parameter asks for which value of which field."""

FOUNDRY: Mapping[str, Mapping[str, Path]] = {
    "conversations": {"agent_name": ("agent", "name"), "agent_id": ("agent", "id")},
    "responses": {
        "agent_name": ("agent", "name"),
        "agent_id": ("agent", "id"),
        "conversation_id": ("conversation", "id"),
    },
}
"""What Microsoft Foundry's lists take besides."""

METADATA = frozenset({"completions", "sessions"})
"""Lists that take `metadata[key]=value`; all pairs must match."""


def wanted(ask: Ask, kind: str) -> Callable[[Entry], bool]:
    """Return whether an object has the values that the parameters of a request ask for."""
    rules = dict(PARAMETERS.get(kind, {}))
    if ask.face.lists_open:
        rules |= FOUNDRY.get(kind, {})
    asked: Wanted = [(path, given) for name, path in rules.items() if (given := ask.param(name)) is not None]
    if kind in METADATA:
        asked += [
            (("metadata", name[len("metadata[") : -1]), value)
            for name, value in ask.params
            if name.startswith("metadata[") and name.endswith("]")
        ]
    return lambda entry: all(_at(entry.raw, path) == value for path, value in asked)


def _at(body: bytes, path: Path) -> Any:
    """One value of an object, decoded; None where there is none."""
    found = raw.field(body, path[0])
    value = None if found is None else json.loads(found)
    for name in path[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    return value
