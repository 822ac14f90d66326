"""Catalog and tables can always be made again from the segments, and are the same then."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.archive import Archive
from exporter.archive.catalog import NEVER
from exporter.check import check
from exporter.crawl import _recall, plan
from exporter.errors import Locked, NoArchive
from exporter.rebuild import rebuild
from exporter.sandbox import Clock
from exporter.tables import compare
from tests.archive.making import THREAD, in_memory, page
from tests.archive.publishing import messages, published, step
from tests.conftest import Bench


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


def content(path: Path) -> list[tuple[object, ...]]:
    with Archive.open(path) as archive:
        return list(archive.catalog.content())


def whole(path: Path) -> bool:
    return not [found for found in check(path, rebuild=True) if found.severity == "damage"]


def test_a_rebuild_of_a_healthy_archive_changes_no_row(tmp_path: Path) -> None:
    path = published(tmp_path / "a")
    other = published(tmp_path / "b")
    before = content(path)

    rebuild(path)

    assert before == content(path)
    assert not list(compare(path, other)) or whole(path)
    assert whole(path)
    assert not list((path / ".exporter" / "tmp").iterdir())


@pytest.mark.parametrize("harm", ["missing", "no database", "empty", "torn", "other"])
def test_a_rebuild_mends_whatever_became_of_the_catalog(tmp_path: Path, harm: str) -> None:
    path = published(tmp_path / "a")
    before, file = content(path), path / "catalog.sqlite"
    for rest in path.glob("catalog.sqlite-*"):
        rest.unlink()
    data = file.read_bytes()
    file.write_bytes({"no database": b"x" * 9999, "empty": b"", "torn": data[: len(data) // 2]}.get(harm, data))
    if harm == "missing":
        file.unlink()
    if harm == "other":
        db = sqlite3.connect(file)
        db.execute("DELETE FROM lists")
        db.commit()
        db.close()

    rebuild(path)

    assert before == content(path)
    assert whole(path)


def test_a_rebuild_mends_damaged_missing_and_alien_table_files(tmp_path: Path) -> None:
    path = published(tmp_path / "a")
    (path / "messages" / "2025-10.parquet").write_bytes(b"PAR1 no more")
    (path / "threads" / "2025-10.parquet").unlink()
    (path / "runs" / "2031-01.parquet").write_bytes((path / "runs" / "0000-00.parquet").read_bytes())

    rebuild(path)

    assert whole(path)
    assert not (path / "runs" / "2031-01.parquet").exists()


def test_a_reader_beside_a_rebuild_goes_on(tmp_path: Path) -> None:
    path = published(tmp_path / "a")
    with Archive.open(path) as archive:
        before = list(archive.catalog.content())
        rebuild(path)

        assert before == list(archive.catalog.content())
        step(path, messages(5, 2))
        assert archive.catalog.positions(THREAD)["messages"].seq == 7


def test_a_journal_left_behind_is_sealed_by_a_rebuild(tmp_path: Path) -> None:
    path = published(tmp_path / "a")
    with Archive.write(path) as archive:
        archive.append([messages(5, 2)])

    rebuild(path)

    assert whole(path)
    with Archive.open(path) as archive:
        assert archive.catalog.positions(THREAD)["messages"].seq == 7


def test_a_rebuild_beside_a_writer_is_refused(tmp_path: Path) -> None:
    path = published(tmp_path / "a")
    with Archive.write(path) as archive:
        archive.append([page(5)])
        with pytest.raises(Locked):
            rebuild(path)


def test_a_folder_that_is_no_archive_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(NoArchive):
        rebuild(tmp_path)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("together", [_recall.BATCH, 3])
def test_after_a_rebuild_what_is_due_when_is_known_again(
    bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(_recall, "BATCH", together)
    day, names = 86400, [f"thread_{number}" for number in range(20)]
    for name in names:
        bench.state.add_thread({"id": name, "created_at": int(clock.now()) - 41 * day})
        bench.state.add_message(name, {"content": "x", "created_at": int(clock.now()) - 40 * day})
    bench.state.add_response({"id": "resp_done", "status": "completed", "output": []})
    bench.state.add_response({"id": "resp_open", "status": "in_progress", "output": []})
    bench.backup(*names, "resp_done", "resp_open")
    clock.advance(day)
    bench.backup()
    before = told(bench)

    for lost in (False, True):
        if lost:
            (bench.path / "catalog.sqlite").unlink()
        rebuild(bench.path)
        after = told(bench)
        # visits without news left no record: deadlines come out sooner than they are, never later
        assert all((after[name][1] or "") <= (before[name][1] or "") for name in names)
        assert all(after[name][1] for name in names)
        assert after["resp_done"] == before["resp_done"] == (NEVER, None)
        assert after["resp_open"][0] < NEVER
        with Archive.open(bench.path) as archive:
            assert plan(archive).count <= 2, "it is no night on which all are visited"
            swept = {known.swept_at for known in archive.catalog.known() if known.thread.source == "assistants"}
        assert len(swept) == len(names), "walks from the beginning are spread"


def told(bench: Bench) -> dict[str, tuple[str, str | None]]:
    with Archive.open(bench.path) as archive:
        return {known.thread.id: (known.due_at, known.deadline_at) for known in archive.catalog.known()}
