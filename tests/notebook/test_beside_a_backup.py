"""A notebook beside a backup: files are replaced and removed while they are read, and no question notices."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

import exporter
from exporter.archive import Archive
from exporter.errors import ArchiveError
from exporter.notebook import _pinned
from exporter.notebook._pinned import Files
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


def test_more_files_may_be_open_than_the_shell_allows_at_first(tmp_path: Path) -> None:
    path = every_kind(tmp_path / "a")
    files = len(list((path / "messages").iterdir()))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
        pinned = Files(path).pinned("messages")
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > free + 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert files > 1
    assert len(pinned.paths) == files


def test_where_no_more_files_may_be_open_it_is_told(tmp_path: Path) -> None:
    path = every_kind(tmp_path / "a")
    code = """if True:
        import os, resource, sys
        from exporter.errors import ArchiveError
        from exporter.notebook._pinned import Files
        from pathlib import Path
        files = Files(Path(sys.argv[1]))
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, free + 1))
        try:
            files.pinned("messages")
        except ArchiveError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)

    assert "messages: Too many open files; check its permissions, and how many files may be open" in done.stdout
    assert done.stderr == ""


def test_files_that_vanish_as_fast_as_they_are_listed_are_told(tmp_path: Path) -> None:
    path = every_kind(tmp_path / "a")
    files = Files(path)
    (path / "messages" / "notes.txt").write_text("somebody's own")
    assert len(files.pinned("messages").paths) == len(list((path / "messages").glob("*.parquet")))

    vanished: list[str] = []

    def gone(folder: Path, state: object) -> None:
        vanished.append(str(folder))
        raise FileNotFoundError(2, "No such file or directory")

    with mock.patch.object(_pinned, "Pinned", gone):
        with pytest.raises(ArchiveError, match="its files vanish as fast as they are listed"):
            files.pinned("steps")
        assert len(vanished) == _pinned.TRIES
    (path / "messages" / "loop.parquet").symlink_to(path / "messages" / "loop.parquet")
    with pytest.raises(ArchiveError, match="symbolic links; check its permissions"):
        files.pinned("messages")


def test_files_that_are_replaced_while_they_are_listed_are_listed_again(tmp_path: Path) -> None:
    path = every_kind(tmp_path / "a")
    files, real = Files(path), _pinned._state(path / "messages")
    seen = [(("removed.parquet", 1, 1),), real[:-1], real, real, real]

    with mock.patch.object(_pinned, "_state", side_effect=seen):
        names = files.pinned("messages").names.values()
    assert sorted(names) == [f"messages/{name}" for name, *_ in real]


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
