"""Addresses of threads and messages: what stands in links, and what a link means."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote, urlencode

from exporter.model import ThreadRef

SOURCE = re.compile(r"[a-z][a-z0-9_]{0,40}")


def path_of(thread: ThreadRef, *, endpoint: bool = False, **params: object) -> str:
    """Return the address of a thread, without a fragment; its endpoint is told where the id alone does not do."""
    name = quote(thread.id.encode("utf-8", "replace"), safe="")
    query: dict[str, object] = {}
    if name in ("", ".", ".."):  # a browser would take it for a folder
        query, name = {"id": thread.id}, ""
    if endpoint:
        query["endpoint"] = mark_of(thread.endpoint)
    query |= {key: value for key, value in params.items() if value is not None}
    return f"/t/{thread.source}/{name}{f'?{urlencode(query)}' if query else ''}"


def mark_of(endpoint: str) -> str:
    """Return a short name for an endpoint."""
    return hashlib.blake2b(endpoint.encode("utf-8", "replace"), digest_size=4).hexdigest()
