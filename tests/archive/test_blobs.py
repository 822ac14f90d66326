"""Contents of files: whole or not there, named by their hash, durable before the record that names them."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.archive import Archive, blob_name
from exporter.check import check
from exporter.errors import ArchiveError, DiskFull
from exporter.model import Finding, Item, Page
from tests.archive.making import AT, THREAD, made, recover
from tests.archive.test_crashes import Crashed, crashing

CONTENT = b"a,b\n1,2\n" * 100


def kept(archive: Archive, data: bytes = CONTENT) -> str:
    with archive.blob() as blob:
        blob.write(data)
        return blob.keep().sha256


def record(sha256: str | None, file: str = "file-1", seq: int = 0) -> Page:
    body = b'{"type":"file","sha256":%s,"object":null}' % (b"null" if sha256 is None else b'"%s"' % sha256.encode())
    return Page(THREAD, "file", (Item(file, body),), None, False, AT, "files", seq)


def blobs(path: Path) -> dict[str, bytes]:
    found = {f.relative_to(path).as_posix(): f.read_bytes() for f in (path / "blobs").rglob("*") if f.is_file()}
    return dict(sorted(found.items()))


def named(path: Path) -> list[str]:
    """Hashes that committed records name."""
    from exporter.archive._lines import load

    with Archive.open(path) as archive:
        found = [load(record.body)["sha256"] for record in archive.records(THREAD, "file")]
    return [sha256 for sha256 in found if sha256]


def findings(path: Path) -> list[tuple[str, str]]:
    return [(found.severity, found.where) for found in check(path)]


def test_what_goes_in_comes_out_under_its_hash_for_its_owner_only(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    with Archive.write(path) as archive, archive.blob() as blob:
        for start in range(0, len(CONTENT), 7):
            blob.write(CONTENT[start : start + 7])
        sha256, size = blob.keep()

    file = path / "blobs" / "sha256" / sha256[:2] / sha256
    assert sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert size == len(CONTENT)
    assert file.read_bytes() == CONTENT
    assert file.stat().st_mode & 0o777 == 0o600
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in file.parents[:3])


def test_a_content_begun_again_holds_the_last_try_only(tmp_path: Path) -> None:
    with Archive.write(made(tmp_path / "a")) as archive, archive.blob() as blob:
        blob.restart()
        blob.write(b"half of it, and longer than")
        blob.restart()
        blob.write(b"the whole")
        sha256, size = blob.keep()

    assert (sha256, size) == (hashlib.sha256(b"the whole").hexdigest(), 9)
    assert blobs(tmp_path / "a") == {blob_name(sha256): b"the whole"}


def test_a_file_without_bytes_is_a_content_too(tmp_path: Path) -> None:
    with Archive.write(made(tmp_path / "a")) as archive, archive.blob() as blob:
        sha256, size = blob.keep()

    assert size == 0
    assert blobs(tmp_path / "a") == {blob_name(sha256): b""}


def test_what_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    with Archive.write(path) as archive:
        with suppress(KeyError), archive.blob() as blob:
            blob.write(CONTENT)
            raise KeyError
        with archive.blob():
            pass

    assert not (path / "blobs").exists()
    assert not list((path / ".exporter" / "tmp").iterdir())


def test_the_same_content_twice_is_there_once_and_a_damaged_one_is_mended(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    with Archive.write(path) as archive:
        sha256 = kept(archive)
        (path / blob_name(sha256)).write_bytes(b"rotten")
        assert kept(archive) == sha256

    assert blobs(path) == {blob_name(sha256): CONTENT}


def test_an_archive_open_for_reading_takes_no_content(tmp_path: Path) -> None:
    recover(made(tmp_path / "a"))
    with Archive.open(tmp_path / "a") as archive, pytest.raises(ArchiveError, match="reading only"):
        archive.blob()


def test_a_full_disk_is_said_in_our_words_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "a")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with Archive.write(path) as archive:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(DiskFull, match="what was reported archived is safe"):
                kept(archive)
        assert not list((path / ".exporter" / "tmp").iterdir())
        sha256 = kept(archive)

    assert blobs(path) == {blob_name(sha256): CONTENT}


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_step_never_leaves_a_record_without_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    at, finished = 0, False
    while not finished:
        at += 1
        path = made(tmp_path / str(at))
        archive, names, appended = Archive.write(path), list[str](), 0
        with crashing(monkeypatch, at, Crashed, after=after) as done, suppress(Crashed):
            for seq, data in enumerate((CONTENT, b"another", CONTENT)):
                names.append(kept(archive, data))
                archive.append([record(names[-1], f"file-{seq}", seq)])
                appended += 1
            archive.seal()
        finished = done[0] < at
        archive._lock.release()  # type: ignore[union-attr]  # the system does that when a process dies
        archive.catalog.close()

        recover(path)

        found = named(path)
        assert found[:appended] == names[:appended], at
        assert {blob_name(sha256) for sha256 in found} <= set(blobs(path)), at
        assert [one for one in findings(path) if one[0] == "damage"] == [], at
        assert not (path / ".exporter" / "tmp").exists() or not list((path / ".exporter" / "tmp").iterdir())
    assert at > 20


@pytest.fixture
def archived(tmp_path: Path) -> Path:
    """An archive with two contents and three records, one of which names none."""
    path = made(tmp_path / "a")
    with Archive.write(path) as archive:
        pages = [record(kept(archive), "file-1", 0), record(kept(archive, b"two"), "file-2", 1)]
        archive.append([*pages, record(None, "file-3", 2)])
        archive.seal()
    return path


def test_check_finds_nothing_where_every_content_is_as_named(archived: Path) -> None:
    assert findings(archived) == []


def test_check_finds_any_changed_byte_of_a_content_and_names_its_file(archived: Path) -> None:
    for name, data in blobs(archived).items():
        for changed in (data[:-1], data + b"x", bytes([data[0] ^ 1]) + data[1:], b""):
            (archived / name).write_bytes(changed)
            assert findings(archived) == [("damage", name)]
        (archived / name).write_bytes(data)


def test_check_names_a_missing_content_with_its_file_and_thread(archived: Path) -> None:
    name = blob_name(hashlib.sha256(b"two").hexdigest())
    (archived / name).unlink()

    (found,) = check(archived)
    assert (found.severity, found.where) == ("damage", name)
    assert "file file-2 of assistants/thread_1" in found.what
    assert "--full" in found.help


def test_check_reports_what_no_record_names_as_a_note(archived: Path) -> None:
    with Archive.write(archived) as archive:
        stray = blob_name(kept(archive, b"nobody's"))
    (archived / "blobs" / "notes.txt").write_text("mine")

    assert findings(archived) == [("note", "blobs/notes.txt"), ("note", stray)]


def test_a_content_whose_record_is_not_sealed_yet_is_no_stray(archived: Path) -> None:
    with Archive.write(archived) as archive:
        archive.append([record(kept(archive, b"just now"), "file-4", 3)])

        found = list(check(archived))
    assert [one.where.split("/")[0] for one in found] == ["journal"]


def test_a_log_that_cannot_be_read_calls_no_content_a_stray(archived: Path) -> None:
    (segment,) = (archived / "segments").rglob("*.zst")
    segment.write_bytes(segment.read_bytes()[:-5])

    found = [one for one in check(archived) if isinstance(one, Finding)]
    assert [one.where for one in found] == [segment.relative_to(archived).as_posix()]
