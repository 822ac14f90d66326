"""Hints: noted only where nobody writes, and never in the way of who does."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.archive import Archive, hints, note_hints, who_writes
from exporter.archive._lock import Lock
from exporter.rebuild import rebuild


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Archive.create(tmp_path / "archive")
    return tmp_path / "archive"


def test_a_hint_is_kept_and_found_by_how_its_name_begins(path: Path) -> None:
    assert note_hints(path, {"card a%": "1", "card b": "2", "other": "3"})

    with Archive.open(path) as archive:
        assert hints(archive.catalog, "card ") == {"card a%": "1", "card b": "2"}
        assert hints(archive.catalog, "card a%") == {"card a%": "1"}
        assert hints(archive.catalog, "card _") == {}


def test_hints_survive_that_the_catalog_is_made_again(path: Path) -> None:
    note_hints(path, {"card": "1"})
    rebuild(path)
    with Archive.open(path) as archive:
        assert hints(archive.catalog) == {"card": "1"}

    (path / "catalog.sqlite").write_bytes(b"no database")
    rebuild(path)
    with Archive.open(path) as archive:
        assert hints(archive.catalog) == {}


def test_who_writes_is_named_and_gets_no_hint_into_its_way(path: Path) -> None:
    assert who_writes(path) is None

    with Lock(path):
        assert "process" in (who_writes(path) or "")
        assert not note_hints(path, {"card": "1"})
    assert who_writes(path) is None


def test_the_note_of_a_process_that_died_is_nobodys(path: Path) -> None:
    (path / ".exporter" / "holder.json").write_text('{"pid": 1, "host": "x", "command": "exporter backup"}')

    assert who_writes(path) is None
    assert note_hints(path, {"card": "1"})


def test_a_lost_catalog_is_not_replaced_by_an_empty_one(path: Path) -> None:
    (path / "catalog.sqlite").unlink()

    assert not note_hints(path, {"card": "1"})
    assert not (path / "catalog.sqlite").exists()
