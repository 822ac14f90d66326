"""Readers need no lock, no write access, and never see an error beside a writer; damage is named."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import threading
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from exporter.archive import Archive, _sqlite, read_id
from exporter.archive._database import _translated
from exporter.archive._sqlite import put_in_place, shrink
from exporter.archive.catalog import Catalog
from exporter.check import check
from exporter.cli import cli
from exporter.errors import ArchiveError, Damaged, Locked, NoArchive
from tests.archive.making import THREAD, filled, in_memory, made, numbers, page, recover


def test_readers_beside_a_writer_see_whole_commits_and_no_error(tmp_path: Path) -> None:
    path, done, errors = made(tmp_path / "a"), threading.Event(), list[str]()

    def read() -> None:
        last = 0
        try:
            while not done.is_set():
                found = numbers_of(path)
                assert found == list(range(len(found)))
                assert len(found) >= last
                last = len(found)
        except Exception:  # noqa: BLE001 - told by the test
            errors.append(traceback.format_exc())

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for first in range(0, 90, 3):
        with Archive.write(path) as archive:
            archive.append([page(first, 2)])
            archive.append([page(first + 2)])
            archive.seal()
    done.set()
    for reader in readers:
        reader.join()

    assert not errors, errors[0]
    assert numbers(path) == list(range(90))


def numbers_of(path: Path) -> list[int]:
    with Archive.open(path) as archive:
        list(archive.manifests())
        list(archive.catalog.known())
        archive.catalog.positions(THREAD)
        archive.last_report()
        return [record.seq for record in archive.records(THREAD)]


def test_a_new_archive_can_be_read_at_once(tmp_path: Path) -> None:
    with Archive.open(made(tmp_path / "a")) as archive:
        assert (archive.manifest(), list(archive.records()), archive.last_report()) == (0, [], None)


def as_nobody(work: Callable[[], object]) -> str:
    """Run as a user who owns nothing; what it returned, or its error, as text."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setresuid(65534, 65534, 0)
            said = repr(work())
        except BaseException as error:  # noqa: BLE001 - a forked child may not return
            said = repr(error)
        os.write(write, said.encode()[:60000])
        os.setresuid(0, 0, 0)  # what measures a test may have something to write down
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        said = file.read().decode()
    os.waitpid(child, 0)
    return said


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("left", ["nothing", "log and index", "log", "empty log"])
def test_an_archive_in_a_folder_that_cannot_be_written_is_read(left: str) -> None:
    with in_memory() as folder:
        path, shown = folder / "a", folder / "shown"
        filled(path, [page(0, 2)])
        writer = Archive.write(path)
        writer.append([page(2, 2)])
        writer.seal()
        if left == "nothing":
            writer.close()
        shutil.copytree(path, shown)  # as a snapshot has it: with what the writer left beside its catalog
        writer.close()
        if left in ("log", "empty log"):
            (shown / "catalog.sqlite-shm").unlink()
        if left == "empty log":
            shutil.copy(path / "catalog.sqlite", shown / "catalog.sqlite")
            (shown / "catalog.sqlite-wal").write_bytes(b"")
        for one in [folder, shown, *shown.rglob("*")]:
            one.chmod(0o555 if one.is_dir() else 0o444)

        assert as_nobody(lambda: numbers_of(shown)) == "[0, 1, 2, 3]"
        for one in [folder, shown, *(p for p in shown.rglob("*") if p.is_dir())]:
            one.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("work", ["shrink", "put in place"])
def test_a_catalog_that_may_not_be_written_is_named_and_stays_as_it_is(work: str) -> None:
    with in_memory() as folder:
        file = filled(folder / "a", [page(0)]) / "catalog.sqlite"
        shutil.copy(file, folder / "fresh.sqlite")
        before = file.read_bytes()
        folder.chmod(0o755)
        file.parent.chmod(0o755)
        for one in (file, folder / "fresh.sqlite"):
            one.chmod(0o444)

        said = as_nobody(lambda: shrink(file) if work == "shrink" else put_in_place(folder / "fresh.sqlite", file))

        assert said.startswith("ArchiveError(")
        assert f"{file}: attempt to write a readonly database; check the disk" in said
        assert file.read_bytes() == before


