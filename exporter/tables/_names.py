"""How threads and months are called in the tables.

The idea: a table holds plain text, so two threads may have one name in it; what is sorted and folded has exact names.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from exporter.model import ThreadRef
from exporter.text import plain

Whose = tuple[str, ...]
"Source, endpoint and thread as the tables have them; for revisions also the kind."


def whose(thread: ThreadRef) -> Whose:
    """Return a thread as the tables have it."""
    return thread.source, plain(thread.endpoint), plain(thread.id)


def key(text: str) -> bytes:
    """Return any text, exactly, as bytes."""
    return text.encode("utf-8", "surrogatepass")


def text(exact: bytes) -> str:
    """Return the text that `key` was made of."""
    return exact.decode("utf-8", "surrogatepass")


def month(time: datetime) -> int:
    """Return the months since the year 0."""
    return time.year * 12 + time.month - 1


def month_name(of: int) -> str:
    """Return a month as its file is called: `2026-11`."""
    return f"{of // 12:04}-{of % 12 + 1:02}"


def month_of(path: Path) -> int:
    """Return the month whose file this is."""
    return int(path.stem[:4]) * 12 + int(path.stem[5:]) - 1
