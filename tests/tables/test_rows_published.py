"""What the rows say of what happened."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from exporter.tables import Published, _threads, publish
from tests.tables.making import T0, FakeReader, message, page, rebuilt, rows_of, thread, visit


def test_a_file_that_could_be_had_at_last_is_one_row_and_two_revisions(tmp_path: Path) -> None:
    refused = {"type": "file", "message": "m1", "sha256": None, "reason": "temporary", "object": None}
    kept = refused | {"sha256": "ab" * 32, "reason": None, "object": {"created_at": 1_760_000_000}}
    reader = FakeReader(
        tmp_path,
        [
            page(1, thread(), "file", [("f1", refused)], parent="cntr_1"),
            page(1, thread(), "file", [("f1", kept)], at=1),
            page(2, thread(), "file", [("f1", kept | {"message": "m2"})], fresh=False, at=2, parent="cntr_1"),
        ],
    )
    publish(reader, 0)

    rows = rows_of(tmp_path, "files")
    assert [(r["container_id"], r["reason"], r["revision"], r["ts_source"]) for r in rows] == [
        (None, None, 0, "created_at"),
        ("cntr_1", None, 1, "first_seen_at"),
    ]
    assert [(r["parent_id"], r["object_id"]) for r in rows_of(tmp_path, "revisions")] == [("cntr_1", "f1")] * 2


def test_histories_of_subagents_have_positions_of_their_own(tmp_path: Path) -> None:
    said: list[tuple[str | None, Any]] = [("m1", message("m1")[1]), (None, {"role": "user", "content": "x"})]
    pages = [page(1, thread(), "message", list(said), parent=parent) for parent in ("sub_2", None, "sub_1")]
    reader = FakeReader(tmp_path / "a", pages)
    publish(reader, 0)

    found = [(r["seq"], r["parent_id"]) for r in pq.read_table(tmp_path / "a/messages/2025-10.parquet").to_pylist()]
    assert found == [(0, "sub_1"), (0, "sub_2"), (0, None)]
    assert rows_of(tmp_path / "a", "threads")[0]["messages"] == 6
    reader.all = [(number, mark, rest) for number, mark, rest in reversed(pages)]
    assert rebuilt(reader, tmp_path / "b") == []


def test_a_changed_object_is_one_row_and_two_revisions(tmp_path: Path) -> None:
    ref = thread()
    reader = FakeReader(
        tmp_path,
        [
            page(1, ref, "message", [message("m1", "old"), message("m2")]),
            page(2, ref, "message", [message("m1", "new"), message("m2"), message("m3")], fresh=False, at=5),
        ],
    )
    publish(reader, 0)

    rows = rows_of(tmp_path, "messages")
    assert [(r["message_id"], r["text"], r["revision"]) for r in rows] == [
        ("m1", "new", 1),
        ("m2", "hi", 0),
        ("m3", "hi", 0),
    ]
    assert (rows[0]["first_seen_at"], rows[0]["observed_at"]) == (T0, T0 + timedelta(hours=5))
    revisions = rows_of(tmp_path, "revisions")
    assert [(r["object_id"], r["revision"], json.loads(r["body_json"])["content"]) for r in revisions] == [
        ("m1", 0, "old"),
        ("m1", 1, "new"),
    ]
    assert rows_of(tmp_path, "threads")[0]["messages"] == 3


@pytest.mark.parametrize("kept", [0, 800, 1 << 20])
def test_a_thread_that_is_too_long_to_be_held_is_read_twice_and_told_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(_threads, "KEEP_BYTES", kept)
    old, new = ([message(f"m{at}", f"{word} {at}") for at in range(9)] for word in ("old", "new"))
    reader = FakeReader(tmp_path / "a", [page(1, thread(), "message", list(old))])
    publish(reader, 0)
    reader.all.append(page(2, thread(), "message", [*old[:4], *new[4:]], fresh=False, at=5))
    reader.newest = 2
    publish(reader, 1)

    told = [f"{'old' if at < 4 else 'new'} {at}" for at in range(9)]
    assert [(row["text"], row["revision"]) for row in rows_of(tmp_path / "a", "messages")] == [
        (text, int(text.startswith("new"))) for text in told
    ]
    assert rebuilt(reader, tmp_path / "b") == []


def test_a_month_without_change_is_not_rewritten(tmp_path: Path) -> None:
    ref = thread()
    old, young = message("m1", created_at=1_760_000_000), message("m2", created_at=1_763_000_000)
    reader = FakeReader(tmp_path, [page(1, ref, "message", [old, young])])
    publish(reader, 0)
    before = {f.name: f.stat().st_ino for f in (tmp_path / "messages").iterdir()}
    reader.all.append(page(2, ref, "message", [old, (young[0], young[1] | {"status": "new"})], fresh=False, at=1))
    reader.newest = 2

    published = publish(reader, 1)

    after = {f.name: f.stat().st_ino for f in (tmp_path / "messages").iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"2025-11.parquet"}
    assert published == Published(rows=4, files=3)
    assert publish(reader, 2) == Published(0, 0)


def test_a_registration_that_comes_later_is_on_all_rows(tmp_path: Path) -> None:
    ref = thread()
    reader = FakeReader(tmp_path, [page(1, ref, "message", [message("m1")]), visit(1, ref, "complete", 1)])
    publish(reader, 0)
    said = {"profile": "work", "user": "ann", "customer": "acme", "title": "T", "tags": ["a", "b"]}
    reader.all.append(page(2, ref, "registration", [(None, said)], at=2))
    reader.newest = 2
    publish(reader, 1)

    for table in ("messages", "threads"):
        (row,) = rows_of(tmp_path, table)
        assert [row[k] for k in ("profile", "user", "customer", "title")] == ["work", "ann", "acme", "T"]
    assert json.loads(rows_of(tmp_path, "threads")[0]["tags_json"]) == ["a", "b"]


@pytest.mark.parametrize("steps", [(3,), (1, 2, 3)])
def test_a_thread_that_is_gone_keeps_its_row_and_says_since_when(tmp_path: Path, steps: tuple[int, ...]) -> None:
    ref, since = thread(), 0
    reader = FakeReader(tmp_path, [visit(1, ref, "complete", 1), visit(2, ref, "gone", 2), visit(3, ref, "gone", 3)])
    for step in steps:
        reader.newest = step
        publish(reader, since)
        since = step

    (row,) = rows_of(tmp_path, "threads")
    assert (row["state"], row["deleted_reason"], row["deleted_at"]) == ("gone", "gone", T0 + timedelta(hours=2))
    assert row["observed_at"] == T0 + timedelta(hours=3)


def test_a_gap_stays_until_a_visit_does_not_name_it(tmp_path: Path) -> None:
    ref = thread()
    gap = {"list": "messages", "after": "m9", "code": "cursor_repeated", "detail": "page 3 repeats"}
    reader = FakeReader(tmp_path, [visit(1, ref, "partial", 1, [gap]), visit(2, ref, "partial", 2, [gap])])
    publish(reader, 0)
    assert [(r["after"], r["closed_at"]) for r in rows_of(tmp_path, "gaps")] == [("m9", None)]

    reader.all.append(visit(3, ref, "complete", 3))
    reader.newest = 3
    publish(reader, 2)
    (row,) = rows_of(tmp_path, "gaps")
    assert (row["ts"], row["observed_at"], row["closed_at"]) == tuple(T0 + timedelta(hours=h) for h in (1, 2, 3))


def test_steps_of_two_runs_may_have_one_id(tmp_path: Path) -> None:
    ref = thread()
    pages = [page(1, ref, "step", [("s", {"id": "s", "type": "x"})], parent=f"run_{i}", fresh=False) for i in range(2)]
    publish(FakeReader(tmp_path, pages), 0)

    assert [(r["run_id"], r["step_id"]) for r in rows_of(tmp_path, "steps")] == [("run_0", "s"), ("run_1", "s")]


def test_objects_without_an_id_are_told_apart_by_position(tmp_path: Path) -> None:
    ref = thread()
    bodies: list[tuple[str | None, Any]] = [(None, {"role": "user", "content": text}) for text in "ab"]
    pages = [page(1, ref, "message", bodies, fresh=False), page(2, ref, "message", bodies, fresh=False)]
    publish(FakeReader(tmp_path, pages), 0)

    assert [(r["message_id"], r["seq"], r["text"]) for r in rows_of(tmp_path, "messages")] == [
        (None, 0, "a"),
        (None, 1, "b"),
    ]