@pytest.mark.parametrize("beside", ["reads", "writes"])
def test_a_catalog_that_another_program_keeps_open_is_not_shrunk_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: str
) -> None:
    monkeypatch.setattr(_sqlite, "PATIENCE", 0.1)
    file = filled(tmp_path / "a", [page(0)]) / "catalog.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN" if beside == "reads" else "BEGIN IMMEDIATE")
        other.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with pytest.raises(Locked, match="another program keeps it open, and with it what was erased"):
            shrink(file)
    shrink(file)
    assert not file.with_name("catalog.sqlite-wal").exists()


def test_a_catalog_that_another_program_has_for_itself_is_locked_and_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlite, "PATIENCE", 0.1)
    path = filled(tmp_path / "a", [page(0)])
    with closing(sqlite3.connect(path / "catalog.sqlite", isolation_level=None)) as other:
        other.executescript("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE x (y);")
        with pytest.raises(ArchiveError, match="locked") as caught:
            numbers(path)
        assert not isinstance(caught.value, Damaged)
        other.execute("ROLLBACK")
    assert numbers(path) == [0]


def test_reading_does_not_write(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0)])
    with Archive.open(path) as archive:
        with pytest.raises(ArchiveError, match="open for reading only"):
            archive.append([page(1)])
        with pytest.raises(ArchiveError, match="open for reading only"):
            archive.seal({})
        with pytest.raises(ArchiveError, match="permissions"):
            archive.catalog.note_fact("x", "y")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "cannot be read"),
        (b"\xff{", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"null", "no archive here"),
        (b"{}", "cannot be read"),
        (b'{"format":"x","archive":"y"}', "cannot be read"),
        (b'{"format":2,"archive":"y"}', "newer than this exporter"),
    ],
)
def test_what_is_no_archive_or_newer_is_refused_with_a_reason(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "archive.json").write_bytes(text)
    for use in (Archive.open, Archive.write, read_id):
        with pytest.raises(NoArchive, match=said) as refused:
            use(tmp_path)
        assert refused.value.exit_code == 10
    assert [entry.name for entry in tmp_path.iterdir()] == ["archive.json"]


@pytest.mark.parametrize("text", [None, b"", b"null", b"{}", b'{"format":1,"archivf":"y"}', b'{"format":1,"a"'])
def test_an_archive_whose_archive_file_is_lost_or_changed_is_damaged(tmp_path: Path, text: bytes | None) -> None:
    path = filled(tmp_path / "a", [page(0)])
    file = path / "archive.json"
    whole = file.read_bytes()
    file.unlink() if text is None else file.write_bytes(text)

    for use in (Archive.open, Archive.write, read_id, lambda path: list(check(path))):
        with pytest.raises(Damaged, match=r"archive\.json: .*; restore this file from a copy") as refused:
            use(path)
        assert refused.value.exit_code == 5
    for words in (["backup"], ["backup", "thread_1"], ["status"]):
        env = {"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "EXPORTER_CONFIG": None}
        done = CliRunner().invoke(cli, [*words, "-a", str(path)], env=env)
        assert (done.exit_code, "restore this file from a copy" in done.output) == (5, True), words
    file.write_bytes(whole)
    assert numbers(path) == [0]


def test_a_folder_of_other_files_becomes_no_archive(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("x")
    with pytest.raises(NoArchive, match="other files"):
        Archive.create(tmp_path)
    with pytest.raises(ArchiveError):
        Archive.create(tmp_path / "thesis.doc")
    with pytest.raises(ArchiveError):
        Archive.open(tmp_path / "thesis.doc")
    with pytest.raises(NoArchive, match="no archive here"):
        Archive.open(tmp_path / "nothing")


def test_creating_again_changes_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0)])
    before = read_id(path)
    Archive.create(path)

    assert read_id(path) == before
    assert numbers(path) == [0]


