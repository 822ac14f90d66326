"""Publishing night after night: what is deleted stays and says so, what did not change is left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from exporter.archive import Archive
from exporter.check import check
from exporter.errors import ExporterError
from exporter.formats._choosing import conversation
from exporter.formats._story import Wanted
from exporter.formats._transcript import Transcript
from exporter.model import Kind, ThreadRef
from exporter.rebuild import rebuild
from exporter.tables import publish
from tests.archive.making import in_memory
from tests.conftest import Bench, rows
from tests.tables.making import FakeReader, Page, message, page, rebuilt, rows_of, thread, visit

MONTH = 30 * 24 * 3600
BEGIN = 1_760_000_000


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


def deletion(number: int, key: str, at: int, *, kind: Kind = "message", parent: str | None = None) -> Page:
    said: list[tuple[str | None, Any]] = [(key, {"kind": kind, "list": f"{kind}s", "reason": "deleted"})]
    return page(number, thread(), "deletion", said, fresh=False, at=at, parent=parent)


def steps(reader: FakeReader) -> None:
    """Publish manifest by manifest."""
    for number in range(1, reader.newest + 1):
        last, reader.newest = reader.newest, number
        publish(reader, number - 1)
        reader.newest = last


def filled(bench: Bench, name: str, count: int) -> None:
    bench.state.add_thread(name)
    for i in range(count):
        said = [{"type": "text", "text": {"value": str(i), "annotations": []}}]
        bench.state.add_message(name, {"id": f"msg_{i}", "role": "user", "created_at": BEGIN + i, "content": said})


def counted(bench: Bench) -> Counter[str]:
    """Count what the segments hold, by kind; visits aside."""
    with Archive.open(bench.path) as archive:
        return Counter(record.kind for _, _, page in archive.pages() for record in page if record.kind != "visit")


def deleted(bench: Bench) -> dict[str, str | None]:
    return {row["message_id"]: row["deleted_reason"] for row in rows(bench.path)}


def shown(bench: Bench, name: str) -> list[str]:
    """Name the messages that people are told were deleted."""
    with Archive.open(bench.path) as archive:
        _, *told = Transcript(conversation(archive, bench.ref(name), Wanted())).paragraphs()
    return [
        f"msg_{place}" for place, one in enumerate(told) if "not on the server any more (deleted); noticed 20" in one
    ]


def test_a_full_walk_marks_what_was_deleted_and_adds_only_what_changed(bench: Bench) -> None:
    filled(bench, "thread_a", 5)
    filled(bench, "thread_b", 3)
    bench.backup("thread_a", "thread_b")
    before = counted(bench)
    assert bench.state.delete_message("thread_a", "msg_1")
    edited = {"role": "user", "created_at": BEGIN + 3, "content": [], "metadata": {"edited": "1"}}
    bench.state.edit_message("thread_a", "msg_3", {"id": "msg_3", **edited})

    bench.backup(full=True)

    assert counted(bench) - before == {"message": 1, "deletion": 1}
    table = {row["message_id"]: row for row in rows(bench.path) if row["thread_id"] == "thread_a"}
    assert {key: row["revision"] for key, row in table.items()} == {"msg_3": 1} | dict.fromkeys(
        ("msg_0", "msg_1", "msg_2", "msg_4"), 0
    )
    with Archive.open(bench.path) as archive:
        (said,) = archive.records(bench.ref("thread_a"), "deletion")
    assert [(key, row["deleted_at"], row["text"]) for key, row in table.items() if row["deleted_reason"]] == [
        ("msg_1", said.observed_at, "1")
    ]
    assert [row["object_id"] for row in rows(bench.path, "revisions")] == ["msg_3"] * 2
    assert shown(bench, "thread_a") == ["msg_1"]
    told = {row["thread_id"]: (row["messages"], row["deleted_at"]) for row in rows(bench.path, "threads")}
    assert told == {"thread_a": (5, None), "thread_b": (3, None)}
    after, files = counted(bench), {file: file.stat().st_ino for file in bench.path.glob("*/*.parquet")}

    assert bench.backup(full=True).records == 0

    assert counted(bench) == after
    assert {file: file.stat().st_ino for file in bench.path.glob("messages/*.parquet")}.items() <= files.items()


def test_messages_of_a_thread_that_is_gone_are_not_marked(bench: Bench) -> None:
    filled(bench, "thread_a", 2)
    filled(bench, "thread_b", 2)
    bench.backup("thread_a", "thread_b")
    bench.state.delete_thread("thread_a")
    bench.backup(full=True)

    assert deleted(bench) == {"msg_0": None, "msg_1": None}
    told = {row["thread_id"]: row["deleted_reason"] for row in rows(bench.path, "threads")}
    assert told == {"thread_a": "gone", "thread_b": None}


@pytest.mark.parametrize("kind", ["message", "run", "step"])
@pytest.mark.parametrize("back", [False, True])
def test_what_was_deleted_says_since_when_until_it_comes_back(tmp_path: Path, kind: Kind, back: bool) -> None:
    first = page(1, thread(), kind, [message("m1"), message("m2")], parent="p1")
    reader = FakeReader(tmp_path / "a", [first, deletion(2, "m1", 5, kind=kind, parent="p1")])
    reader.all.append(deletion(3, "m1", 6, kind=kind, parent="p1"))  # known already: the first word counts
    reader.all.append(deletion(3, "m2", 6, kind=kind, parent="p2"))  # no such object
    if back:
        reader.all.append(page(4, thread(), kind, [message("m1")], fresh=False, at=7, parent="p1"))
    reader.newest = 4 if back else 3
    steps(reader)

    table = rows_of(tmp_path / "a", f"{kind}s")
    since = None if back else reader.all[1][2][0].observed_at
    assert [(row["deleted_at"], row["deleted_reason"]) for row in table] == [
        (since, None if back else "deleted"),
        (None, None),
    ]
    assert [row["revision"] for row in table] == [0, 0]
    assert rebuilt(reader, tmp_path / "b") == []


def test_a_clock_that_was_set_back_does_not_undo_a_return(tmp_path: Path) -> None:
    pages = [page(1, thread(), "message", [message("m1")], at=5), deletion(2, "m1", 9)]
    pages.append(page(3, thread(), "message", [message("m1", "new")], fresh=False, at=2))
    reader = FakeReader(tmp_path / "a", pages)
    steps(reader)

    assert [(row["deleted_at"], row["text"]) for row in rows_of(tmp_path / "a", "messages")] == [(None, "new")]
    assert rebuilt(reader, tmp_path / "b") == []


class Counting(FakeReader):
    """Counts the pages of objects that are read a second time."""

    def __init__(self, path: Path, pages: list[Page]) -> None:
        super().__init__(path, pages)
        self.read = 0

    def thread_pages(self, thread: ThreadRef, kind: str) -> Iterator[Page]:
        for found in super().thread_pages(thread, kind):
            self.read += kind == "message"
            yield found


def long(count: int = 20) -> Counting:
    return Counting(Path(), [page(1, thread(), "message", [message(f"m{i}")], seq=i) for i in range(count)])


@pytest.mark.parametrize(
    ("came", "read"),
    [
        ([message("m20"), message("m21")], 0),
        ([(None, {"role": "user"})], 0),
        ([message("m20"), message("m3")], 22),  # the second is there already
        ([message("m20"), message("m20")], 22),  # one comes twice
    ],
)
def test_a_list_that_was_walked_before_is_read_again_only_where_something_came_again(
    tmp_path: Path, came: list[tuple[str | None, Any]], read: int
) -> None:
    reader = long()
    reader.path = tmp_path / "a"
    publish(reader, 0)
    reader.all.append(page(2, thread(), "message", came[:1], seq=20, fresh=False, at=1))
    reader.all.append(page(2, thread(), "message", came[1:], seq=21, fresh=False, at=2))
    reader.newest = 2
    publish(reader, 1)

    assert reader.read == read
    distinct = {key or "#" for key, _ in came} | {f"m{i}" for i in range(20)}
    assert len(rows_of(tmp_path / "a", "messages")) == len(distinct)
    assert [row["messages"] for row in rows_of(tmp_path / "a", "threads")] == [len(distinct)]
    assert rebuilt(reader, tmp_path / "b") == []


@pytest.mark.parametrize(("limit", "value"), [("_repeats.LIMIT", 3), ("_events.KEYS_BYTES", 24)])
def test_more_objects_than_are_looked_at_together_are_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(f"exporter.tables.{limit}", value)
    reader = long()
    reader.path = tmp_path / "a"
    publish(reader, 0)
    for at in range(20, 24):
        reader.all.append(page(2, thread(), "message", [message(f"m{at - (at == 23)}")], seq=at, fresh=False, at=at))
    reader.newest = 2
    publish(reader, 1)

    assert reader.read == 24
    assert len(rows_of(tmp_path / "a", "messages")) == 23
    assert rebuilt(reader, tmp_path / "b") == []


def test_sixty_nights_make_no_more_files_than_months_and_leave_the_other_months_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = FakeReader(tmp_path / "a", [])
    replaced: list[str] = []
    replace = os.replace

    def noted(source: str, target: Path) -> None:
        replaced.append(f"{target.parent.name}/{target.name}")
        replace(source, target)

    for night in range(60):
        when = BEGIN + night * 86_400
        for name in ("t1", "t2"):
            came: list[tuple[str | None, Any]] = [message(f"{name}-{night}", created_at=when)]
            reader.all.append(
                page(night + 1, thread(name), "message", came, seq=night, fresh=night == 0, at=24 * night)
            )
            reader.all.append(visit(night + 1, thread(name), "complete", 24 * night + 1))
        if night % 7 == 6:  # two late edits of the first month
            late = [message(f"t1-{n}", f"edited {night}", created_at=BEGIN + n * 86_400) for n in (1, 2)]
            reader.all.append(
                page(night + 1, thread("t1"), "message", list(late), seq=1, fresh=False, at=24 * night + 2)
            )
        reader.newest = night + 1
        replaced.clear()
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", noted)
            publish(reader, night)
        month = time.strftime("%Y-%m", time.gmtime(when))
        edited = {"messages/2025-10.parquet", "revisions/2025-10.parquet"} if night % 7 == 6 else set()
        touched = {f"messages/{month}.parquet", "threads/2026-09.parquet"} | edited
        assert sorted(name for name in replaced if "0000-00" not in name) == sorted(touched)

    names = {path.relative_to(tmp_path / "a").as_posix() for path in (tmp_path / "a").glob("*/*.parquet")}
    assert {name for name in names if "0000-00" not in name} == {
        *(f"messages/2025-{month}.parquet" for month in (10, 11, 12)),
        "threads/2026-09.parquet",
        "revisions/2025-10.parquet",
    }
    assert rebuilt(reader, tmp_path / "b") == []


WATCH = """
import sys
how, folder = sys.argv[1:]
if how == "pandas":
    import pandas
    read = lambda: list(pandas.read_parquet(folder, columns=["message_id"])["message_id"])
