"""Damage that no copy mends: the archive goes on with what is left; what was lost is told, and asked for again."""

from __future__ import annotations

import errno
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.archive import Archive, _segments
from exporter.archive._parts import Part
from exporter.archive._remainder import left
from exporter.check import _accepting as accepting
from exporter.check import accept, check
from exporter.cli import cli
from exporter.erase import Asked, choose, erase
from exporter.errors import Damaged, DiskFull, Locked, UsageError
from exporter.model import Finding, Registration
from exporter.rebuild import rebuild
from exporter.registry import register
from tests.conftest import Bench, rows
from tests.test_check_losses import UNREADABLE
from tests.test_files_fetched import thread_with

COUNT = 40


def grown(bench: Bench, count: int, first: int = 0) -> None:
    if not first:
        bench.state.add_thread("thread_s")
        bench.state.add_conversation("conv_s")
        bench.state.add_thread("thread_gone")
        bench.state.add_message("thread_gone", {"id": "msg_gone", "content": "the last words"})
    for n in range(first, first + count):
        bench.state.add_message("thread_s", {"id": f"msg_{n:03}", "created_at": 1_760_000_000 + n, "content": "x" * 99})
        bench.state.add_item("conv_s", {"id": f"item_{n:03}", "type": "message", "role": "user", "content": f"{n}"})


