"""A crash at any moment: what was reported archived is there afterwards, once; the next opening finishes the work."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from exporter.archive import Archive, _commits, _journal, _manifests
from exporter.archive._cipher import FRAME, HEAD, MAGIC
from exporter.archive._journal import salvage
from exporter.archive.catalog import Catalog
from exporter.errors import ArchiveError, Damaged, DiskFull, Locked
from tests.archive.making import FORM, filled, made, numbers, page, position, recover

pytestmark = pytest.mark.usefixtures("form")
ROOT = Path(__file__).resolve().parents[2]


def journal_of(path: Path) -> Path:
    """An archive with one sealed page and three in its journal, left behind as by a crash."""
    filled(path, [page(0)])
    with Archive.write(path) as archive:
        for first, count in ((1, 2), (3, 1), (4, 2)):
            archive.append([page(first, count)])
    (journal,) = (path / "journal").iterdir()
    return journal


def sealed_ends(data: bytes | bytearray) -> list[int]:
    """Where the frames of a sealed journal end: its header, then a page each."""
    ends, at = [], HEAD.size
    while at < len(data):
        at += FRAME.size + FRAME.unpack_from(data, at)[0]
        ends.append(at)
    return ends


def edges_of(data: bytes) -> set[int]:
    """Where something ends in a journal."""
    if data.startswith(MAGIC):
        return {0, HEAD.size, *sealed_ends(data)}
    return {edge for edge in range(len(data)) if data[edge : edge + 1] == b"\n"}


def whole_at(data: bytes, cut: int) -> int:
    """How many messages are in whole pages of a journal cut at this byte, the sealed one included."""
    if data.startswith(MAGIC):
        return 1 + sum(count for count, end in zip((0, 2, 1, 2), sealed_ends(data), strict=True) if end <= cut)
    found = 1
    pages = data[: data.rfind(b"\n", 0, cut) + 1].splitlines()
    marks = [i for i, line in enumerate(pages) if line.startswith(b'{"kind":"page"')]
    if marks:
        found += sum(line.startswith(b'{"kind":"message"') for line in pages[: marks[-1]])
    return found


def left(data: bytes, found: bytes) -> int:
    """The cut that a file has: sealed bytes are random, so what follows a cut may begin with the very byte it lost."""
    return next((n for n, (a, b) in enumerate(zip(data, found, strict=False)) if a != b), min(len(data), len(found)))


GARBAGE = [b"", b"\x00" * 9, b'{"kind":"message"\n', b"\xff\xfe{"]


@pytest.mark.parametrize("garbage", GARBAGE, ids=["nothing", "zeros", "half a line", "no text"])
def test_a_journal_cut_at_any_byte_keeps_every_whole_page_and_nothing_else(tmp_path: Path, garbage: bytes) -> None:
    journal = journal_of(tmp_path / "a")
    data = journal.read_bytes()
    with Archive.open(tmp_path / "a") as archive:
        cipher = archive.cipher
    for cut in range(len(data) + 1):
        journal.write_bytes(data[:cut] + garbage)
        expected = whole_at(data, left(data, data[:cut] + garbage))

        pages = salvage(journal, tmp_path / "aside", cipher)

        kept = journal.read_bytes()
        assert kept == data[: len(kept)]
        assert whole_at(data, len(kept)) == expected, cut
        if cipher is None:
            assert kept.count(b'{"kind":"message"') == expected - 1, cut
        assert pages == {0: 0, 2: 1, 3: 2, 5: 3}[expected - 1]
    assert garbage or not (tmp_path / "aside").exists()


@pytest.mark.parametrize("garbage", GARBAGE, ids=["nothing", "zeros", "half a line", "no text"])
def test_an_archive_whose_journal_was_cut_goes_on_after_its_last_whole_page(tmp_path: Path, garbage: bytes) -> None:
    path, base = tmp_path / "a", tmp_path / "base"
    journal = journal_of(path)
    data = journal.read_bytes()
    journal.unlink()
    path.rename(base)
    edges = {min(edge + near, len(data)) for edge in edges_of(data) for near in (0, 1, 2)}
    for cut in sorted(edges | set(range(0, len(data) + 1, 211)) | {len(data)}):
        shutil.copytree(base, path)
        (path / "journal" / journal.name).write_bytes(data[:cut] + garbage)
        expected = whole_at(data, left(data, data[:cut] + garbage))

        recover(path)

        assert numbers(path) == list(range(expected)), cut
        assert position(path) == expected
        assert not list((path / "journal").iterdir())
        shutil.rmtree(path)


class Crashed(BaseException):
    """The process is gone; what was done so far is on disk."""


STEPS: list[tuple[Any, str]] = [
    (os, "link"),
    (os, "fsync"),
    (os, "write"),
    (os, "replace"),
    (os, "rename"),
    (os, "unlink"),
    (os, "mkdir"),
    (Catalog, "index"),
    (_manifests, "commit"),
    (_commits, "index"),
]


@contextmanager
def crashing(
    monkeypatch: pytest.MonkeyPatch, at: int, error: type[BaseException], *, after: bool
) -> Iterator[list[int]]:
    """Crash at the n-th step that touches the disk, before or after it was done; every later one fails as well."""
    done = [0]

    def wrapped(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            done[0] += 1
            if done[0] == at and after:
                real(*args, **kwargs)
            if done[0] >= at:
                raise error(28, "crash")
            return real(*args, **kwargs)

        return step

    with monkeypatch.context() as patch:
        for owner, name in STEPS:
            patch.setattr(owner, name, wrapped(getattr(owner, name)))
        yield done


GROUPS = pytest.mark.parametrize("group", [pytest.param(1, id="page by page"), pytest.param(1 << 20, id="at once")])
"How many bytes of one append are written at once."


@GROUPS
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_step_of_an_append_or_a_seal_keeps_what_was_acknowledged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool, group: int
) -> None:
    monkeypatch.setattr(_journal, "GROUP", group)
    at, finished = 0, False
    while not finished:
        at += 1
        path = filled(tmp_path / str(at), [page(0)])
        acknowledged = 1
        archive = Archive.write(path)
        with crashing(monkeypatch, at, Crashed, after=after) as done:
            try:
                for first in (1, 3):
                    archive.append([page(first), page(first + 1)])
                    acknowledged = first + 2
                    archive.seal()
            except Crashed:
                pass
        finished = done[0] < at
        archive._lock.release()  # type: ignore[union-attr]  # the system does that when a process dies
        archive.catalog.close()

        recover(path)

        found = numbers(path)
        assert found == list(range(len(found))), at
        assert acknowledged <= len(found) <= min(acknowledged + 2, 5), at
        assert group == 1 or len(found) in (acknowledged, min(acknowledged + 2, 5)), at
        assert position(path) == len(found)
        recover(path)
        assert numbers(path) == found
    assert at > 20


@GROUPS
@pytest.mark.parametrize("after", [False, True])
def test_a_failure_at_any_step_is_survived_by_the_same_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool, group: int
) -> None:
    monkeypatch.setattr(_journal, "GROUP", group)
    at, finished = 0, False
    while not finished:
        at += 1
        path = filled(tmp_path / str(at), [page(0)])
        with Archive.write(path) as archive:
            acknowledged = 1
            with crashing(monkeypatch, at, OSError, after=after) as done:
                try:
                    for first in (1, 3):
                        archive.append([page(first), page(first + 1)])
                        acknowledged = first + 2
                        archive.seal()
                except (ArchiveError, OSError):
                    pass
            finished = done[0] < at
            archive.append([page(acknowledged, 3)])
            archive.append([page(acknowledged + 3, 1)])
            archive.seal()

        assert numbers(path) == list(range(acknowledged + 4)), at
        assert position(path) == acknowledged + 4
        recover(path)
        assert numbers(path) == list(range(acknowledged + 4)), at


def test_a_full_disk_loses_nothing_and_the_journal_stays_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, room = os.write, [0]

    def write(fd: int, data: bytes) -> int:
        if room[0] <= 0:
            raise OSError(28, "No space left on device")
        written = real(fd, data[: room[0]])
        room[0] -= written
        return written

    for space in range(0, 1500, 37):
        path = made(tmp_path / str(space))
        with Archive.write(path) as archive:
            archive.append([page(0)])
            room[0] = space
            with monkeypatch.context() as patch:
                patch.setattr(os, "write", write)
                kept = 1
                with pytest.raises(DiskFull, match="what was reported archived is safe"):  # noqa: PT012
                    for kept in range(1, 100):
                        archive.append([page(kept)])
            archive.append([page(kept, 2)])

        recover(path)
        assert numbers(path) == list(range(kept + 2))


def test_a_signal_in_the_middle_of_a_write_leaves_no_torn_page_before_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = made(tmp_path / "a"), os.write

    def interrupted(fd: int, data: bytes) -> int:
        real(fd, data[:100])
        raise KeyboardInterrupt

    with Archive.write(path) as archive:
        archive.append([page(0)])
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", interrupted)
            with pytest.raises(KeyboardInterrupt):
                archive.append([page(1)])
        archive.append([page(1, 2)])

    recover(path)
    assert numbers(path) == [0, 1, 2]


def test_pages_that_are_archived_stay_acknowledged_when_the_seal_after_them_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.archive.SEAL_BYTES", 1)
    with Archive.write(made(tmp_path / "a")) as archive:
        with monkeypatch.context() as patch:
            patch.setattr(_manifests, "commit", _disk_full)
            archive.append([page(0)])
            with pytest.raises(DiskFull):
                archive.append([page(1)])
        archive.append([page(1)])

    assert numbers(tmp_path / "a") == [0, 1]


def _disk_full(*_: object) -> None:
    raise DiskFull("full")


def test_a_journal_sealed_long_ago_is_not_sealed_again(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "a")
    path, data = tmp_path / "a", journal.read_bytes()
    recover(path)
    with Archive.write(path) as archive:
        archive.append([page(6)])
        archive.seal()
    journal.write_bytes(data)

    recover(path)

    assert numbers(path) == list(range(7))
    assert not journal.exists()


def test_a_bit_rotted_in_a_journal_keeps_the_pages_before_and_the_file_aside(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "a")
    path, data = tmp_path / "a", bytearray(journal.read_bytes())
    at = sealed_ends(data)[1] + 30 if data.startswith(MAGIC) else data.index(b"msg_3") + 4
    data[at] ^= 1
    journal.write_bytes(data)

    recover(path)

    assert numbers(path) == [0, 1, 2]
    assert position(path) == 3
    assert (path / ".exporter" / "salvaged" / journal.name).read_bytes() == data


def test_a_creation_cut_short_at_any_step_can_be_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at, finished = 0, False
    while not finished:
        at += 1
        path = tmp_path / str(at)
        with crashing(monkeypatch, at, Crashed, after=False) as done, suppress(Crashed):
            Archive.create(path, encrypted=FORM["encrypted"])
        finished = done[0] < at

        filled(path, [page(0)])
        assert numbers(path) == [0]
    assert at > 5


def test_a_crash_between_the_folders_of_an_archive_that_lost_its_catalog_is_recovered(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0)], [page(1)])
    journal_of_rest = Archive.write(path)
    journal_of_rest.append([page(2)])
    journal_of_rest.close()
    (path / "manifests" / "000000002.json").unlink()
    for file in path.glob("catalog.sqlite*"):
        file.unlink()

    recover(path)  # adopts the segment whose manifest is lost, then seals the journal

    assert numbers(path) == [0, 1, 2]


CHILD = """
import sys
from pathlib import Path
from exporter.archive import Archive, _commits
import exporter.archive as whole
from tests.archive.making import page, position
whole.SEAL_BYTES = 6000
path = Path(sys.argv[1])
with Archive.write(path) as archive:
    from tests.archive.making import THREAD
    at = archive.catalog.positions(THREAD)
    n = at["messages"].seq if at else 0
    while True:
        archive.append([page(n, 3, size=100)])
        n += 3
        print(n, flush=True)