elif how == "polars":
    import pathlib, polars
    opened = lambda: [path.open("rb") for path in pathlib.Path(folder).iterdir()]  # a path it would open twice
    read = lambda: polars.read_parquet(opened(), columns=["message_id"])["message_id"].to_list()
else:
    import duckdb
    db = duckdb.connect()
    read = lambda: [name for (name,) in db.execute(f"select message_id from '{folder}/*.parquet'").fetchall()]
while True:
    names = read()
    print(len(names), len(set(names)), flush=True)
"""
"Read a table again and again; say how many rows there are, and how many different ones."

NIGHTLY, OLD, PUBLICATIONS, LOOKS = 7, 3000, 300, 8
"New messages a night, messages before the first; at most so many nights, until each program had so many looks."


def night(number: int, seq: int) -> Page:
    """A night's messages, in one of three months; each third night with an edit of an old one."""
    month = BEGIN + number % 3 * MONTH
    came: list[tuple[str | None, Any]] = [
        message(f"m{at}", "x" * 100, created_at=month) for at in range(seq, seq + NIGHTLY)
    ]
    if number % 3 == 0:
        came.append(message("m0", f"edited {number}"))
    return page(number, thread(), "message", came, seq=seq, fresh=False, at=number)


@pytest.mark.parametrize("how", ["pandas", "polars", "duckdb"])
def test_programs_that_read_while_it_publishes_see_only_what_was_published(tmp_path: Path, how: str) -> None:
    pytest.importorskip(how)
    old: list[tuple[str | None, Any]] = [message(f"m{at}", created_at=BEGIN + at % 3 * MONTH) for at in range(OLD)]
    reader = FakeReader(tmp_path, [page(1, thread(), "message", old)])
    publish(reader, 0)
    command = [sys.executable, "-c", WATCH, how, str(tmp_path / "messages")]
    seen: list[list[int]] = []
    said = tmp_path / "said"
    with said.open("w") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True) as watch:
        assert watch.stderr
        try:
            for number in range(2, PUBLICATIONS):
                if watch.poll() is not None or len({count for count, _ in seen}) >= LOOKS:
                    break
                reader.all.append(night(number, OLD + NIGHTLY * (number - 2)))
                reader.newest = number
                publish(reader, number - 1)
                *lines, _ = said.read_text().split("\n")  # the last may be half of one
                seen = [[int(word) for word in line.split()] for line in lines]
        finally:
            watch.kill()
        error = watch.stderr.read()

    counts = [count for count, _ in seen]
    assert error == ""
    assert len(set(counts)) >= LOOKS
    assert all(count == different for count, different in seen)
    assert {(count - OLD) % NIGHTLY for count in counts} == {0}
    assert counts == sorted(counts)
    assert counts[-1] <= OLD + NIGHTLY * (reader.newest - 1)