@pytest.fixture
def nights(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Three nights in segments of many frames; a thread that is gone by now, and one that was only registered."""
    monkeypatch.setattr(_segments, "FRAME", 2_000)
    grown(bench, COUNT)
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(bench.ref("thread_later"), user="ann", title="Later")])
    bench.backup("thread_s", "conv_s", "thread_gone", everything=False, only=["thread_s", "conv_s", "thread_gone"])
    bench.state.delete_thread("thread_gone")
    for night in (1, 2):
        grown(bench, COUNT, night * COUNT)
        bench.backup(everything=False, only=["thread_s", "conv_s", "thread_gone"])
    assert not damages(bench.path)
    return bench


def damages(path: Path) -> list[Finding]:
    return [one for one in check(path, rebuild=True) if one.severity == "damage"]


def segments(path: Path) -> list[Path]:
    return sorted((path / "segments").rglob("*.zst"))


def largest(path: Path) -> Path:
    """The segment of a whole night."""
    return max(segments(path), key=lambda file: file.stat().st_size)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-30])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def behead(file: Path) -> None:
    file.write_bytes(b"\0" * 100 + file.read_bytes()[100:])


HARMS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "cut": cut,
    "a bit": flip,
    "its beginning": behead,
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
}


def shown(bench: Bench, thread: str) -> list[str]:
    found = [row for row in rows(bench.path) if row["thread_id"] == thread]
    return [row["message_id"] for row in sorted(found, key=lambda row: row["seq"])]


def assert_everything_is_back(bench: Bench) -> None:
    """What the server has is in the archive, each once and in order, and the archive is whole."""
    report = bench.backup(everything=False)
    assert report.exit_code == 0, (report.errors, report.stopped)
    assert shown(bench, "thread_s") == [f"msg_{n:03}" for n in range(3 * COUNT)]
    assert shown(bench, "conv_s") == [f"item_{n:03}" for n in range(3 * COUNT)]
    assert not damages(bench.path)
    rebuild(bench.path)
    assert shown(bench, "conv_s") == [f"item_{n:03}" for n in range(3 * COUNT)]


@pytest.mark.parametrize("harm", sorted(HARMS))
@pytest.mark.parametrize("which", [0, 1, -1])
def test_the_archive_goes_on_and_gets_back_what_the_server_still_has(
    nights: Bench, tmp_path: Path, harm: str, which: int
) -> None:
    nights.state.add_thread("thread_later")
    victim = segments(nights.path)[which]
    HARMS[harm](victim)
    found = list(check(nights.path))

    done = accept(nights.path, found, tmp_path / "lost")

    assert done is not None
    assert done.given.segments == (victim.relative_to(nights.path).as_posix(),)
    assert not damages(nights.path)
    assert done.given.pages + done.given.kept_pages > 0
    if harm in {"missing", "zeros"}:
        assert done.given.kept_pages == 0
    with Archive.open(nights.path) as archive:
        later = archive.owner(nights.ref("thread_later"))
    assert (later.user, later.title) == ("ann", "Later")
    assert_everything_is_back(nights)


@pytest.mark.parametrize("harm", UNREADABLE)
def test_a_segment_that_the_disk_does_not_give_back_is_gone_on_without(
    nights: Bench, tmp_path: Path, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = largest(nights.path)
    with monkeypatch.context() as patch:
        UNREADABLE[harm](patch, victim)
        words = ["check", "--accept-loss", str(tmp_path / "lost"), "--yes", "-a", str(nights.path)]
        done = CliRunner().invoke(cli, words, env={"EXPORTER_CONFIG": None})
        assert (done.exit_code, done.exception) == (0, None)
        assert not damages(nights.path)

    assert (tmp_path / "lost" / victim.relative_to(nights.path)).exists()
    nights.state.add_thread("thread_later")
    assert_everything_is_back(nights)


def test_frames_that_are_whole_are_kept(nights: Bench, tmp_path: Path) -> None:
    victim = largest(nights.path)
    flip(victim)

    done = accept(nights.path, list(check(nights.path)), tmp_path / "lost")

    assert done is not None
    assert done.given.kept_pages > 0
    assert done.given.pages > 0
    assert (tmp_path / "lost" / victim.relative_to(nights.path)).exists()
    assert [file.name for file in segments(nights.path) if "-left." in file.name]


def test_what_was_left_of_a_segment_stays_that_when_a_thread_is_erased(nights: Bench, tmp_path: Path) -> None:
    flip(largest(nights.path))
    accept(nights.path, list(check(nights.path)), tmp_path / "lost")
    (left,) = nights.path.glob("segments/**/*-left.jsonl.zst")
    with Archive.write(nights.path) as archive:
        erase(archive, choose(archive, [Asked("thread", "conv_s")]).threads)

    assert not left.exists()
    assert [file.name[:9] for file in nights.path.glob("segments/**/*-left.jsonl.zst")] == [left.name[:9]]
    assert damages(nights.path) == []


def test_rows_that_only_the_tables_had_are_put_aside(nights: Bench, tmp_path: Path) -> None:
    for victim in segments(nights.path):
        victim.unlink()

    done = accept(nights.path, list(check(nights.path)), tmp_path / "lost")

    assert done is not None
    assert done.rows["messages"] == 6 * COUNT + 1
    kept = pq.read_table(tmp_path / "lost" / "messages").to_pylist()
    assert [row["text"] for row in kept if row["thread_id"] == "thread_gone"] == ["the last words"]
    assert len(kept) == 6 * COUNT + 1
    assert not (tmp_path / "lost" / "tables-before").exists()
    assert (tmp_path / "lost" / "catalog.sqlite").exists()
    assert rows(nights.path) == []
    assert_everything_is_back_but_gone(nights)


def assert_everything_is_back_but_gone(bench: Bench) -> None:
    report = bench.backup(everything=False)
    assert {one.thread.id for one in report.errors} <= {"thread_gone", "thread_later"}
    assert shown(bench, "conv_s") == [f"item_{n:03}" for n in range(3 * COUNT)]
    assert not damages(bench.path)


def test_a_catalog_that_is_lost_too_is_no_hindrance(nights: Bench, tmp_path: Path) -> None:
    nights.state.add_thread("thread_later")
    segments(nights.path)[1].unlink()
    (nights.path / "catalog.sqlite").unlink()

    done = accept(nights.path, list(check(nights.path)), tmp_path / "lost")

    assert done is not None
    assert_everything_is_back(nights)


def test_a_process_that_dies_before_the_tables_are_made_leaves_what_check_mends(
    nights: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights.state.add_thread("thread_later")
    segments(nights.path)[1].unlink()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        patch.setattr(accepting, "rebuild", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        accept(nights.path, list(check(nights.path)), tmp_path / "lost")

    CliRunner().invoke(cli, ["check", "--repair", "-a", str(nights.path)], catch_exceptions=False)

    assert not damages(nights.path)
    assert nights.backup(full=True).exit_code == 0
    assert_everything_is_back(nights)


def test_it_is_refused_where_the_folder_is_no_new_one(nights: Bench, tmp_path: Path) -> None:
    segments(nights.path)[1].unlink()
    found = list(check(nights.path))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()

    for folder in (nights.path / "lost", tmp_path / "full", tmp_path / "full" / "file"):
        with pytest.raises(UsageError, match="name another"):
            accept(nights.path, found, folder)
    assert list(check(nights.path)) == found


def test_it_is_refused_where_a_manifest_is_damaged(nights: Bench, tmp_path: Path) -> None:
    segments(nights.path)[1].unlink()
    (nights.path / "manifests" / "000000002.json").unlink()

    with pytest.raises(Damaged, match="only a copy"):
        accept(nights.path, list(check(nights.path)), tmp_path / "lost")


def test_beside_a_backup_nothing_happens(nights: Bench, tmp_path: Path) -> None:
    segments(nights.path)[-1].unlink()
    found = list(check(nights.path))
    with Archive.write(nights.path), pytest.raises(Locked):
        accept(nights.path, found, tmp_path / "lost")
    assert not (tmp_path / "lost").exists()


def test_a_whole_archive_has_nothing_to_go_on_without(nights: Bench, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in segments(nights.path)}
    assert accept(nights.path, list(check(nights.path)), tmp_path / "lost") is None
    segment = segments(nights.path)[1]
    lie = Finding("segment_damaged", segment.relative_to(nights.path).as_posix(), "a lie", "")
    assert accept(nights.path, [lie], tmp_path / "lost") is None
    assert {file: file.read_bytes() for file in segments(nights.path)} == before


def test_the_command_asks_first_and_says_what_it_did(nights: Bench, tmp_path: Path) -> None:
    largest(nights.path).unlink()
    words = ["check", "-a", str(nights.path), "--accept-loss", str(tmp_path / "lost")]

    silent = CliRunner().invoke(cli, words)
    assert (silent.exit_code, "nothing was changed" in silent.output) == (2, True)
    assert "say --yes" in silent.output
    done = CliRunner().invoke(cli, [*words, "--yes", "--json"])

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (said,) = [line for line in lines if line["message_type"] == "accepted"]
    assert done.exit_code == 0, done.output
    assert 2 * COUNT <= said["rows"]["messages"] < said["records"]
    assert CliRunner().invoke(cli, ["check", "-a", str(nights.path)]).exit_code == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(harms=st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=300)), min_size=1, max_size=4))
def test_what_is_read_of_a_damaged_segment_are_whole_pages_as_they_were(
    nights: Bench, harms: list[tuple[int, bytes]]
) -> None:
    file = largest(nights.path)
    data = file.read_bytes()
    with Archive.open(nights.path) as archive:
        log = {one.name: one for manifest in archive.manifests() for one in manifest.segments}
        segment = log[file.relative_to(nights.path).as_posix()]
        with file.open("rb") as plain:
            frames = list(_segments.frames(plain, segment.name))
        harmed = bytearray(data)
        hit = set()
        for at, junk in harms:
            begin = at % len(data)
            end = min(len(data), begin + len(junk))
            harmed[begin:end] = junk[: end - begin]
            hit |= {one.offset for one in frames if one.offset < end and begin < one.offset + one.length}
        file.write_bytes(harmed)
        try:
            after = list(left(segment, archive.storage))
        finally:
            file.write_bytes(data)

    assert len(frames) > 2
    rest = iter([page for one in frames for page in one.pages])
    assert all(page in rest for page in after), "pages as they were, in their order"
    assert all(page in after for one in frames if one.offset not in hit for page in one.pages)


def test_of_an_encrypted_segment_the_chunks_are_kept_that_open(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORTER_ARCHIVE_KEY", "00" * 32)
    monkeypatch.setattr(_segments, "FRAME", 20_000)
    Archive.create(bench.path, encrypted=True)
    bench.state.add_conversation("conv_e")
    chance = random.Random(1)
    for n in range(600):
        text = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=400))
        bench.state.add_item("conv_e", {"id": f"item_{n:03}", "type": "message", "role": "user", "content": text})
    bench.backup("conv_e")
    victim = max((bench.path / "segments").rglob("*.enc"), key=lambda one: one.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[100] ^= 1
    victim.write_bytes(data)

    done = accept(bench.path, list(check(bench.path)), tmp_path / "lost")

    assert done is not None
    assert done.given.kept_pages > 0
    assert done.given.pages > 0
    assert done.threads == 1
    assert not damages(bench.path)
    assert bench.backup(everything=False).exit_code == 0
    with Archive.open(bench.path) as archive:
        found = sorted(record.seq for record in archive.records(bench.ref("conv_e")))
    assert found == list(range(600))


@pytest.mark.parametrize("harm", ["missing", "a bit"])
def test_a_content_that_is_lost_is_given_up_and_told_once(bench: Bench, tmp_path: Path, harm: str) -> None:
    bench.state.add_file({"id": "file-1", "purpose": "vision"}, b"the only copy" * 99)
    bench.backup(thread_with(bench, "file-1"))
    (blob,) = (file for file in (bench.path / "blobs").rglob("*") if file.is_file())
    data = blob.read_bytes()
    HARMS[harm](blob)
    assert {one.code for one in damages(bench.path)} == {"content_missing" if harm == "missing" else "content_damaged"}

    done = accept(bench.path, list(check(bench.path)), tmp_path / "lost")

    assert done is not None
    assert done.given.contents == (blob.relative_to(bench.path).as_posix(),)
    assert (tmp_path / "lost" / done.given.contents[0]).exists() == (harm != "missing")
    found = list(check(bench.path, rebuild=True))
    assert [one.code for one in found if one.where == done.given.contents[0]] == ["content_given_up"]
    assert not [one for one in found if one.severity == "damage"]
    for part in range(1, 4):
        assert not [one for one in check(bench.path, subset=Part(part, 3)) if one.severity == "damage"]
    assert bench.backup().exit_code == 0

    blob.write_bytes(data)
    assert not [one for one in check(bench.path) if one.code.startswith("content")]


def test_a_table_file_that_is_damaged_too_stays_in_the_folder_whole(nights: Bench, tmp_path: Path) -> None:
    for victim in segments(nights.path):
        victim.unlink()
    table = max((nights.path / "messages").glob("2*.parquet"), key=lambda file: file.stat().st_size)
    data = bytearray(table.read_bytes())
    data[len(data) // 3] ^= 1
    table.write_bytes(data)

    done = accept(nights.path, list(check(nights.path)), tmp_path / "lost")

    assert done is not None
    assert (tmp_path / "lost" / "tables-before" / "messages" / table.name).read_bytes() == bytes(data)
    assert not (tmp_path / "lost" / "tables-before" / "threads").exists()


def test_a_full_disk_where_the_damaged_files_go_changes_nothing(
    nights: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = largest(nights.path)
    flip(victim)
    found = list(check(nights.path))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(DiskFull):  # noqa: PT012
        patch.setattr(shutil, "copyfile", full)
        accept(nights.path, found, tmp_path / "lost")
    assert victim.exists()
    assert list(check(nights.path)) == found