def test_a_lost_catalog_stops_readers_with_what_to_do(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0)])
    (path / "catalog.sqlite").unlink()

    with pytest.raises(Damaged, match="exporter rebuild"):
        Archive.open(path)


def test_a_missing_manifest_is_named_by_readers_and_stops_the_writer(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0)], [page(1)], [page(2)])
    (path / "manifests" / "000000002.json").unlink()

    with Archive.open(path) as archive, pytest.raises(Damaged, match=r"000000002\.json: it is missing"):
        list(archive.manifests())
    (path / "manifests" / "000000003.json").unlink()
    with pytest.raises(Damaged, match=r"000000003\.json: it is missing"):
        recover(path)


def test_a_replaced_manifest_breaks_the_chain(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0)], [page(1)])
    other = filled(tmp_path / "b", [page(0)])
    shutil.copy(other / "manifests" / "000000001.json", path / "manifests" / "000000001.json")

    with Archive.open(path) as archive, pytest.raises(Damaged, match=r"000000002\.json: it does not follow"):
        list(archive.manifests())


def test_other_files_among_the_manifests_do_not_disturb(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0)])
    (path / "manifests" / ".nfs0001").write_text("")
    (path / "manifests" / "notes.json").write_text("")
    recover(path)

    assert numbers(path) == [0]


def test_a_missing_or_changed_segment_is_named(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0, 50, size=2000)])
    (segment,) = (path / "segments").rglob("*.zst")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 16
    segment.write_bytes(data)

    with Archive.open(path) as archive:
        with pytest.raises(Damaged, match=segment.name):
            list(archive.records())
        segment.unlink()
        for thread in (None, THREAD):
            with pytest.raises(Damaged, match=rf"{segment.name}: it is missing"):
                list(archive.records(thread))


def test_ids_are_data(tmp_path: Path) -> None:
    thread = replace(THREAD, id="../../../../tmp/x\x00\ud800'; DROP TABLE threads;--")
    path = filled(tmp_path / "a", [page(0, 2, thread)])

    assert numbers(path, thread) == [0, 1]
    with Catalog_of(path) as catalog:
        assert catalog.count() == {"new": 1}
        assert len(catalog.named(thread.id)) == 1
    assert {entry.name for entry in tmp_path.iterdir()} == {"a"}


class Catalog_of:  # noqa: N801 - reads as a function
    def __init__(self, path: Path) -> None:
        self._catalog = Catalog(path / "catalog.sqlite")

    def __enter__(self) -> Catalog:
        return self._catalog

    def __exit__(self, *_: object) -> None:
        self._catalog.close()


def test_the_readme_and_the_sealed_files_need_no_exporter(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0, 3)])
    (segment,) = (path / "segments").rglob("*.zst")
    import hashlib

    assert hashlib.sha256(segment.read_bytes()).hexdigest().startswith(segment.name.split("-")[1][:12])
    assert "zstd -dc" in (path / "README.md").read_text()
    assert stat.S_IMODE(segment.stat().st_mode) == 0o600


def test_a_disk_that_refuses_the_catalog_is_no_damage(tmp_path: Path) -> None:
    for said in ("disk I/O error", "database or disk is full", "unable to open database file"):
        error = sa.exc.OperationalError("select 1", {}, sqlite3.OperationalError(said))
        assert _translated(error, tmp_path / "catalog.sqlite").exit_code == 1


@pytest.mark.timeout(60)
def test_a_catalog_that_another_program_has_locked_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlite, "PATIENCE", 0.1)
    file = filled(tmp_path / "a", [page(0)]) / "catalog.sqlite"
    shutil.copy(file, tmp_path / "fresh.sqlite")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked, match="another program has it locked; close that"):
            put_in_place(tmp_path / "fresh.sqlite", file)
    put_in_place(tmp_path / "fresh.sqlite", file)
    assert numbers(tmp_path / "a") == [0]
