"""What a record of a file is as columns: its body is ours, and holds the server's object as it was sent.

The idea: where the bytes are, or why they are nowhere, are columns; the server's own words are `extra_json`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from exporter.model import Record
from exporter.rows._times import WHOLE_SECONDS, moment
from exporter.text import clean, joined, members, plain, string

TEXTS = {
    **{name: name for name in ("type", "name", "mime_type", "purpose", "form", "reason", "detail")},
    "message": "message_id",
    "sha256": "sha256",
}
"`{field: column}`"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COUNT = re.compile(rb"[0-9]{1,18}")


def blob(sha256: str) -> str:
    """Return where the content with this hash lies, relative to the archive."""
    return f"blobs/sha256/{sha256[:2]}/{sha256}"


def told(body: bytes) -> Mapping[str, bytes]:
    """Return the members of a file's record, each as its tokens."""
    return members(clean(body)) or {}


def columns(record: Record) -> dict[str, Any]:
    """Return what a file's record says, and what the server said of the file."""
    fields = told(record.body)
    out: dict[str, Any] = {column: string(fields.get(name)) for name, column in TEXTS.items()}
    out["file_id"] = None if record.id is None else plain(record.id)
    out["container_id"] = None if record.parent is None else plain(record.parent)
    size = fields.get("bytes", b"")
    out["bytes"] = int(size) if _COUNT.fullmatch(size) else None
    sha256 = out["sha256"]
    out["blob"] = blob(sha256) if sha256 and _SHA256.fullmatch(sha256) else None
    return out | _server(fields.get("object", b"null"))


def created(body: bytes) -> bytes:
    """Return the time at which the server made the file, as its tokens."""
    return (members(told(body).get("object", b"")) or {}).get("created_at", b"null")


def _server(body: bytes) -> dict[str, Any]:
    """Return the server's object: without its time where a column tells that exactly."""
    if body == b"null":
        return {}
    rest = members(body)
    if rest is None:
        return {"extra_json": body.decode()}
    raw = rest.get("created_at", b"null")
    time = moment(raw)
    if time is not None and WHOLE_SECONDS.fullmatch(raw):
        del rest["created_at"]
    return {"created_at": time, "extra_json": joined(rest)}
