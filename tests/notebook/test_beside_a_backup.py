"""A notebook beside a backup: files are replaced and removed while they are read, and no question notices."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

import exporter
from exporter.archive import Archive
from exporter.tables import publish
from tests.notebook.making import BEGIN, every_kind
from tests.tables.making import FakeReader, message, page, thread

ROUNDS, EACH = 30, 40


def publish_again_and_again(path: Path) -> None:
    """Publish one round of messages after the other."""
    reader = FakeReader(path, [])
    for number in range(1, ROUNDS + 1):
        items = [message(f"m{i}", f"{i} " * 50, BEGIN + i) for i in range(number * EACH - EACH, number * EACH)]
        reader.all.append(page(number, thread(), "message", list(items), seq=number * EACH - EACH))
        reader.newest = number
        publish(reader, number - 1)


@pytest.mark.timeout(100)
def test_every_answer_is_of_one_moment_while_another_process_publishes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    Archive.create(path)
    notebook = exporter.open(path, threads=2)
    code = f"from pathlib import Path; import {__name__} as t; t.publish_again_and_again(Path({str(path)!r}))"
    counts = [0]
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) as publishing:
        while publishing.poll() is None:
            counts.append(notebook.messages().count())
            relation = notebook.sql("select count(*), coalesce(max(seq), -1), count(distinct text) from messages")
            for _ in range(2):
                count, last, different = relation.fetchall()[0]
                assert count == last + 1 == different
            found = notebook.messages(["seq", "text"]).arrow()
            assert set(found["seq"].to_pylist()) == set(range(found.num_rows))
            assert notebook.sql("select count(*) from turns").fetchall()[0][0] in (0, 1)
    assert publishing.returncode == 0
    assert notebook.messages().count() == ROUNDS * EACH
    assert counts == sorted(counts)
    assert {count % EACH for count in counts} == {0}
    assert len(set(counts)) > 3, "the test was too slow to see anything change"


def test_an_answer_that_is_being_read_stays_what_it_was_asked_of(tmp_path: Path) -> None:
    path = every_kind(tmp_path / "a")
    notebook = exporter.open(path)
    total = notebook.messages().count()
    relation, stream = notebook.sql("select * from messages"), notebook.messages().batches(1)
    frame = notebook.messages().polars(lazy=True)
    derived = notebook.sql("select * from messages").filter("role = 'user'").aggregate("count(*)")
    first = next(stream).num_rows
    for file in (path / "messages").iterdir():
        file.unlink()
    gc.collect()

    assert notebook.messages().count() == 0
    assert len(relation.fetchall()) == first + sum(batch.num_rows for batch in stream) == total
    assert frame.collect().height == total
    assert derived.fetchall()[0][0] > 0
    assert notebook.sql("select * from threads").fetchall() != []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")
def test_files_are_closed_when_nobody_needs_them(tmp_path: Path) -> None:
    path = every_kind(tmp_path / "a")
    notebook = exporter.open(path)

    def held() -> int:
        gc.collect()
        links = (os.path.realpath(number) for number in Path("/proc/self/fd").iterdir())
        return sum(link.startswith(str(path)) and link.endswith(".parquet") for link in links)

    answers = [notebook.sql("select * from messages") for _ in range(20)]
    several = held()
    assert 0 < several <= len(list((path / "messages").iterdir()))
    assert sum(len(answer.fetchall()) for answer in answers) == 20 * notebook.messages().count()
    del answers
    for _ in range(20):
        notebook.messages().arrow()
        notebook.sql("select * from costs").fetchall()
    assert held() == 0


def test_nothing_is_written_and_no_lock_is_taken(tmp_path: Path) -> None:
    path = every_kind(tmp_path / "a")
    with Archive.write(path):
        before = {file: file.stat().st_mtime_ns for file in path.rglob("*") if file.name != "catalog.sqlite-shm"}
        notebook = exporter.open(path)
        for view in notebook.views():
            notebook.sql(f"select * from {view}").fetchall()
        notebook.messages().arrow()
        after = {file: file.stat().st_mtime_ns for file in path.rglob("*") if file.name != "catalog.sqlite-shm"}

    assert after == before
