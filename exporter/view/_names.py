"""Addresses of threads and messages: what stands in links, and what a link means."""

from __future__ import annotations

import hashlib
from urllib.parse import quote, urlencode

from exporter.archive import Archive
from exporter.model import ThreadRef


def path_of(thread: ThreadRef, *, endpoint: str | None = None, **params: object) -> str:
    """Return the address of a thread, without a fragment; `endpoint` is its mark, where the id alone does not do."""
    name = quote(thread.id.encode("utf-8", "replace"), safe="")
    query: dict[str, object] = {}
    if name in ("", ".", ".."):  # a browser would take it for a folder
        query, name = {"id": thread.id}, ""
    if endpoint:
        query["endpoint"] = endpoint
    query |= {key: value for key, value in params.items() if value is not None}
    return f"/t/{thread.source}/{name}{f'?{urlencode(query)}' if query else ''}"


def mark_of(endpoint: str) -> str:
    """Return a short name for an endpoint."""
    return hashlib.blake2b(endpoint.encode("utf-8", "replace"), digest_size=4).hexdigest()


def doubled_in(archive: Archive, thread: ThreadRef) -> str | None:
    """Return the mark of a thread's endpoint where another endpoint has a thread of this id, else None."""
    same = [one for one in archive.catalog.named(thread.id) if one.thread.source == thread.source]
    return mark_of(thread.endpoint) if len(same) > 1 else None
