"""A walk from the beginning keeps the order of what is archived, and is cut short at any write without a loss."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter import model
from exporter.archive import Archive
from exporter.check import check
from exporter.errors import ArchiveError
from tests.conftest import Bench, rows

COUNT, MORE = 30, 50


def grown(bench: Bench, count: int, first: int = 0) -> None:
    if not first:
        bench.state.add_thread("thread_s")
        bench.state.add_conversation("conv_s")
    for n in range(first, first + count):
        bench.state.add_message("thread_s", {"id": f"msg_{n:03}", "role": "user", "created_at": 1_760_000_000 + n})
        bench.state.add_item("conv_s", {"id": f"item_{n:03}", "type": "message", "role": "user", "content": f"{n}"})


def shown(path: Path, thread: str) -> list[str]:
    """The messages of a thread that the server still has, as a reader sorts them."""
    found = [row for row in rows(path) if row["thread_id"] == thread and row["deleted_at"] is None]
    return [row["message_id"] for row in sorted(found, key=lambda row: row["seq"])]


def positions(path: Path, thread: str) -> list[int]:
    return sorted(row["seq"] for row in rows(path) if row["thread_id"] == thread)


def test_what_is_new_after_deletions_comes_behind_what_was_there(bench: Bench) -> None:
    grown(bench, COUNT)
    bench.backup("thread_s", "conv_s")
    for n in (5, 10, 11):
        bench.state.delete_item("conv_s", f"item_{n:03}")
        bench.state.delete_message("thread_s", f"msg_{n:03}")
    grown(bench, 10, COUNT)
    bench.backup()
    bench.state.edit_item("conv_s", "item_035", {"id": "item_035", "type": "message", "role": "user", "content": []})
    grown(bench, 5, COUNT + 10)
    for full in (True, False, True):
        bench.backup(full=full)
        grown(bench, 2, len(bench.state.items("conv_s")) + 3)
    bench.backup()

    served = {"conv_s": bench.state.items("conv_s"), "thread_s": bench.state.messages("thread_s")}
    for thread, bodies in served.items():
        assert [name.split("_")[1] for name in shown(bench.path, thread)] == [
            body.split(b'"id":"')[1].split(b'"')[0].decode().split("_")[1] for body in bodies
        ]
        assert len(set(positions(bench.path, thread))) == len(positions(bench.path, thread))
    assert not [finding for finding in check(bench.path, rebuild=True) if finding.severity == "damage"]


@pytest.mark.parametrize("count", [COUNT, 250])
def test_what_is_new_after_the_last_was_deleted_comes_behind_what_was_there(bench: Bench, count: int) -> None:
    """The object behind the cursor is gone, so the server cannot go on after it: the list is walked again."""
    grown(bench, count)
    bench.backup("thread_s", "conv_s")
    gone = (3, 4, count - 2, count - 1)
    for n in gone:
        bench.state.delete_item("conv_s", f"item_{n:03}")
        bench.state.delete_message("thread_s", f"msg_{n:03}")
    grown(bench, 10, count)
    report = bench.backup()
    grown(bench, 10, count + 10)
    again = bench.backup()

    left = [n for n in range(count + 20) if n not in gone]
    for thread, name in (("conv_s", "item"), ("thread_s", "msg")):
        assert shown(bench.path, thread) == [f"{name}_{n:03}" for n in left]
        assert len(set(positions(bench.path, thread))) == len(positions(bench.path, thread)) == count + 20
    assert (report.records, again.records) == (20 + 2 * len(gone), 20), "what is new, and what was found deleted"
    assert not [finding for finding in check(bench.path, rebuild=True) if finding.severity == "damage"]


@pytest.mark.parametrize("share", [0.1, 0.4, 0.9])
def test_a_walk_from_the_beginning_that_is_torn_in_a_page_loses_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    grown(bench, COUNT)
    bench.backup("thread_s", "conv_s")
    grown(bench, MORE, COUNT)
    real = os.write

    def torn(fd: int, data: Any) -> int:
        if bytes(data).count(b'"kind":"page"') < MORE:
            return real(fd, data)
        real(fd, data[: int(len(data) * share)])
        os.ftruncate = lambda *_: None  # the process is gone: nothing mends what it left
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(ArchiveError, match="disk"):  # noqa: PT012
        patch.setattr(os, "ftruncate", os.ftruncate)
        patch.setattr(os, "write", torn)
        bench.backup(full=True)
    report = bench.backup()

    assert report.exit_code == 0
    assert shown(bench.path, "thread_s") == [f"msg_{n:03}" for n in range(COUNT + MORE)]
    assert shown(bench.path, "conv_s") == [f"item_{n:03}" for n in range(COUNT + MORE)]


def test_a_walk_from_the_beginning_never_moves_a_cursor_back(bench: Bench) -> None:
    grown(bench, 250)
    bench.backup("thread_s", "conv_s")
    with Archive.open(bench.path) as archive:
        before = archive.catalog.positions(bench.ref("conv_s"))["messages"]
    bench.state.edit_item("conv_s", "item_003", {"id": "item_003", "type": "message", "role": "user", "content": []})
    bench.backup(full=True)

    with Archive.open(bench.path) as archive:
        assert archive.catalog.positions(bench.ref("conv_s"))["messages"] == before
    assert bench.backup().records == 0


def test_after_a_night_with_a_wrong_clock_everything_is_asked_for_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown(bench, COUNT)
    with monkeypatch.context() as patch:
        real = datetime
        ahead = type("Ahead", (real,), {"now": staticmethod(lambda tz: real.now(tz) + timedelta(days=3650))})
        patch.setattr(model, "datetime", ahead)
        bench.backup("thread_s", "conv_s")
    bench.state.edit_item("conv_s", "item_003", {"id": "item_003", "type": "message", "role": "user", "content": []})
    bench.state.edit("threads", "thread_s", {"id": "thread_s", "metadata": {"a": "b"}})
    report = bench.backup(everything=False)

    assert (report.visited, report.records) == (2, 2)
    assert not [finding for finding in check(bench.path) if finding.severity == "damage"]


@pytest.mark.parametrize("left", [0, 9])
def test_a_list_that_is_suddenly_empty_is_called_deleted_when_the_next_backup_finds_the_same(
    bench: Bench, left: int
) -> None:
    grown(bench, COUNT)
    bench.backup("thread_s", "conv_s")
    for n in range(left, COUNT):
        bench.state.delete_item("conv_s", f"item_{n:03}")

    first = bench.backup(full=True)
    assert (first.exit_code, first.partial, [one.code for one in first.errors]) == (3, 1, ["list_emptied"])
    assert f"{COUNT - left} of the 30 archived objects of messages" in str(first.errors[0].error)
    assert len(shown(bench.path, "conv_s")) == COUNT

    assert bench.backup().exit_code == 0
    assert shown(bench.path, "conv_s") == [f"item_{n:03}" for n in range(left)]
    assert bench.backup(full=True).exit_code == 0
    assert len(shown(bench.path, "thread_s")) == COUNT


def test_a_list_that_was_empty_once_costs_nothing(bench: Bench) -> None:
    grown(bench, COUNT)
    bench.backup("thread_s", "conv_s")
    kept = [bench.state.items("conv_s")[n] for n in range(COUNT)]
    for n in range(COUNT):
        bench.state.delete_item("conv_s", f"item_{n:03}")
    assert bench.backup(full=True).exit_code == 3
    for body in kept:
        bench.state.add_item("conv_s", body)

    assert bench.backup().exit_code == 0
    assert shown(bench.path, "conv_s") == [f"item_{n:03}" for n in range(COUNT)]
    assert [row for row in rows(bench.path) if row["deleted_at"] is not None] == []


def test_few_that_are_gone_are_deleted_at_once(bench: Bench) -> None:
    grown(bench, COUNT)
    bench.backup("thread_s", "conv_s")
    for n in range(15):
        bench.state.delete_item("conv_s", f"item_{n:03}")

    assert bench.backup(full=True).exit_code == 0
    assert len(shown(bench.path, "conv_s")) == COUNT - 15