"""


def test_kill_at_any_moment_any_number_of_times_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    path, chance, acknowledged = made(tmp_path / "a"), random.Random(7), 0
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert child.stdout
        acknowledged = int(child.stdout.readline())
        time.sleep(chance.random() * 0.2)
        child.send_signal(signal.SIGKILL)
        said = child.communicate()[0].split()
        acknowledged = int(said[-1]) if said else acknowledged

        recover(path)

        found = numbers(path)
        assert found == list(range(len(found)))
        assert acknowledged <= len(found) <= acknowledged + 3
        assert position(path) == len(found)


HOLDER = """
import sys, time
from pathlib import Path
from exporter.archive import Archive
sys.argv = ["exporter", "backup", "secret-argument"]
with Archive.write(Path({path!r})):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_refused_with_the_name_of_the_first_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    code = HOLDER.format(path=str(path))
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    child.stdout.readline()

    with pytest.raises(Locked, match=rf"`exporter backup` \(process {child.pid} on ") as refused:
        Archive.write(path)
    assert "secret-argument" not in str(refused.value)

    child.kill()
    child.communicate()
    recover(path)


def test_a_disk_that_refuses_even_to_remove_the_note_does_not_hide_what_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    full = pytest.raises(DiskFull, match="full")
    with monkeypatch.context() as patch, full, Archive.write(made(tmp_path / "a")):
        patch.setattr(os, "unlink", refused)
        _disk_full()

    recover(tmp_path / "a")


def test_a_second_writer_in_one_process_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    with Archive.write(path) as archive:
        with pytest.raises(Locked):
            Archive.write(path)
        archive.append([page(0)])
    recover(path)

    assert numbers(path) == [0]


def test_a_manifest_whose_number_somebody_took_stops_the_writer(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    with Archive.write(path) as archive:
        archive.append([page(0)])
        (path / "manifests").mkdir()
        (path / "manifests" / "000000001.json").write_text("{}")
        with pytest.raises(Locked, match="another writer"):
            archive.seal()
        with pytest.raises(Damaged, match="000000001"):
            archive.append([page(1)])
