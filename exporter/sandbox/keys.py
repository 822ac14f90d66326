"""Who may ask: the credentials every sandbox knows, the project each belongs to, and what it may do."""

from __future__ import annotations

from typing import NamedTuple

ORGANIZATION = "org_sandbox"
FOUNDRY_AUDIENCE = "https://ai.azure.com"
COGNITIVE_AUDIENCE = "https://cognitiveservices.azure.com"
HOUR = 3600.0


class Key(NamedTuple):
    """Who asks: a project's key, an administrator's key, a person's browser session, or a token of Entra ID."""

    project: str
    kind: str = "secret"
    """`secret`, `admin`, `session`, or `entra`."""
    scopes: frozenset[str] | None = None
    """What it may do, `api.threads.read` and the like; None is everything."""
    audience: str = FOUNDRY_AUDIENCE
    """Of a token: whom it is meant for."""
    lasts: float | None = None
    """Of a token: how many seconds after the start of the sandbox's clock it expires; None is never."""


NOBODY = Key("", "none")

KEYS = {
    "sk-sandbox-one": Key("proj_one"),
    "sk-sandbox-two": Key("proj_two"),
    "sk-sandbox-restricted": Key("proj_one", scopes=frozenset()),
    "sk-admin-sandbox": Key("proj_one", "admin", frozenset()),
    "sess-sandbox-one": Key("proj_one", "session"),
    "entra-sandbox-one": Key("proj_one", "entra"),
    "entra-sandbox-two": Key("proj_two", "entra"),
    "entra-sandbox-hour": Key("proj_one", "entra", lasts=HOUR),
    "entra-sandbox-audience": Key("proj_one", "entra", audience=COGNITIVE_AUDIENCE),
    "entra-sandbox-role": Key("proj_one", "entra", frozenset()),
}
"""The credentials every sandbox knows."""
