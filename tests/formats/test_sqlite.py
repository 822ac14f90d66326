"""SQLite: the tables, joined by keys that hold, searchable."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest

from exporter.errors import ArchiveError, DiskFull
from exporter.formats import sqlite as form
from tests.conftest import rows
from tests.formats.conftest import Library

TABLES = ("threads", "messages", "runs", "steps", "files")
SHARED = {"source", "endpoint", "profile", "thread_id", "user", "customer", "title"}


@pytest.fixture(params=["library", "nasty"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Library, sqlite3.Connection]]:
    library: Library = request.getfixturevalue(request.param)
    library.write("sqlite", tmp_path / "out.sqlite")
    assert [path.name for path in tmp_path.iterdir()] == ["out.sqlite"]
    with closing(sqlite3.connect(tmp_path / "out.sqlite")) as db:
        db.row_factory = sqlite3.Row
        yield library, db


def test_the_database_says_what_the_tables_say(made: tuple[Library, sqlite3.Connection]) -> None:
    library, db = made
    for table in TABLES:
        want = [_plain(row, set() if table == "threads" else SHARED) for row in rows(library.path, table)]
        names = [name for name in want[0] if name in want[0]] if want else []
        got = [{name: row[name] for name in names} for row in db.execute(f"SELECT * FROM {table}")]
        assert len(got) == len(want)
        assert sorted(map(repr, got)) == sorted(map(repr, want))


def _plain(row: dict[str, object], without: set[str]) -> dict[str, object]:
    shown = {
        name: value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value
        for name, value in row.items()
    }
    return {name: value for name, value in shown.items() if name not in without}


def test_datasette_finds_the_index(made: tuple[Library, sqlite3.Connection]) -> None:
    _, db = made
    # it looks for the text of the statement, quoted just so: datasette/utils, detect_fts_sql
    like = "SELECT name FROM sqlite_master WHERE sql LIKE '%VIRTUAL TABLE%USING FTS%content=\"messages\"%'"

    assert [row["name"] for row in db.execute(like)] == ["messages_fts"]


def test_keys_lead_to_rows(made: tuple[Library, sqlite3.Connection]) -> None:
    _, db = made

    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    keys = {table: {row["table"] for row in db.execute(f"PRAGMA foreign_key_list({table})")} for table in TABLES}
    assert keys == {
        "threads": set(),
        "messages": {"threads", "runs"},
        "runs": {"threads"},
        "steps": {"threads", "runs"},
        "files": {"threads", "messages"},
    }
    unjoined = "SELECT count(*) FROM messages WHERE run IS NULL AND run_id IN (SELECT run_id FROM runs)"
    assert db.execute(unjoined).fetchone()[0] == 0


def test_words_are_found(library: Library, tmp_path: Path) -> None:
    library.write("sqlite", tmp_path / "out.sqlite")
    with closing(sqlite3.connect(tmp_path / "out.sqlite")) as db:
        query = (
            "SELECT text FROM messages WHERE id IN (SELECT rowid FROM messages_fts WHERE messages_fts MATCH 'invoice')"
        )
        found = [text for (text,) in db.execute(query)]
        count = db.execute("SELECT count(*) FROM messages WHERE text LIKE '%invoice%'").fetchone()[0]

    assert found
    assert all("invoice" in text for text in found)
    assert len(found) == count


@pytest.mark.parametrize(
    ("pragma", "error", "told"),
    [
        ("max_page_count = 20", DiskFull, "the disk is full; free space and run again"),
        ("query_only = ON", ArchiveError, "attempt to write a readonly database; check the disk and run again"),
    ],
)
def test_a_disk_that_fails_is_told_and_leaves_nothing_beside_the_result(
    pragma: str, error: type[ArchiveError], told: str, library: Library, tmp_path: Path
) -> None:
    failing = mock.patch.object(form, "PRAGMAS", (*form.PRAGMAS, pragma))

    with failing, pytest.raises(error, match=told):
        library.write("sqlite", tmp_path / "out.sqlite")
    assert [path.name for path in tmp_path.iterdir()] == ["out.sqlite"]
