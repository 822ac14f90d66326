"""A backup verifies what it wrote, and a thirtieth of the rest: damage is found in the same run, or within thirty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import exporter.crawl
from exporter.archive import TABLES, Archive
from exporter.archive._parts import Part, Parts
from exporter.check import check
from exporter.cli import cli
from exporter.crawl import Report, _verification
from exporter.crawl._verification import PARTS, verify
from exporter.model import Finding
from tests.archive.making import THREAD, in_memory
from tests.archive.publishing import messages, publish_all, published, step, visit
from tests.conftest import Bench, rows

CONTENT = b"the content of a file that a message points to"


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


@pytest.fixture
def archived(bench: Bench) -> Bench:
    """An archive of two nights, with a file."""
    file = bench.state.add_file({"id": "file-1", "purpose": "vision"}, CONTENT)
    thread = bench.state.add_thread("thread_1")
    bench.state.add_message(thread, {"content": "old", "attachments": [{"file_id": file, "tools": []}]})
    bench.backup(thread)
    bench.state.add_message(thread, {"content": "newer"})
    assert bench.backup().exit_code == 0
    return bench


def flip(file: Path) -> bytes:
    """Change one bit, and return what the file was."""
    data = file.read_bytes()
    changed = bytearray(data)
    changed[len(data) // 2] ^= 4
    file.write_bytes(changed)
    return data


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def kept(path: Path) -> list[Path]:
    """A file of each kind that is committed or published: not the newest, which a run may build upon."""
    folders = {folder: sorted(f for f in (path / folder).rglob("*") if f.is_file()) for folder in ("segments", "blobs")}
    folders |= {table: sorted((path / table).glob("*.parquet")) for table in TABLES}
    folders["manifests"] = sorted((path / "manifests").iterdir())[1:]  # that of the segment has to be read
    return [files[0] for files in folders.values() if files]


def nights(bench: Bench, count: int = PARTS) -> Iterator[Report]:
    for _ in range(count):
        yield bench.backup(everything=False)


def test_a_bit_that_flipped_in_an_old_file_is_found_within_thirty_runs_and_at_once_in_its_part(
    archived: Bench,
) -> None:
    victims = {f.relative_to(archived.path).as_posix(): f for f in kept(archived.path)}
    assert {name.split("/")[0] for name in victims} >= {"segments", "blobs", "messages", "threads", "manifests"}
    were = {file: flip(file) for file in victims.values()}

    parts = [damages(archived.path, Part(number, PARTS)) for number in range(1, PARTS + 1)]
    assert sorted(name for part in parts for name in part) == sorted(victims)

    known: set[str] = set()
    for report in nights(archived):
        found = {one.where for one in report.findings}
        assert known <= found  # what was found is told by every run, until it is mended
        assert report.exit_code == (5 if found else 0)
        known = found
    assert known == victims.keys()
    for file, data in were.items():
        file.write_bytes(data)
    assert archived.backup(everything=False).exit_code == 0


def damages(path: Path, part: Part | None = None) -> list[str]:
    return [one.where for one in check(path, subset=part) if one.severity == "damage"]


def flipping(bench: Bench, monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    """Change the newest file that matches, between the writing and the verification."""

    def spoiled(archive: Archive, began: int, seconds: float) -> _verification.Verified:
        flip(max(bench.path.glob(pattern), key=lambda file: (file.stat().st_mtime_ns, file.name)))
        return verify(archive, began, seconds)

    monkeypatch.setattr(exporter.crawl, "verify", spoiled)


@pytest.mark.parametrize("pattern", ["segments/*/*/*", "blobs/sha256/*/*", "messages/2*", "manifests/*"])
def test_a_bit_that_flips_in_what_was_just_written_is_found_in_that_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    file = bench.state.add_file({"id": "file-1", "purpose": "vision"}, CONTENT)
    thread = bench.state.add_thread("thread_1")
    bench.state.add_message(thread, {"content": "x", "attachments": [{"file_id": file, "tools": []}]})
    flipping(bench, monkeypatch, pattern)
    report = bench.backup(thread)

    (finding,) = report.findings
    assert bench.path / finding.where in set(bench.path.glob(pattern))
    assert report.exit_code == 5
    assert (report.visited, report.complete) == (1, 1)
    assert finding.where in damages(bench.path)


def test_what_an_interrupted_run_wrote_is_verified_by_the_next(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(archive: Archive, began: int, seconds: float) -> _verification.Verified:
        raise KeyboardInterrupt

    bench.backup(bench.state.add_thread("thread_1"))
    bench.state.add_message("thread_1", {"content": "x"})
    with monkeypatch.context() as patch:
        patch.setattr(exporter.crawl, "verify", killed)
        with pytest.raises(KeyboardInterrupt):
            bench.backup()
    newest = max((bench.path / "segments").rglob("*.zst"))
    flip(newest)

    report = bench.backup(everything=False)
    assert [one.where for one in report.findings] == [newest.relative_to(bench.path).as_posix()]


def test_a_blob_that_is_missing_is_found_although_its_folder_is_empty(archived: Bench) -> None:
    (blob,) = (f for f in (archived.path / "blobs").rglob("*") if f.is_file())
    blob.unlink()

    report = next(report for report in nights(archived) if report.findings)
    assert [one.where for one in report.findings] == [blob.relative_to(archived.path).as_posix()]


def test_two_hundred_runs_raise_no_false_alarm(tmp_path: Path) -> None:
    path = published(tmp_path / "archive")
    with Archive.write(path) as archive:
        for night in range(200):
            began = archive.manifest()
            if night % 5 == 0:
                other = replace(THREAD, id=f"thread_{night}")
                archive.append([messages(0, 1, other), visit(other)])
            if night % 20 == 0:
                archive.append([messages(0, 3, fresh=False), visit()])
            archive.seal({"command": "backup"})
            publish_all(archive)
            done = verify(archive, began, 0)
            assert (done.damages, done.left) == ((), 0), night
            assert done.bytes > 0


def test_the_parts_are_the_whole_and_no_file_is_in_two(tmp_path: Path) -> None:
    path = published(tmp_path / "archive")
    with Archive.open(path) as archive:
        parts = Parts(archive)
        for of in (1, 7, 30):
            names = [name for number in range(1, of + 1) for name in parts.names(Part(number, of))]
            there = [f"{folder}/{f.name}" for folder in ("manifests", *TABLES) for f in (path / folder).iterdir()]
            assert sorted(names) == sorted([*there, "catalog.sqlite"])


def test_a_part_that_is_too_large_for_a_night_goes_on_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = published(tmp_path / "archive")
    for number in range(5):
        step(path, messages(5 + number, 1), visit())
    monkeypatch.setattr(_verification, "PARTS", 2)
    monkeypatch.setattr(_verification, "BYTES", 0)
    read: list[str] = []
    findings = Parts.findings

    def reading(parts: Parts, name: str) -> Iterator[Finding]:
        read.append(name)
        return findings(parts, name)

    monkeypatch.setattr(Parts, "findings", reading)
    with Archive.write(path) as archive:
        everything = [name for number in (1, 2) for name in Parts(archive).names(Part(number, 2))]
        lefts = [verify(archive, archive.manifest(), 0).left for _ in everything]

    first = len([name for name in everything if Part(1, 2).has(name)])
    assert read == everything
    assert lefts == [*range(first - 1, -1, -1), *range(len(everything) - first - 1, -1, -1)]


def test_the_next_manifest_tells_what_the_run_before_verified(archived: Bench) -> None:
    victim = min((archived.path / "segments").rglob("*.zst"))
    flip(victim)
    found = next(report for report in nights(archived) if report.findings)
    archived.backup(everything=False)
    with Archive.open(archived.path) as archive:
        told = archive.last_report()

    assert told is not None
    assert told["verified_bytes"] is None
    before = told["verified_before"]
    assert (before["run"], before["bytes"]) == (found.run, found.verified_bytes)
    assert [one["where"] for one in before["findings"]] == [victim.relative_to(archived.path).as_posix()]


def test_a_user_is_told_of_damage_and_that_what_was_fetched_is_archived(
    archived: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", archived.url)
    monkeypatch.setenv("OPENAI_API_KEY", archived.key)
    archived.state.add_message("thread_1", {"content": "newest"})
    flipping(archived, monkeypatch, "segments/*/*/*")

    told = run("backup", "--all", "-a", str(archived.path), "--json")
    summary = json.loads(told.stdout.splitlines()[-1])
    assert (told.exit_code, summary["exit_code"], summary["records"]) == (5, 5, 1)
    (finding,) = summary["findings"]
    assert finding["where"] in told.stderr
    assert len(rows(archived.path)) == 3


@pytest.mark.parametrize("words", [["0/30"], ["31/30"], ["x"], ["1/0"], ["3/30", "--rebuild"]])
def test_a_part_that_does_not_exist_is_a_mistake(tmp_path: Path, words: list[str]) -> None:
    assert run("check", "-a", str(published(tmp_path / "archive")), "--subset", *words).exit_code == 2


def test_a_part_is_checked_by_hand(tmp_path: Path) -> None:
    path = published(tmp_path / "archive")
    victim = min((path / "messages").iterdir())
    flip(victim)
    told = [run("check", "-a", str(path), "--subset", f"{number}/4") for number in (1, 2, 3, 4)]

    assert sorted(one.exit_code for one in told) == [0, 0, 0, 5]
    assert f"messages/{victim.name}" in "".join(one.stdout for one in told)
