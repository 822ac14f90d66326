"""Every field of each kind of object, one module for each family of APIs, joined here.

`TEMPLATES` holds the fields that every object of a kind has, in the order the service prints them; `TYPED` adds those
of one type; `OMITTED` says what a dialect leaves out; `PREFIXES` how ids begin.
"""

from __future__ import annotations

from typing import Any

from exporter.sandbox.shapes import agents, assistants, chats, files

Body = dict[str, Any]

FAMILIES = (assistants, chats, agents, files)

TEMPLATES: dict[str, Body] = {kind: body for family in FAMILIES for kind, body in family.TEMPLATES.items()}

TYPED: dict[str, dict[str, Body]] = {**agents.TYPED, **chats.TYPED}
"""What objects of one type have besides, by kind and type."""

PREFIXES: dict[str, str] = {kind: prefix for family in FAMILIES for kind, prefix in family.PREFIXES.items()}
"""How ids begin, by kind of object."""

ITEM_PREFIXES: dict[str, dict[str, str]] = {**agents.ITEM_PREFIXES, **chats.ITEM_PREFIXES}
"""How ids begin where the type decides, by kind and type."""

MERGED = {"session": ("agent",)}
"""Fields whose own fields are completed too, by kind."""

OMITTED: dict[str, dict[str, frozenset[str]]] = {
    "live": {
        "message": frozenset({"status", "completed_at", "incomplete_at", "incomplete_details"}),
        "step": frozenset({"expired_at", "metadata"}),
    },
    "described": {
        "run": frozenset({"reasoning_effort"}),
        "step": frozenset({"expires_at"}),
        "response": frozenset({"prompt_cache_key", "safety_identifier", "user"}),
        "file": frozenset({"expires_at", "status_details"}),
    },
}
"""What a dialect leaves out, by kind of object."""
