"""Handlers that answer bytes: of files and of artifacts."""

from __future__ import annotations

from exporter.sandbox import raw
from exporter.sandbox.answers import Answer, Ask, Refusal, error
from exporter.sandbox.content import Content
from exporter.sandbox.reads import Handler, Under, entry_of, holder_of

UNREADABLE = frozenset({"assistants", "user_data"})
"""Purposes of files whose content the service does not give back."""


def file_content(ask: Ask) -> Answer:
    """Answer the bytes of a file, unless its purpose forbids it."""
    holder = holder_of(ask, "files")
    purpose = raw.value(ask.state.body("files", holder.id), "purpose")
    if purpose in UNREADABLE:
        raise Refusal(error(400, f"Not allowed to download files of purpose: {purpose}"))
    return _bytes(holder.content)


def content_under(under: Under) -> Handler:
    """Answer the bytes of an object under an id: an artifact, a container's file."""

    def handler(ask: Ask) -> Answer:
        entry = entry_of(ask, under)
        return _bytes(ask.state.shelves[under.shelf].holders[ask.ids["id"]].contents.get(entry.id or "", b""))

    return handler


def _bytes(content: Content) -> Answer:
    return Answer(200, content, {"content-type": "application/octet-stream"})
