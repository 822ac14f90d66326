"""Archives to search, made page by page, and what is found in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from exporter.archive import Archive
from exporter.model import Item, Kind, Page, Registration, ThreadRef
from exporter.registry import registration_page
from exporter.search import Hit, Index, Query
from tests.tables.making import dumps, message, thread

AT = datetime(2026, 11, 21, 5, tzinfo=UTC)
T1, T2, T3 = (thread(name) for name in ("t1", "t2", "t3"))


def said(ref: ThreadRef, *texts: str, seq: int = 0, fresh: bool = True, **more: Any) -> Page:
    """A page of messages with these texts, the ids of which are their positions."""
    bodies = [message(f"m{seq + i}", text, 1_760_000_000 + seq + i, **more) for i, text in enumerate(texts)]
    return items(ref, "message", bodies, seq=seq, fresh=fresh)


def items(
    ref: ThreadRef,
    kind: Kind,
    bodies: Sequence[tuple[str | None, Any]],
    *,
    seq: int = 0,
    fresh: bool = True,
    at: int = 0,
) -> Page:
    """A page of any objects."""
    found = tuple(Item(name, dumps(body)) for name, body in bodies)
    return Page(ref, kind, found, None, False, AT + timedelta(hours=at), f"{kind}s", seq, fresh=fresh)


def visit(ref: ThreadRef, state: str, at: int = 1) -> Page:
    told: dict[str, Any] = {"state": state, "code": None, "error": None, "records": 0, "gaps": []}
    return items(ref, "visit", [(None, told)], at=at)


def deletion(ref: ThreadRef, name: str, at: int = 1) -> Page:
    return items(ref, "deletion", [(name, {"kind": "message", "list": "messages", "reason": "deleted"})], at=at)


def owned(ref: ThreadRef, **words: Any) -> Page:
    return registration_page(Registration(ref, **words))


def titled(ref: ThreadRef, title: str | None) -> Page:
    return items(ref, "thread", [(ref.id, {"id": ref.id, "created_at": 1_750_000_000, "title": title})])


def archived(path: Path, *commits: Sequence[Page]) -> Path:
    """Add these pages to an archive, a manifest for each group."""
    Archive.create(path)
    with Archive.write(path) as archive:
        for pages in commits:
            archive.append(pages)
            archive.seal()
    return path


@contextmanager
def searching(where: Path, **options: Any) -> Iterator[Index]:
    with Archive.open(where) as archive, Index.open(archive, **options) as index:
        yield index


def found(path: Path, text: str, **filters: Any) -> list[Hit]:
    """Everything that is found, the index being brought up to date before."""
    with searching(path) as index:
        results = index.search(Query(text, limit=10_000, **filters))
    assert results.total == len(results.hits)
    return list(results.hits)


def ids(path: Path, text: str, **filters: Any) -> list[str | None]:
    return sorted((hit.message_id or hit.kind for hit in found(path, text, **filters)), key=str)


def everything(archive: Path, words: Sequence[str], **options: Any) -> list[Any]:
    """All that an index says of these words, but for how well they fit."""
    told: list[Any] = []
    with searching(archive, **options) as index:
        for word in words:
            hits = index.search(Query(f'"{word}"', limit=10_000)).hits
            told += [(word, {**asdict(hit), "score": 0}) for hit in hits]
    return sorted(told, key=repr)


def marked(hit: Hit) -> list[str]:
    return [hit.snippet[begin:end] for begin, end in hit.marks]
