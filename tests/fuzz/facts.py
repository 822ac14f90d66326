"""What a catalog may hold where a disk, a hand or another version wrote it: hints, cursors, counters."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import strategies as st

from exporter.archive import Archive
from exporter.check import check
from exporter.cli._prospects import _hint
from exporter.crawl._verification import FACT, last
from exporter.discovery._cursor import Cursor
from exporter.doctor._cards import _read
from exporter.model import Profile
from tests.archive.publishing import published
from tests.fuzz._inputs import as_json, objects, values

KEYS = ("manifest", "published", "policies", "schema", f"hint {FACT}", "hint last_check")
COLUMNS = ("tags", "body", "due_at", "visited_at", "state", "profile", "title", "source")
INPUT = st.tuples(
    st.sampled_from(KEYS),
    (objects | values).map(lambda value: as_json(value).decode()) | st.text(max_size=6),
    st.sampled_from(COLUMNS),
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(codec="utf-8"), max_size=6)
    | st.binary(max_size=6),
)
_made: list[Path] = []


def _sample() -> bytes:
    """The catalog of a small archive, made once."""
    if not _made:
        _made.append(published(Path(mkdtemp(prefix="exporter-fuzz-")) / "a"))
        with closing(sqlite3.connect(_made[0] / "catalog.sqlite")) as db:
            db.execute("PRAGMA journal_mode=DELETE")
        _made.append(_made[0] / "catalog.kept")
        _made[1].write_bytes((_made[0] / "catalog.sqlite").read_bytes())
    return _made[1].read_bytes()


def parse(data: tuple[str, str, str, object]) -> None:
    key, text, column, value = data
    kept = _sample()
    path = _made[0]
    (path / "catalog.sqlite").write_bytes(kept)
    with closing(sqlite3.connect(path / "catalog.sqlite")) as db:
        db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, text.encode("utf-8", "replace").decode()))
        db.execute(f'UPDATE OR IGNORE threads SET "{column}" = ? WHERE no = 1', (value,))
        db.commit()
    _hint(text)
    list(_read(text))
    with Archive.open(path) as archive:
        last(archive.catalog)
        Cursor(archive, "assistants", "http://x", Profile(), session=False).position()
    list(check(path, rebuild=True))
