"""Which threads are due, and in which order: the catalog's answer at a time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.archive import Archive
from exporter.archive.catalog import NEVER, stamp
from exporter.crawl._visit import visit_page
from exporter.errors import Damaged
from exporter.model import Outcome, Registration, ThreadRef
from exporter.rebuild import rebuild
from exporter.registry import register

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def ref(name: str) -> ThreadRef:
    return ThreadRef("assistants", "http://server", name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    names = ["new1", "late", "soon", "cold", "warm", "touched", "later", "done", "new2"]
    Archive.create(tmp_path / "a")
    with Archive.write(tmp_path / "a") as archive:
        register(archive, [Registration(ref(f"thread_{name}")) for name in names])
        past, seen = stamp(NOW - DAY), stamp(NOW - 3 * DAY)
        archive.catalog.note_hints({
            ref("thread_late"): {"due_at": past, "visited_at": seen, "deadline_at": stamp(NOW + 2 * DAY)},
            ref("thread_soon"): {"due_at": past, "visited_at": seen, "deadline_at": stamp(NOW + DAY)},
            ref("thread_cold"): {"due_at": past, "visited_at": seen, "interval": 20.0},
            ref("thread_warm"): {"due_at": past, "visited_at": seen, "interval": 2.0},
            ref("thread_touched"): {"due_at": past, "visited_at": seen, "touched_at": stamp(NOW - DAY)},
            ref("thread_later"): {"due_at": stamp(NOW + DAY), "visited_at": seen, "interval": 4.0},
            ref("thread_done"): {"due_at": NEVER, "visited_at": seen},
        })  # fmt: skip
    return tmp_path / "a"


def test_touched_first_then_deadlines_then_new_ones_then_the_likeliest(path: Path) -> None:
    with Archive.open(path) as archive:
        due = archive.catalog.due(NOW, NOW + 5 * DAY)
        parts = [
            [known.thread.id[7:] for known in archive.catalog.numbered(part)]
            for part in (due.touched, due.urgent, due.new, due.others)
        ]

    assert parts == [["touched"], ["soon", "late"], ["new1", "new2"], ["warm", "cold"]]
    assert len(due) == 7
    assert due.usual == pytest.approx(5 + 1 / 20 + 1 / 2 + 1 / 4)


def test_after_a_night_with_a_wrong_clock_threads_are_due_again(path: Path) -> None:
    ahead = NOW + 3650 * DAY
    wrong = {"due_at": stamp(ahead + 20 * DAY), "visited_at": stamp(ahead), "interval": 20.0}
    patient = {"due_at": stamp(NOW + 300 * DAY), "visited_at": stamp(NOW - DAY)}
    with Archive.write(path) as archive:
        archive.catalog.note_hints({ref("thread_later"): wrong, ref("thread_warm"): patient})
        others = archive.catalog.due(NOW, NOW + 5 * DAY).others
        names = [known.thread.id[7:] for known in archive.catalog.numbered(others)]

    assert names == ["cold", "later"]


def touched(archive: Archive) -> list[str]:
    return [known.thread.id[7:] for known in archive.catalog.numbered(archive.catalog.due(NOW, NOW).touched)]


def test_a_touched_thread_is_due_whatever_its_time_and_state(path: Path) -> None:
    with Archive.write(path) as archive:
        archive.append([visit_page(Outcome(ref("thread_cold"), 0, "gone"))])
        archive.seal()
        for number, name in enumerate(("later", "done", "cold")):
            archive.catalog.touch([f"thread_{name}"], [], NOW + number * DAY)

        assert touched(archive) == ["cold", "done", "later", "touched"]
        assert len(archive.catalog.due(NOW, NOW)) == 4 + 2 + 3


def test_a_visit_answers_the_mark_that_it_found_and_no_newer_one(path: Path) -> None:
    with Archive.write(path) as archive:
        catalog = archive.catalog
        seen = stamp(NOW - DAY)
        catalog.note_hints({ref("thread_touched"): {"visited_at": stamp(NOW + 9 * DAY)}})
        assert touched(archive) == ["touched"], "no clock decides"
        catalog.touch(["thread_touched"], [], NOW)
        catalog.answered({ref("thread_touched"): seen})
        assert touched(archive) == ["touched"]
        catalog.answered({ref("thread_touched"): stamp(NOW)})
        assert touched(archive) == []


def test_hints_are_no_part_of_what_a_rebuild_brings_back(path: Path) -> None:
    with Archive.open(path) as archive:
        before = list(archive.catalog.content())
    rebuild(path)
    with Archive.open(path) as archive:
        assert list(archive.catalog.content()) == before
        assert len(archive.catalog.due(NOW, NOW).new) == 9


def test_a_catalog_of_another_version_is_made_again_on_writing_and_named_on_reading(path: Path) -> None:
    with closing(sqlite3.connect(path / "catalog.sqlite")) as db:
        db.execute("DROP INDEX threads_due")
        db.execute("ALTER TABLE threads DROP COLUMN due_at")
        db.execute("DELETE FROM facts WHERE key = 'schema'")
        db.commit()

    with Archive.open(path) as archive, pytest.raises(Damaged, match=r"another version.*exporter rebuild"):
        archive.catalog.find(ref("thread_new1"))
    with Archive.write(path) as archive:
        assert archive.catalog.find(ref("thread_new1")) is not None
        assert len(archive.catalog.due(NOW, NOW).new) == 9