@pytest.mark.parametrize("first", range(1, 6))
@pytest.mark.parametrize("second", range(1, 6))
def test_a_file_is_known_after_two_processes_died_while_it_was_replaced(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, first: int, second: int
) -> None:
    """Each dies before or after a note about a file of the threads table: what it will be, or what it has become."""
    filled(bench, "thread_a", 1)
    bench.backup("thread_a")
    real = Archive.note_table_file
    for n, dies in enumerate((first, second), 1):
        filled(bench, f"thread_b{n}", 1)
        left = [dies]

        def note(archive: Archive, name: str, *rest: Any, left: list[int] = left) -> None:
            for done in (False, True):
                if done:
                    real(archive, name, *rest)
                left[0] -= name.startswith("threads/2")
                if not left[0]:
                    raise KeyboardInterrupt

        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            patch.setattr(Archive, "note_table_file", note)
            bench.backup(f"thread_b{n}")
        Archive.write(bench.path).close()
        assert not [one for one in check(bench.path) if one.severity == "damage"]

    assert bench.backup().exit_code == 0
    assert not [one for one in check(bench.path, rebuild=True) if one.severity == "damage"]


def test_a_process_that_died_after_the_catalog_was_lost_leaves_a_file_that_is_unnoted_and_not_damaged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(bench, "thread_a", 1)
    bench.backup("thread_a")
    (bench.path / "catalog.sqlite").unlink()
    filled(bench, "thread_b", 1)
    real = Archive.note_table_file

    def note(archive: Archive, name: str, *rest: Any) -> None:
        real(archive, name, *rest)
        if name.startswith("messages/2"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        patch.setattr(Archive, "note_table_file", note)
        bench.backup("thread_b")
    assert {one.code for one in check(bench.path) if one.where.startswith("messages/2")} == {"table_unnoted"}

    Archive.write(bench.path).close()

    assert {one.code for one in check(bench.path) if one.where.startswith("messages/2")} == {"table_unnoted"}
    assert bench.backup().exit_code == 0
    assert not [one for one in check(bench.path, rebuild=True) if one.severity == "damage"]


@pytest.mark.parametrize("call", ["fsync", "replace", "link", "unlink", "mkdir"])
@pytest.mark.parametrize("work", ["backup", "rebuild"])
def test_a_disk_that_fails_at_any_call_ends_in_a_sentence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, call: str, work: str
) -> None:
    """The n-th call of a kind fails, for every n; now and then the archive is a new one."""
    filled(bench, "thread_0", 1)
    bench.backup("thread_0")
    real = getattr(os, call)
    failed = n = 0
    for n in range(1, 400):
        count = 0

        def fails(*args: Any, **how: Any) -> Any:
            nonlocal count
            count += 1
            if count == n:  # noqa: B023 - it is called in this turn only
                raise OSError(5, "Input/output error")
            return real(*args, **how)

        if work == "backup":
            filled(bench, f"thread_{n}", 1)
            if n % 8 == 0:
                shutil.rmtree(bench.path)
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fails)
            try:
                bench.backup(f"thread_{n}") if work == "backup" else rebuild(bench.path)
            except ExporterError as error:
                failed += "Input/output error" in str(error)
        if count < n and n % 8:
            break
    assert count < n, "there are more calls than were tried"
    assert failed or call in {"link", "unlink", "mkdir"}
    assert bench.backup().exit_code == 0
    rebuild(bench.path)
    assert not [one for one in check(bench.path, rebuild=True) if one.severity == "damage"]
