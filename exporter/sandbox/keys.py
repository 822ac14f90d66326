"""Who may ask: the keys every sandbox knows, and the project each belongs to."""

from __future__ import annotations

from typing import NamedTuple

ORGANIZATION = "org_sandbox"


class Key(NamedTuple):
    """Who asks: a project's key, or a person's browser session."""

    project: str
    kind: str = "secret"
    restricted: bool = False


KEYS = {
    "sk-sandbox-one": Key("proj_one"),
    "sk-sandbox-two": Key("proj_two"),
    "sk-sandbox-restricted": Key("proj_one", restricted=True),
    "sess-sandbox-one": Key("proj_one", "session"),
}
"""The keys every sandbox knows."""
