"""Damage of the truth is told thread by thread, and what the server still has comes back with a full walk."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from click.testing import CliRunner

from exporter.archive import Archive
from exporter.archive._proof import proof
from exporter.check import check
from exporter.cli import cli
from exporter.errors import Damaged
from exporter.model import Finding
from exporter.rebuild import rebuild
from exporter.storage.local import LocalStorage
from tests.conftest import Bench


def damages(path: Path, code: str | None = None) -> list[Finding]:
    found = [one for one in check(path) if one.severity == "damage"]
    return [one for one in found if code in (None, one.code)]


@pytest.fixture
def two_nights(bench: Bench) -> Bench:
    """Two threads; the second night brought messages of the first one only."""
    for name in ("thread_1", "thread_2"):
        bench.state.add_thread(name)
        for number in range(3):
            bench.state.add_message(name, {"content": f"{name} {number}"})
    bench.backup("thread_1", "thread_2")
    for number in range(4):
        bench.state.add_message("thread_1", {"content": f"later {number}"})
    assert bench.backup().exit_code == 0
    assert not damages(bench.path)
    return bench


def newest(path: Path) -> Path:
    return max((path / "segments").rglob("*.zst"), key=lambda file: file.name)


@pytest.mark.parametrize("harm", ["missing", "torn", "bit"])
def test_a_damaged_segment_names_its_threads_and_what_each_loses(two_nights: Bench, harm: str) -> None:
    victim = newest(two_nights.path)
    data = victim.read_bytes()
    if harm == "missing":
        victim.unlink()
    else:
        victim.write_bytes(data[:-20] if harm == "torn" else data[:200] + bytes([data[200] ^ 1]) + data[201:])

    (file,) = [one for one in damages(two_nights.path) if one.code != "records_lost"]
    assert file.code == ("segment_missing" if harm == "missing" else "segment_damaged")
    (lost,) = damages(two_nights.path, "records_lost")
    assert lost.where == "assistants/thread_1"
    assert "4 messages" in lost.what
    assert "copy" in lost.help
    assert "backup --full thread_1" in lost.help


class BadSector(io.RawIOBase):
    """A file of which the disk gives nothing back."""

    def __init__(self, size: int) -> None:
        self._size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return offset if whence == 0 else self._size + offset

    def readinto(self, _: object) -> int:
        raise OSError(errno.EIO, "Input/output error")


def bad_sector(monkeypatch: pytest.MonkeyPatch, victim: Path) -> None:
    """Let the disk give nothing of a segment back."""
    real = LocalStorage.open

    def opened(self: LocalStorage, name: str) -> BinaryIO:
        bad = name.endswith(victim.name)
        return io.BufferedReader(BadSector(victim.stat().st_size)) if bad else real(self, name)

    monkeypatch.setattr(LocalStorage, "open", opened)


def as_folder(_: pytest.MonkeyPatch, victim: Path) -> None:
    victim.unlink()
    victim.mkdir()
    (victim / "what").write_text("somebody put it here")


UNREADABLE: dict[str, Callable[[pytest.MonkeyPatch, Path], None]] = {"sector": bad_sector, "folder": as_folder}


@pytest.mark.parametrize("harm", UNREADABLE)
def test_a_segment_that_the_disk_does_not_give_back_is_damage_for_whoever_reads_it(
    two_nights: Bench, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = newest(two_nights.path)
    UNREADABLE[harm](monkeypatch, victim)

    assert {one.code for one in damages(two_nights.path)} == {"segment_damaged", "records_lost"}
    (lost,) = damages(two_nights.path, "records_lost")
    assert (lost.where, "4 messages" in lost.what) == ("assistants/thread_1", True)
    with Archive.open(two_nights.path) as archive:
        for read in (lambda: list(archive.records()), lambda: proof(archive, two_nights.ref("thread_1"))):
            with pytest.raises(Damaged, match=rf"{victim.name}: it cannot be read .*; restore this file from a copy"):
                read()
    for words in (["show", "thread_1"], ["search", "later"]):
        done = CliRunner().invoke(cli, [*words, "-a", str(two_nights.path)])
        assert (done.exit_code, victim.name in done.output) == (5, True)


def test_what_the_server_still_has_comes_back_with_a_full_walk(two_nights: Bench) -> None:
    newest(two_nights.path).unlink()

    with pytest.raises(Damaged, match="this run's pages are archived"):  # tables cannot be published without it
        two_nights.backup(full=True)
    assert not damages(two_nights.path, "records_lost")
    assert damages(two_nights.path, "segment_missing")


def test_a_thread_that_is_gone_comes_back_from_a_copy_only(two_nights: Bench) -> None:
    two_nights.state.delete("threads", "thread_1")
    two_nights.backup()
    for file in sorted((two_nights.path / "segments").rglob("*.zst"))[:-1]:
        file.unlink()

    helps = {one.where: one.help for one in damages(two_nights.path, "records_lost")}
    assert "the server has this thread no more" in helps["assistants/thread_1"]
    assert "backup --full thread_2" in helps["assistants/thread_2"]


def test_a_segment_put_back_from_a_copy_makes_all_whole(two_nights: Bench) -> None:
    victim = newest(two_nights.path)
    data = victim.read_bytes()
    victim.unlink()
    assert damages(two_nights.path)
    victim.write_bytes(data)

    assert not damages(two_nights.path)
    rebuild(two_nights.path)
    with Archive.open(two_nights.path) as archive:
        assert len(list(archive.records(two_nights.ref("thread_1")))) == 7
