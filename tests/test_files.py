"""A crash leaves the old file or the new one, never half of either; refusals become sentences."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from exporter.errors import ArchiveError, DiskFull
from exporter.files import make_folder, replacing, settle_folder, sha256_of, sync_folder, translated, writing


def test_a_refusal_to_write_is_not_hidden_by_the_tidying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ArchiveError, match="Read-only"), replacing(tmp_path / "x"):
        pass


def test_a_file_is_replaced_when_the_block_ends_well(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")
    with replacing(file) as out:
        out.write(b"new")
        assert file.read_bytes() == b"old"

    assert file.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_the_old_file_stays_when_any_step_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, step if step == "fsync" else "replace", refuse)
        patch.setattr(Path, "replace", refuse) if step == "rename" else None
        with pytest.raises(DiskFull, match="Free space and run again"), replacing(file) as out:
            out.write(b"new")

    assert file.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_an_error_of_the_caller_leaves_the_old_file_and_passes(tmp_path: Path) -> None:
    with pytest.raises(KeyError), replacing(tmp_path / "a"):
        raise KeyError

    assert not list(tmp_path.iterdir())


def test_refusals_name_the_path_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=rf"{tmp_path}: Is a directory; check the disk"), writing(tmp_path):
        pass
    with pytest.raises(FileExistsError), translated(tmp_path):
        raise FileExistsError


def test_a_file_where_a_folder_belongs_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(ArchiveError, match="a file has this name"):
            make_folder(path)


def test_folders_are_private_and_made_durably(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr("exporter.files.sync_folder", lambda path: synced.append(path.name))
    make_folder(make_folder(tmp_path / "a" / "b"))

    assert synced == [tmp_path.name, "a"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a", tmp_path / "a" / "b")} == {0o700}


def test_settling_makes_sure_of_every_name_from_the_top_though_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path / "a" / "b")
    synced: list[str] = []
    monkeypatch.setattr("exporter.files.sync_folder", lambda path: synced.append(path.name))
    settle_folder(tmp_path / "a" / "b" / "c", tmp_path / "a")

    assert synced == [tmp_path.name, "a", "b"]


def test_a_file_system_without_durable_folders_is_put_up_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter([errno.EINVAL, errno.EIO])

    def refuse(_: int) -> None:
        raise OSError(next(codes), "refused")

    monkeypatch.setattr(os, "fsync", refuse)
    sync_folder(tmp_path)
    with pytest.raises(OSError, match="refused"):
        sync_folder(tmp_path)


def test_a_hash_is_of_the_whole_file_and_closes_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    file = (tmp_path / "a").open("rb")

    assert sha256_of(file).startswith("ba7816bf8f01cfea")
    assert file.closed
