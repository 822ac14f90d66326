"""`exporter touch`, and the Python call: marks beside a running backup, answered by the next one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

import exporter
from exporter.archive import Archive
from exporter.archive._lock import Lock
from exporter.archive.catalog import NEVER, stamp
from exporter.check import check
from exporter.crawl import plan
from exporter.errors import Damaged, NoArchive, UsageError
from exporter.model import Profile, ThreadRef, now
from exporter.rebuild import rebuild
from exporter.touching import Touched, touch
from tests.cli.conftest import Shell


@pytest.fixture
def filled(shell: Shell) -> Shell:
    for thread in ("thread_1", "thread_2"):
        shell.state.add_thread(thread)
        shell.state.add_message(thread, {"content": "x"})
    shell.ok("backup", "thread_1", "thread_2")
    return shell


def due(shell: Shell) -> list[str]:
    with Archive.open(shell.archive) as archive:
        return [known.thread.id for known in plan(archive)]


def test_what_is_touched_is_visited_first_and_only_once(filled: Shell) -> None:
    assert due(filled) == []
    assert filled.json("touch", "thread_2")[-1] == {"message_type": "summary", "touched": 1, "new": 0}
    assert due(filled) == ["thread_2"]
    filled.state.add_message("thread_2", {"content": "more"})
    assert filled.json("backup")[-1]["records"] == 1
    assert due(filled) == []


@pytest.mark.parametrize("hint", [{"due_at": NEVER}, {"due_at": "2999-01-01", "failures": 9}])
def test_it_counts_for_threads_that_never_change_and_for_those_that_fail(
    filled: Shell, hint: dict[str, object]
) -> None:
    with Archive.write(filled.archive) as archive:
        (known,) = archive.catalog.named("thread_1")
        archive.catalog.note_hints({known.thread: hint})
    assert due(filled) == []
    filled.ok("touch", "thread_1")

    assert due(filled) == ["thread_1"]
    assert filled.json("backup")[-1]["visited"] == 1


def test_a_thread_that_was_gone_and_is_there_again_is_found(filled: Shell) -> None:
    filled.state.delete_thread("thread_1")
    assert filled.json("backup", "--all")[-1]["gone"] == 1
    filled.state.add_thread("thread_1")
    filled.state.add_message("thread_1", {"content": "back"})
    filled.ok("touch", "thread_1")

    assert filled.json("backup")[-1]["gone"] == 0
    assert filled.json("threads", "--state", "complete")[-1]["threads"] == 2


def test_an_unknown_id_is_registered_by_the_next_backup_and_says_so(filled: Shell) -> None:
    filled.state.add_thread("thread_new1")
    text = filled.ok("touch", "thread_new1", "thread_1").stderr

    assert text == (
        "1 registered thread comes first in the next backup; "
        "1 more that nobody registered: it registers and visits them\n"
    )
    assert filled.json("threads")[-1]["threads"] == 2
    assert filled.json("status")[-1]["touched_and_not_registered"] == 1
    assert filled.json("plan")[0]["new"] == 1
    assert filled.json("backup")[-1]["registered"] == 3
    assert filled.json("status")[-1]["touched_and_not_registered"] == 0
    assert [one for one in check(filled.archive, rebuild=True) if one.severity == "damage"] == []


def test_an_archive_of_touched_ids_alone_is_backed_up(shell: Shell) -> None:
    Archive.create(shell.archive)
    with Archive.write(shell.archive):
        shell.state.add_thread("thread_1")
        shell.ok("touch", "thread_1")

    assert shell.json("backup")[-1]["complete"] == 1


def test_who_touches_takes_no_lock_and_hinders_nobody_who_writes(filled: Shell) -> None:
    with Lock(filled.archive):
        assert touch(filled.archive, ["thread_1", "conv_new1"], profile=Profile(base_url=filled.url)) == Touched(1, 1)
    with Archive.write(filled.archive) as archive:
        found: list[Touched] = []

        def call(thread: str) -> None:
            found.append(exporter.touch(filled.archive, [thread, "thread_2"]))

        others = [threading.Thread(target=call, args=(f"conv_{number}",)) for number in range(8)]
        for other in others:
            other.start()
        for _ in range(20):
            archive.catalog.note_fact("busy", "yes")
        for other in others:
            other.join(60)
        waiting = archive.catalog.count_waiting()

    assert found == [Touched(1, 1)] * 8
    assert waiting == 9


def test_what_waits_survives_that_the_catalog_is_made_again(filled: Shell) -> None:
    filled.ok("touch", "thread_new1", "--at", "2026-01-02T03:04")
    rebuild(filled.archive)
    with Archive.open(filled.archive) as archive:
        waiting = archive.catalog.waiting(9)

    assert [(entry.thread.id, at) for entry, at in waiting.items()] == [
        ("thread_new1", stamp(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)))
    ]


def test_ids_come_from_any_text_and_failed_threads_from_status(filled: Shell) -> None:
    assert filled.json("touch", "-", stdin="12:00 created thread_1 and\nthread_2\n")[-1]["touched"] == 2
    filled.run("backup", "thread_nope1")
    listed = filled.run("status", "--list", "failed", "--json").stdout

    assert filled.json("touch", "-", stdin=listed)[-1]["touched"] == 1
    assert "thread_nope1" in due(filled)


def test_a_profile_or_source_that_is_said_means_exactly_that_thread(filled: Shell) -> None:
    done = filled.json("touch", "thread_1", "--source", "conversations")[-1]

    assert (done["touched"], done["new"]) == (0, 1)
    assert due(filled) == []


def test_many_ids_are_noted_at_once(filled: Shell) -> None:
    ids = [f"thread_{number}" for number in range(20_000)]

    assert touch(filled.archive, ids) == Touched(2, 19_998)
    assert touch(filled.archive, [*ids, *ids]) == Touched(2 * 2, 2 * 19_998)
    with Archive.open(filled.archive) as archive:
        assert archive.catalog.count_waiting() == 19_998


@pytest.mark.parametrize("bad", ["@/etc/passwd", "-", "../x", "", "no id"])
def test_the_python_call_takes_ids_as_data(filled: Shell, bad: str) -> None:
    with pytest.raises(UsageError, match="is no thread id"):
        touch(filled.archive, [bad])
    with pytest.raises(UsageError, match="is no thread id"):
        touch(filled.archive, [ThreadRef("assistants", "http://server", bad)])


def test_mistakes_are_said(filled: Shell) -> None:
    with pytest.raises(UsageError, match="its prefix tells no source"):
        touch(filled.archive, ["0b7c"])
    assert filled.run("touch", "thread_1", "--at", "soon").exit_code == 2
    assert filled.run("touch", "thread_1", "--at", f"{now() + timedelta(days=9):%Y-%m-%d}").exit_code == 2
    assert filled.run("touch", "thread_1", "-a", str(filled.archive / "nowhere")).exit_code == 10
    with pytest.raises(NoArchive):
        touch(filled.archive / "nowhere", ["thread_1"])


def test_a_catalog_that_is_lost_or_old_is_named_and_not_made_anew(filled: Shell) -> None:
    with Archive.write(filled.archive) as archive:
        archive.catalog.note_fact("schema", "1")
    with pytest.raises(Damaged, match="another version"):
        touch(filled.archive, ["thread_1"])
    with Archive.open(filled.archive) as archive:
        assert len(archive.catalog.named("thread_1")) == 1
    (filled.archive / "catalog.sqlite").unlink()
    with pytest.raises(Damaged, match="missing"):
        touch(filled.archive, ["thread_1"])
    assert not (filled.archive / "catalog.sqlite").exists()
