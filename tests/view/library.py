"""Archives to look at, written straight: one with a long conversation, one of somebody who means harm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.archive import Archive
from exporter.model import Item, Page, Registration, ThreadRef
from exporter.registry import register
from tests.formats import hostile

ENDPOINT = "https://api.example/v1"
AT = datetime(2026, 11, 21, 5, tzinfo=UTC)
BEGIN = 1_763_000_000
LONG = ThreadRef("conversations", ENDPOINT, "conv_long")
PER_PAGE = 500


def said(number: int, text: str, role: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a message of a conversation."""
    role = role or ("assistant" if number % 2 else "user")
    part: dict[str, Any] = {
        "type": "output_text" if role == "assistant" else "input_text",
        "text": text,
        "annotations": [],
    }
    return {"type": "message", "id": f"msg_{number}", "role": role, "content": [part], **more}


def put(archive: Archive, thread: ThreadRef, bodies: Iterable[dict[str, Any]], **owner: Any) -> None:
    """Register a thread and write its messages, page by page."""
    register(archive, [Registration(thread, **owner)])
    items = [Item(body.get("id"), json.dumps(body).encode()) for body in bodies]
    for first in range(0, len(items), PER_PAGE):
        batch = tuple(items[first : first + PER_PAGE])
        archive.append([Page(thread, "message", batch, None, first + PER_PAGE < len(items), AT, "messages", first)])


def long(path: Path, count: int) -> Path:
    """An archive with one long conversation, and two short ones."""
    Archive.create(path)
    with Archive.write(path) as archive:
        put(archive, LONG, (said(n, f"message number {n}") for n in range(count)), user="ann", title="A long story")
        for name in ("one", "two"):
            short = ThreadRef("conversations", ENDPOINT, f"conv_{name}")
            put(archive, short, [said(0, f"only {name}")], user="bob", title=f"Short {name}")
        archive.seal()
    return path


def keep(path: Path, data: bytes) -> str:
    """Put a content into an archive; returns its hash."""
    name = hashlib.sha256(data).hexdigest()
    file = path / "blobs" / "sha256" / name[:2] / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return name


FILES = {
    "picture.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>window.pwned = 1</script></svg>",
    "page.html": b"<script>window.pwned = 1; opener && (opener.pwned = 1)</script>",
    "book.pdf": b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n",
    "code.js": b"window.pwned = 1",
    "real.png": hostile.PNG,
}


def harmful(path: Path) -> dict[str, str]:
    """An archive of somebody who means harm, in every place; returns the hashes of its files by name."""
    Archive.create(path)
    blobs = {name: keep(path, data) for name, data in FILES.items()}
    with Archive.write(path) as archive:
        for number, text in enumerate([*hostile.TEXTS, *hostile.MORE]):
            thread = ThreadRef("conversations", ENDPOINT, f"conv_{number}")
            words = {"user": text[:80], "customer": text[:80], "title": text[:200], "tags": (text[:40],)}
            put(archive, thread, _harm(text), **words)
        thread = ThreadRef("conversations", ENDPOINT, "conv_files")
        put(archive, thread, [said(0, "see the files")], title="files")
        archive.append([Page(thread, "file", tuple(_files(blobs)), None, False, AT, "files")])
        archive.seal()
    return blobs


def _harm(text: str) -> Iterable[dict[str, Any]]:
    yield said(0, text)
    yield said(1, text, status=text)
    yield {"type": "message", "id": f"m{text[:40]}", "role": text, "content": [{"type": "input_text", "text": text}]}
    yield {"type": text, "id": "other", "what": text}
    yield {"type": "function_call", "id": "call", "call_id": text, "name": text, "arguments": json.dumps({text: text})}
    yield {"type": "function_call_output", "id": "answer", "call_id": text, "output": text}
    note = {"type": "url_citation", "title": text, "url": text, "start_index": 0, "end_index": 1}
    part = {"type": "output_text", "text": text, "annotations": [note]}
    yield {"type": "message", "id": "cites", "role": "assistant", "content": [part]}


def _files(blobs: dict[str, str]) -> Iterable[Item]:
    for name, sha256 in blobs.items():
        told = {"type": "file", "message": "msg_0", "name": f"<img src=x onerror=alert(1)>{name}", "sha256": sha256}
        body = told | {"bytes": len(FILES[name]), "form": "bytes", "mime_type": "image/png"}
        yield Item(f"file-{name}", json.dumps(body).encode())
