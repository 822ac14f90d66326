"""Erasing what nothing points to any more: contents without a record, plans that a crash took along, odd ids."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.archive import Archive
from exporter.archive._erasing import PLAN, Eraser
from exporter.archive._sqlite import shrink
from exporter.check import check
from exporter.erase import Asked, choose, erase, finish
from exporter.rebuild import rebuild
from tests.archive.making import THREAD, filled, page
from tests.archive.publishing import publish_all
from tests.erasing import THREADS, Maker, left, noticed, records, with_traces
from tests.test_erase import receipts

GONE = THREADS[:2]
SECRET = b"topsecretfile"


class Killed(BaseException):
    """The process dies."""


def left_behind(path: Path, content: bytes) -> str:
    """Keep a content whose record a crash prevented."""
    with Archive.write(path) as archive, archive.blob() as blob:
        blob.write(content)
        return blob.keep().sha256


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_content_that_no_record_names_goes_as_it_may_be_of_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, encrypted: bool
) -> None:
    monkeypatch.setenv("EXPORTER_ARCHIVE_KEY", "correct horse battery staple")
    path = tmp_path / "a"
    Archive.create(path, encrypted=encrypted)
    Maker(path, 3).make(2)
    before = sorted(path.glob("blobs/*/*/*"))
    left_behind(path, SECRET)
    with Archive.write(path) as archive:
        receipt = erase(archive, choose(archive, [Asked("thread", GONE[0].id)]).threads)

    assert receipt["unnamed_files"] == 1
    assert receipt["files"] == len(before) - len(list(path.glob("blobs/*/*/*")))
    assert "content_unnamed" not in {one.code for one in check(path)}
    assert not [one for one in check(path) if one.severity == "damage"]


def killed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Erase, and die as soon as it is decided."""
    archive = Archive.write(path)
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise Killed

        patch.setattr(Eraser, "_finish", die)
        with pytest.raises(Killed):
            erase(archive, choose(archive, [Asked("thread", one.id) for one in GONE]).threads)
    archive._lock.release()  # type: ignore[union-attr]  # the system does that when a process dies
    archive.catalog.close()


def made_again(path: Path) -> None:
    (path / "catalog.sqlite").unlink()
    rebuild(path)


HARMS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: path,
    "no plan": lambda path: (path / ".exporter" / "erasing" / PLAN).unlink(),
    "an empty plan": lambda path: (path / ".exporter" / "erasing" / PLAN).write_bytes(b""),
    "nothing staged": lambda path: shutil.rmtree(path / ".exporter" / "erasing"),
    "a copy without hidden files": lambda path: shutil.rmtree(path / ".exporter"),
    "a catalog made again": made_again,
}


@pytest.mark.parametrize("harm", sorted(HARMS))
def test_what_was_decided_is_finished_without_its_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    path = tmp_path / "a"
    Maker(path, 11).make(3)
    with_traces(path, GONE[0])
    with Archive.write(path) as archive:
        publish_all(archive)
    before = records(path)
    killed(path, monkeypatch)
    HARMS[harm](path)
    with Archive.write(path) as archive:
        finish(archive)

    assert left(path, GONE) == []
    assert records(path) == {one: said for one, said in before.items() if one not in GONE}
    assert {one.code for one in noticed(path)} <= {"salvaged"}
    assert [bool(one["finished_at"]) for one in receipts(path)] == [True]


def test_an_id_that_looks_like_part_of_a_time_takes_nothing_along(tmp_path: Path) -> None:
    odd = replace(THREAD, id="25")
    path = filled(tmp_path / "a", [page(0), page(0, thread=odd)])
    report = {"command": "backup", "run": "25", "started_at": "2026-11-22T07:25:45.000000Z", "stopped": "at thread 25"}
    with Archive.write(path) as archive:
        archive.append([page(1)])
        archive.seal(report)
        archive.catalog.note_fact("policies", "25")
        archive.catalog.note_fact("hint x", json.dumps({"run": "25", "said": "25"}))
        erase(archive, choose(archive, [Asked("thread", "25")]).threads)
        found = [one.report for one in archive.manifests() if one.report]
        facts = archive.catalog.fact("policies"), archive.catalog.fact("hint x")

    assert found == [report | {"stopped": "(erased)"}]
    assert facts == ("25", json.dumps({"run": "25", "said": "(erased)"}))


def test_the_plan_does_not_tell_what_a_sealed_content_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_ARCHIVE_KEY", "correct horse battery staple")
    path = tmp_path / "a"
    Archive.create(path, encrypted=True)
    Maker(path, 1).make(4)
    there = {str(file.relative_to(path)) for file in path.glob("blobs/*/*/*")}
    killed(path, monkeypatch)
    blobs = json.loads((path / ".exporter" / "erasing" / PLAN).read_bytes())["blobs"]

    assert blobs
    assert set(blobs) <= there


def test_an_older_catalog_that_is_put_back_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    Maker(path, 5).make(2)
    old = tmp_path / "old.sqlite"
    shutil.copy(path / "catalog.sqlite", old)
    with Archive.write(path) as archive:
        publish_all(archive)
        erase(archive, choose(archive, [Asked("thread", one.id) for one in GONE]).threads)
    shutil.copy(old, path / "catalog.sqlite")
    shrunk: list[Path] = []

    def noting(file: Path) -> None:
        shrunk.append(file)
        shrink(file)

    monkeypatch.setattr("exporter.archive._database.shrink", noting)
    Archive.write(path).close()
    Archive.write(path).close()

    assert shrunk == [path / "catalog.sqlite"]
    assert left(path, GONE) == []
