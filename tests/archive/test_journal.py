"""The open file: how often the disk is waited for, what its errors name, and a file that is none of ours any more."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from exporter.archive import Archive, _journal
from exporter.errors import Damaged, DiskFull
from tests.archive.making import filled, made, numbers, page, position, recover
from tests.archive.test_crashes import journal_of

pytestmark = pytest.mark.usefixtures("form")


def refused(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_an_append_waits_for_the_disk_once_also_after_one_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_journal, "GROUP", 1)
    waits, real = list[int](), os.fsync

    def counted(fd: int) -> None:
        waits.append(fd)
        real(fd)

    with Archive.write(made(tmp_path / "a")) as archive:
        archive.append([page(0)])
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", refused)
            with pytest.raises(DiskFull):
                archive.append([page(1)])
        monkeypatch.setattr(os, "fsync", counted)
        archive.append([page(1), page(2), page(3)])
        assert len(waits) == 1
        archive.append([])
        assert len(waits) == 1
        archive.append([page(4)])
        assert len(waits) == 2


def test_what_is_archived_says_which_run_wrote_it(tmp_path: Path) -> None:
    with Archive.write(made(tmp_path / "a")) as archive:
        archive.append([page(0)])
        archive.seal()
        (record,) = archive.records()

    assert record.run == archive.run


def test_a_disk_that_refuses_is_told_with_the_folder_of_journals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Archive.write(made(tmp_path / "a")) as archive, monkeypatch.context() as patch:
        patch.setattr(os, "write", refused)
        with pytest.raises(DiskFull, match="/a/journal: the disk is full"):
            archive.append([page(0)])
    left = journal_of(tmp_path / "b")
    with Archive.open(tmp_path / "b") as archive:
        monkeypatch.setattr(os, "fsync", refused)
        with pytest.raises(DiskFull, match=f"{left}: the disk is full"):
            _journal.salvage(left, tmp_path / "aside", archive.cipher)


def test_a_report_is_committed_with_the_pages_before_it(tmp_path: Path) -> None:
    with Archive.write(made(tmp_path / "a")) as archive:
        archive.append([page(0)])
        sealed = archive.seal({"command": "backup"})
        assert sealed is not None
        assert (len(sealed.segments), sealed.report, sealed.run) == (1, {"command": "backup"}, archive.run)
        assert archive.last_report() == {"command": "backup"}


def test_a_journal_whose_beginning_is_lost_goes_aside_and_the_server_is_asked_again(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "a")
    path, data = tmp_path / "a", bytearray(journal.read_bytes())
    data[0] ^= 1
    journal.write_bytes(data)

    recover(path)

    assert numbers(path) == [0]
    assert position(path) == 1
    assert (path / ".exporter" / "salvaged" / journal.name).read_bytes() == data
    assert not journal.exists()


def test_what_another_program_adds_to_an_open_journal_is_not_sealed_and_the_pages_before_are_kept(
    tmp_path: Path,
) -> None:
    with Archive.write(filled(tmp_path / "a", [page(0)])) as archive:
        archive.append([page(1, 2)])
        (journal,) = (tmp_path / "a" / "journal").iterdir()
        with journal.open("ab") as file:
            file.write(b"x" * 100)
        with pytest.raises(Damaged, match="does not end with a whole page"):
            archive.seal()
        archive.append([page(3)])
        archive.seal()

    assert numbers(tmp_path / "a") == [0, 1, 2, 3]


def test_a_journal_says_whose_it_is(tmp_path: Path, form: str) -> None:
    with Archive.write(made(tmp_path / "a")) as archive:
        archive.append([page(0)])
        (path,) = (tmp_path / "a" / "journal").iterdir()
        with _journal.reading(path, archive.cipher) as file:
            said = json.loads(file.readline())

    assert (said["archive"], said["writer"]) == (archive.id, path.name.split(".")[0])
    assert path.name.endswith(".enc") == (form == "encrypted")
