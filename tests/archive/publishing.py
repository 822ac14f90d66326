"""An archive with a bit of everything, published, without any server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exporter.archive import Archive
from exporter.model import Item, Page, Registration, ThreadRef
from exporter.registry import register
from exporter.tables import publish
from tests.archive.making import AT, THREAD, made

OTHER = replace(THREAD, id="thread_2")


def messages(first: int, count: int, thread: ThreadRef = THREAD, *, fresh: bool = True) -> Page:
    """Messages of different months."""
    items = []
    for i in range(first, first + count):
        body = {"id": f"msg_{i}", "object": "thread.message", "created_at": 1_760_000_000 + i * 2_000_000}
        body |= {"role": "user", "content": [{"type": "text", "text": {"value": f"hello {i}", "annotations": []}}]}
        items.append(Item(f"msg_{i}", json.dumps(body).encode()))
    return Page(thread, "message", tuple(items), f"msg_{first + count - 1}", False, AT, "messages", first, fresh=fresh)


def about(thread: ThreadRef = THREAD) -> Page:
    """The thread itself."""
    body = {"id": thread.id, "object": "thread", "created_at": 1_760_000_000, "metadata": {}}
    return Page(thread, "thread", (Item(thread.id, json.dumps(body).encode()),), None, False, AT, "thread")


def visit(thread: ThreadRef = THREAD, gaps: Sequence[dict[str, Any]] = ()) -> Page:
    """How a visit ended."""
    body = {"state": "partial" if gaps else "complete", "code": None, "error": None, "records": 1, "gaps": list(gaps)}
    return Page(thread, "visit", (Item(None, json.dumps(body).encode()),), None, False, AT, "visit")


def step(path: Path, *pages: Page) -> None:
    """One run: these pages, sealed and published."""
    with Archive.write(path) as archive:
        archive.append(pages)
        archive.seal({"command": "backup"})
        publish_all(archive)


def publish_all(archive: Archive) -> None:
    """Bring the tables up to date as a backup does."""
    newest = archive.manifest()
    publish(archive, int(archive.catalog.fact("published") or 0))
    archive.note_published(newest)


def published(path: Path) -> Path:
    """Two threads, two runs, a gap, an edit."""
    with Archive.write(made(path)) as archive:
        register(archive, [Registration(THREAD, user="ann"), Registration(OTHER)])
    step(path, about(), messages(0, 3), visit(), about(OTHER), messages(0, 2, OTHER), visit(OTHER))
    gap = {"list": "messages", "after": "msg_4", "code": "temporary", "detail": "the server was unwell"}
    step(path, messages(2, 3, fresh=False), visit(THREAD, [gap]))
    return path
