"""The ways the same APIs are offered: OpenAI's own, and Azure's."""

from __future__ import annotations

from exporter.sandbox import azure, door, previews
from exporter.sandbox.answers import Answer, Face, unknown_url
from exporter.sandbox.keys import NOBODY
from exporter.sandbox.switches import APIS

OPENAI = Face("openai", "/v1", frozenset(APIS), door.admit)

PREVIEWS = Face("previews", previews.ROOT, frozenset({previews.API}), previews.admit)
"""Where attachments lie: no API, and no place for a key."""

FACES = (OPENAI, *azure.FACES, PREVIEWS)
"""Every face of a sandbox."""


def nowhere(method: str, path: str) -> Answer:
    """Answer for every other URL, in the words of whose it would be."""
    return azure.not_here() if path.startswith(("/openai/", "/api/")) else unknown_url(method, path)


NOWHERE = Face("nowhere", "", frozenset(), lambda _: NOBODY)
"""Where every other URL is."""
