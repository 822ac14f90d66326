"""The ways the same APIs are offered: OpenAI's own, and Azure's."""

from __future__ import annotations

from exporter.sandbox import door, previews
from exporter.sandbox.answers import Face
from exporter.sandbox.keys import NOBODY
from exporter.sandbox.switches import APIS

OPENAI = Face("openai", "/v1", frozenset(APIS), door.admit)

NOWHERE = Face("nowhere", "", frozenset(), lambda _: NOBODY)
"""What answers for every other URL."""

PREVIEWS = Face("previews", previews.ROOT, frozenset({previews.API}), previews.admit)
"""Where attachments lie: no API, and no place for a key."""

FACES = (OPENAI, PREVIEWS)
"""Every face of a sandbox."""
