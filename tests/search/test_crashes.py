"""Whatever happens to the index or beside it: what is found is right, or a sentence says why not."""

from __future__ import annotations

import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from exporter import search
from exporter.archive import Archive
from exporter.errors import ArchiveError, DiskFull, Locked, UsageError
from exporter.search import Index, Query, _refresh, _store
from tests.search.making import T1, T2, T3, archived, deletion, everything, found, ids, said, searching, titled
from tests.tables.making import thread

WORDS = ["alpha", "beta", "gamma"]


class Crash(Exception):
    """The machine stops here."""


def index_of(path: Path) -> Path:
    return path / ".exporter" / "search" / "index"


def three(path: Path) -> Path:
    return archived(path, [said(T1, "alpha", "beta")], [said(T2, "alpha gamma")], [titled(T3, "beta")])


@pytest.mark.parametrize("steps", range(8))
def test_a_refresh_that_stops_anywhere_is_finished_by_the_next(
    tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = three(tmp_path / "a")
    found(path, "alpha")
    archived(path, [said(T1, "gamma", seq=2)], [deletion(T1, "m0")], [said(T2, "beta", fresh=False)])
    monkeypatch.setattr(_refresh, "STEP_BYTES", 1)
    left = [steps]

    def stepping(name: str) -> None:
        real = getattr(_store.Writer, name)

        def wrapped(self: _store.Writer, *args: object, **more: object) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Crash
            real(self, *args, **more)

        monkeypatch.setattr(_store.Writer, name, wrapped)

    with monkeypatch.context():
        for name in ("add", "forget", "commit"):
            stepping(name)
        with pytest.raises(Crash):
            found(path, "alpha")
    monkeypatch.undo()

    assert everything(path, WORDS) == everything(path, WORDS, path=tmp_path / "fresh")


def test_a_process_that_is_killed_leaves_an_index_that_the_next_can_use(tmp_path: Path) -> None:
    path = archived(tmp_path / "a", *([said(T1, *["alpha word"] * 20, seq=20 * n)] for n in range(20)))
    code = "from exporter.search import _refresh; _refresh.STEP_BYTES = 1\nfrom exporter.__main__ import main; main()"
    for number in range(3):
        shutil.rmtree(path / ".exporter" / "search", ignore_errors=True)
        program = subprocess.Popen(
            [sys.executable, "-c", code, "search", "alpha", "-a", str(path)], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while not (index_of(path) / "meta.json").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.03 * number)
        program.send_signal(signal.SIGKILL)
        program.wait(30)
        hits = everything(path, ["alpha"])
        assert len(hits) == 400


@pytest.mark.parametrize("how", ["torn", "empty", "missing", "garbage", "meta", "folder"])
def test_a_damaged_index_is_made_again(tmp_path: Path, how: str) -> None:
    path = three(tmp_path / "a")
    right = everything(path, WORDS)
    folder = index_of(path)
    for file in [folder / "meta.json"] if how == "meta" else sorted(folder.iterdir()):
        data = file.read_bytes()
        if how == "missing" and file.suffix in (".store", ".term"):
            file.unlink()
        elif how in ("garbage", "meta"):
            file.write_bytes(random.Random(0).randbytes(max(len(data), 1)))
        elif how in ("torn", "empty"):
            file.write_bytes(data[: len(data) // 2 if how == "torn" else 0])
    if how == "folder":
        shutil.rmtree(folder)

    assert everything(path, WORDS) == right


@pytest.mark.parametrize("suffix", [".term", ".store", ".idx", ".pos", ".fast", ".fieldnorm"])
def test_damage_that_shows_while_it_is_refreshed_or_asked_is_mended(tmp_path: Path, suffix: str) -> None:
    path = archived(tmp_path / "a", [said(T1, *["alpha beta"] * 300)], [said(T2, "gamma")])
    found(path, "alpha")
    archived(path, [titled(T1, "alpha")], [said(T1, "gamma", seq=300)])
    for file in index_of(path).glob(f"*{suffix}"):
        data = bytearray(file.read_bytes())
        data[: len(data) // 3] = random.Random(1).randbytes(len(data) // 3)
        file.write_bytes(data)

    with searching(path) as index:
        assert index.search(Query("gamma")).total == 2
        assert index.search(Query('"alpha beta"')).total == 300


def test_an_index_of_another_version_or_archive_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = three(tmp_path / "a"), archived(tmp_path / "b", [said(T1, "alpha elsewhere")])
    right = everything(path, WORDS)
    found(other, "alpha")
    shutil.rmtree(index_of(path))
    shutil.copytree(index_of(other), index_of(path))

    assert ids(path, "elsewhere") == []
    assert everything(path, WORDS) == right
    for room in (search, _refresh):
        monkeypatch.setattr(room, "VERSION", 999)
    assert everything(path, WORDS) == right


def test_an_archive_that_was_restored_from_a_copy_is_told_apart(tmp_path: Path) -> None:
    path = archived(tmp_path / "a", [said(T1, "alpha")])
    shutil.copytree(path, tmp_path / "copy")
    archived(path, [said(T2, "beta")])
    found(path, "beta")
    shutil.copytree(index_of(path), tmp_path / "later")
    shutil.rmtree(path)
    shutil.copytree(tmp_path / "copy", path)
    shutil.copytree(tmp_path / "later", index_of(path))

    assert ids(path, "beta") == []
    shutil.rmtree(index_of(path))
    shutil.copytree(tmp_path / "later", index_of(path))
    archived(path, [said(T2, "gamma")])  # another manifest of the same number
    assert ids(path, "beta") == []
    assert ids(path, "gamma") == ["m0"]


def test_two_who_refresh_at_once_give_one_index(tmp_path: Path) -> None:
    path = three(tmp_path / "a")
    counts: list[int] = []
    searchers = [threading.Thread(target=lambda: counts.append(len(found(path, "alpha")))) for _ in range(4)]
    for searcher in searchers:
        searcher.start()
    for searcher in searchers:
        searcher.join(60)

    assert counts == [2] * 4
    archived(path, [said(T3, "alpha")])
    with FileLock(index_of(path).parent / "lock"), searching(path) as index:
        results = index.search(Query("alpha"))
        assert (results.total, results.stale) == (2, True)
        assert "another program" in (index.note or "")
    assert len(found(path, "alpha")) == 3


def test_the_first_index_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = three(tmp_path / "a")
    monkeypatch.setattr(search, "PATIENCE", 0.2)
    index_of(path).parent.mkdir()

    with FileLock(index_of(path).parent / "lock"), pytest.raises(Locked):
        found(path, "alpha")


def test_searching_takes_no_lock_of_the_archive(tmp_path: Path) -> None:
    path = three(tmp_path / "a")

    with Archive.write(path) as writing:
        assert len(found(path, "alpha")) == 2
        writing.append([said(T3, "alpha")])
        with searching(path) as index:
            assert index.search(Query("alpha")).total == 2
            writing.seal()
            assert index.search(Query("alpha")).stale
            index.refresh()
            results = index.search(Query("alpha"))
            assert (results.total, results.stale) == (3, False)


def test_where_nothing_can_be_written_what_there_is_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = three(tmp_path / "a")
    found(path, "alpha")
    archived(path, [said(T3, "alpha")])
    before = {file.name: file.read_bytes() for file in index_of(path).iterdir()}

    def refused(*_: object, **__: object) -> None:
        raise ArchiveError("Read-only file system")

    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(search, "make_folder", refused)
    with searching(path) as index:
        results = index.search(Query("alpha"))
        assert (results.total, results.stale) == (2, True)
        assert "Read-only" in (index.note or "")
    assert {file.name: file.read_bytes() for file in index_of(path).iterdir()} == before
    shutil.rmtree(index_of(path).parent)
    with pytest.raises(ArchiveError, match="--index"):
        found(path, "alpha")
    monkeypatch.undo()
    with searching(path, path=tmp_path / "elsewhere") as index:
        assert index.search(Query("alpha")).total == 3
    assert not index_of(path).exists()


def test_without_refreshing_nothing_is_written(tmp_path: Path) -> None:
    path = three(tmp_path / "a")
    with pytest.raises(UsageError, match="no index"):
        searching(path, refresh=False).__enter__()
    assert not index_of(path).exists()
    found(path, "alpha")
    archived(path, [said(T3, "alpha")])

    with searching(path, refresh=False) as index:
        results = index.search(Query("alpha"))
        assert (results.total, results.stale, index.manifest) == (2, True, 3)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = three(tmp_path / "a")

    def full(*_: object) -> None:
        raise ValueError("An IO error occurred: 'No space left on device (os error 28)'")

    with monkeypatch.context() as patch:
        patch.setattr(_store.Writer, "commit", full)
        with pytest.raises(DiskFull):
            found(path, "alpha")
    found(path, "alpha")
    archived(path, [said(T3, "alpha")])
    with monkeypatch.context() as patch, searching(path, refresh=False) as index:
        patch.setattr(_store.Writer, "commit", full)
        index.refresh()
        assert "the disk is full" in (index.note or "")
        assert index.search(Query("alpha")).total == 2
    assert len(found(path, "alpha")) == 3


def test_an_index_is_for_its_owner_only(tmp_path: Path) -> None:
    path = three(tmp_path / "a")
    before = os.umask(0o022)
    try:
        found(path, "alpha")
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)

    for file in (path / ".exporter" / "search").rglob("*"):
        assert stat.S_IMODE(file.stat().st_mode) == (0o700 if file.is_dir() else 0o600), file


def test_other_peoples_files_are_never_thrown_away(tmp_path: Path) -> None:
    path, mine = three(tmp_path / "a"), tmp_path / "mine" / "index"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("years of work", encoding="utf-8")

    with pytest.raises(UsageError, match="other files"):
        searching(path, path=mine.parent).__enter__()
    assert (mine / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_nothing_is_left_of_what_is_to_be_forgotten(tmp_path: Path) -> None:
    path = archived(
        tmp_path / "a",
        [titled(T1, "Titlesecret"), said(T1, "alpha", "bodysecret1", "東京秘密")],
        [said(T2, "alpha", "kept words")],
        [said(T1, "bodysecret2", seq=1, fresh=False)],
    )

    def bytes_of() -> bytes:
        return b"".join(file.read_bytes() for file in sorted(index_of(path).iterdir()))

    with searching(path) as index:
        assert b"Titlesecret" in bytes_of()
        assert b"secret" in bytes_of()
        index.forget([T1])
        assert index.search(Query("alpha")).total == 1
        assert index.search(Query("kept")).total == 1
        assert not index.stale
        for secret in ("bodysecret1", "bodysecret2", "東京", "titlesecret"):
            assert index.search(Query(secret)).total == 0
    held = bytes_of()
    assert all(secret not in held for secret in (b"secret", b"Titlesecret", "東京".encode(), b'"t1"', b"m2"))


def test_an_empty_archive_has_nothing(tmp_path: Path) -> None:
    Archive.create(tmp_path / "a")

    with searching(tmp_path / "a") as index:
        results = index.search(Query("alpha"))
        assert (results.total, results.stale) == (0, False)
        assert isinstance(index, Index)


def test_forgetting_without_an_index_makes_none_and_leaves_none(tmp_path: Path) -> None:
    path = three(tmp_path / "a")
    found(path, "alpha")
    with Archive.open(path) as archive, Index.open(archive) as index:
        (index_of(path) / "meta.json").write_bytes(b"{")
        index.forget([T1])
        assert not index_of(path).exists()


def test_forgetting_a_thread_that_has_nothing_changes_nothing(tmp_path: Path) -> None:
    path = three(tmp_path / "a")
    right = everything(path, WORDS)
    before = sorted(file.name for file in index_of(path).iterdir())

    with searching(path) as index:
        index.forget([thread("unknown")])
    assert sorted(file.name for file in index_of(path).iterdir()) == before
    assert everything(path, WORDS) == right


def test_damage_is_told_where_nothing_may_be_written(tmp_path: Path) -> None:
    path = three(tmp_path / "a")
    found(path, "alpha")
    with searching(path, refresh=False) as index:
        store = index._store
        assert store is not None

        def damaged(*_: object) -> None:
            raise _store.Unusable("the index: it is torn")

        store.search = damaged  # type: ignore[method-assign,assignment]
        with pytest.raises(ArchiveError, match="it is torn; search without --no-refresh to make it again"):
            index.search(Query("alpha"))
    assert index_of(path).is_dir()


def test_an_index_that_cannot_be_written_nor_read_leaves_no_folder_of_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, links = three(tmp_path / "a"), tmp_path / "links"
    links.mkdir()
    found(path, "alpha")
    (index_of(path) / "meta.json").write_bytes(b"{")
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(tempfile, "tempdir", str(links))

    with pytest.raises(UsageError, match="no index that fits"):
        searching(path, refresh=False).__enter__()
    assert list(links.iterdir()) == []


def test_two_writers_of_one_index_are_told_apart(tmp_path: Path) -> None:
    path = three(tmp_path / "a")
    found(path, "alpha")
    archived(path, [said(T3, "alpha")])

    with searching(path, refresh=False) as index:
        with _store.Store.open(index_of(path)).writing():
            index.refresh()
            assert "another program is writing the index; search again later" in (index.note or "")
            assert index.search(Query("alpha")).total == 2
        index.refresh()
        assert (index.note, index.search(Query("alpha")).total) == (None, 3)


def test_what_the_engine_cannot_write_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = three(tmp_path / "a")
    found(path, "alpha")
    archived(path, [said(T3, "alpha")])
    real, torn = _store.Writer.commit, [True]

    def once(self: _store.Writer, about: _store.About) -> None:
        if torn:
            torn.clear()
            raise ValueError("Data corrupted:\n  a file")
        real(self, about)

    monkeypatch.setattr(_store.Writer, "commit", once)
    assert len(found(path, "alpha")) == 3
    torn.append(True)
    shutil.rmtree(index_of(path))
    with pytest.raises(ArchiveError, match="Data corrupted: a file; check the disk, and search again"):
        found(path, "alpha")


def test_what_is_found_in_a_segment_that_is_missing_says_so(tmp_path: Path) -> None:
    path = three(tmp_path / "a")
    found(path, "alpha")
    with searching(path, refresh=False) as index:
        for segment in (path / "segments").rglob("*"):
            if segment.is_file():
                segment.unlink()
        hits = index.search(Query("alpha")).hits

    assert {hit.thread for hit in hits} == {T1, T2}
    assert all("it is missing; restore this file from a copy" in (hit.damage or "") for hit in hits)
    assert {hit.snippet for hit in hits} == {""}
