"""`check` finds any changed byte and names its file; it never cries over a healthy archive."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.archive import TABLES, Archive
from exporter.archive._lines import page_lines, read_mark
from exporter.archive._manifests import Manifest, encode, numbers, read
from exporter.archive._parts import Part
from exporter.archive._published import Published
from exporter.archive._verify import Walk
from exporter.check import check, repair
from exporter.errors import ArchiveError, Damaged, NoArchive
from exporter.model import Finding, Item
from exporter.rebuild import rebuild
from exporter.schemas import SCHEMAS, VERSIONS
from exporter.storage import Storage, load
from tests.archive.making import THREAD, filled, in_memory, page, recover
from tests.archive.publishing import messages, publish_all, published, step, visit
from tests.conftest import Bench
from tests.fuzz.manifests import hashed


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


@pytest.fixture(scope="module")
def healthy() -> Iterator[Path]:
    """Read-only for tests: they change single bytes and change them back."""
    with in_memory() as folder:
        yield published(folder / "archive")


@pytest.fixture
def copied(healthy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(healthy, tmp_path / "copy"))


def damages(path: Path, *, rebuild: bool = False) -> list[Finding]:
    return [found for found in check(path, rebuild=rebuild) if found.severity == "damage"]


def kept(path: Path) -> Iterator[Path]:
    """Every file whose bytes were committed or published."""
    for folder in ("manifests", "segments", *TABLES):
        yield from sorted(file for file in (path / folder).rglob("*") if file.is_file())


def rows_in(file: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(file).num_rows)


def flipped(file: Path, at: int, bit: int) -> Iterator[None]:
    """Change one bit, and change it back."""
    data = file.read_bytes()
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    file.write_bytes(changed)
    yield
    file.write_bytes(data)


def test_a_healthy_archive_has_no_damage_and_its_gap_is_a_note(healthy: Path) -> None:
    notes = list(check(healthy, rebuild=True))

    assert [(found.severity, found.where) for found in notes] == [("note", "assistants/thread_1")]
    assert "gap in messages after msg_4: temporary" in notes[0].what


def test_one_flipped_bit_anywhere_is_found_and_its_file_named(healthy: Path) -> None:
    for number, file in enumerate(kept(healthy)):
        name, size = file.relative_to(healthy).as_posix(), file.stat().st_size
        for at in {0, size // 3, size // 2, size - 9, size - 1}:
            for _ in flipped(file, at, (number + at) % 8):
                assert name in [found.where for found in damages(healthy)], (name, at)


def test_one_flipped_bit_at_any_byte_of_a_manifest_is_found(healthy: Path) -> None:
    from exporter.archive import _verify

    file = healthy / "manifests" / "000000002.json"
    with Archive.open(healthy) as archive:
        identity = archive.id
    for at in range(file.stat().st_size):
        for _ in flipped(file, at, at % 8):
            found = [one for one in _verify.manifests(load("local", healthy), identity, 3) if isinstance(one, Finding)]
            assert "manifests/000000002.json" in [one.where for one in found], at


def test_a_missing_file_is_found_and_named(healthy: Path) -> None:
    for file in list(kept(healthy)):
        away = healthy / "away"
        file.rename(away)

        assert file.relative_to(healthy).as_posix() in [found.where for found in damages(healthy)]
        away.rename(file)
    assert not damages(healthy)


def test_every_finding_says_what_to_do(copied: Path) -> None:
    for file in list(kept(copied))[::3]:
        file.write_bytes(b"x")

    found = list(check(copied))
    assert all(one.where and one.what and one.help for one in found)
    assert not any(one.what.endswith(one.help) for one in found)


def test_files_that_nobody_made_are_notes(copied: Path) -> None:
    for name in ("messages/.DS_Store", "segments/2026/x.bak", "manifests/copy of 000000001.json"):
        (copied / name).parent.mkdir(parents=True, exist_ok=True)
        (copied / name).write_text("x")

    found = {one.where: one.severity for one in check(copied)}
    assert {"messages/.DS_Store", "segments/2026/x.bak", "manifests/copy of 000000001.json"} <= found.keys()
    assert set(found.values()) == {"note"}


def test_a_segment_whose_manifest_is_missing_is_to_be_kept(copied: Path) -> None:
    (copied / "manifests" / "000000001.json").unlink()

    (orphan,) = [one for one in check(copied) if one.where.startswith("segments/")]
    assert "000000001-" in orphan.where
    assert orphan.help.startswith("keep it")


def test_the_middle_of_a_backup_is_no_damage(copied: Path) -> None:
    with Archive.write(copied) as archive:
        archive.append([messages(5, 2)])
        assert not damages(copied, rebuild=True)
        archive.seal()
        assert not damages(copied, rebuild=True)
        archive.append([messages(7, 1), visit()])
        assert [f"journal/{p.name}" for p in (copied / "journal").iterdir()] == [
            found.where for found in check(copied) if "journal" in found.where
        ]
        archive.seal({"command": "backup"})
        assert not damages(copied, rebuild=True)
        publish_all(archive)
        assert not damages(copied, rebuild=True)


def test_a_crash_at_any_step_of_publishing_is_no_damage(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Archive.write(copied) as archive:
        archive.append([messages(5, 4), visit()])
        archive.seal()
    notes, base = Archive.note_table_file, copied.with_name("base")
    copied.rename(base)
    for crash_at in range(1, 100):
        count = [0]

        def noted(*args: object, count: list[int] = count, at: int = crash_at) -> None:
            count[0] += 1
            if count[0] == at:
                raise KeyboardInterrupt
            notes(*args)  # type: ignore[arg-type]

        shutil.copytree(base, copied)
        monkeypatch.setattr(Archive, "note_table_file", noted)
        try:
            with Archive.write(copied) as archive:
                publish_all(archive)
        except KeyboardInterrupt:
            pass
        else:
            break
        monkeypatch.setattr(Archive, "note_table_file", notes)

        assert not damages(copied, rebuild=crash_at % 3 == 0), crash_at
        if crash_at % 4:
            shutil.rmtree(copied)
            continue
        with Archive.write(copied) as archive:
            publish_all(archive)
        assert not damages(copied, rebuild=True), crash_at
        shutil.rmtree(copied)
    assert crash_at > 4


def test_a_hole_between_two_segments_of_one_walk_is_damage(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0, 3)], [page(3, 2)], [page(6, 1)])

    (found,) = damages(path)
    assert found.code == "segment_damaged"
    assert "/000000003-" in found.where
    assert "messages misses positions from 5" in found.what


def test_a_walk_that_begins_again_is_no_hole(tmp_path: Path) -> None:
    again = replace(page(5, 2), fresh=False)
    assert not damages(filled(tmp_path / "a", [page(0, 3)], [again], [page(0, 9, replace(THREAD, id="thread_2"))]))


def test_a_lost_catalog_is_damage_and_everything_else_is_checked(copied: Path) -> None:
    (copied / "catalog.sqlite").unlink()
    segment = next((copied / "segments").rglob("*.zst"))
    segment.write_bytes(segment.read_bytes()[:-1])

    assert ["catalog.sqlite", segment.relative_to(copied).as_posix()] == [found.where for found in damages(copied)]


def test_tables_that_no_catalog_notes_are_read_to_the_last_page(copied: Path) -> None:
    (copied / "catalog.sqlite").unlink()
    recover(copied)
    notes = {found.where for found in check(copied)}
    assert "messages/2025-10.parquet" in notes
    assert not damages(copied)

    file = copied / "messages" / "2025-10.parquet"
    for _ in flipped(file, 100, 3):
        assert [found.where for found in damages(copied)] == ["messages/2025-10.parquet"]


def test_a_broken_catalog_is_damage_and_says_rebuild(copied: Path) -> None:
    (copied / "catalog.sqlite").write_bytes(b"no database" * 1000)

    (found,) = damages(copied)
    assert (found.where, found.help) == ("catalog.sqlite", "run `exporter rebuild`")


@pytest.mark.parametrize(
    "harm", ["disk I/O error", "unable to open database file", "attempt to write a readonly database"]
)
def test_a_catalog_that_the_disk_or_its_rights_keep_from_being_read_is_no_damage(
    copied: Path, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, how: str) -> sqlite3.Connection:
        raise sqlite3.OperationalError(harm)

    monkeypatch.setattr("exporter.archive._sqlite._connect", refuse)

    with pytest.raises(ArchiveError, match=f"{harm}; check the disk") as raised:
        damages(copied)
    assert raised.value.exit_code == 1


def test_a_folder_where_the_catalog_belongs_is_damage(copied: Path) -> None:
    (copied / "catalog.sqlite").unlink()
    (copied / "catalog.sqlite").mkdir()

    assert [one.code for one in damages(copied)] == ["catalog_damaged"]


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="makes a disk")
def test_on_a_full_disk_a_healthy_archive_is_healthy(healthy: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk], check=False).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        path = Path(shutil.copytree(healthy, disk / "archive"))
        with suppress(OSError), (disk / "full").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        assert not damages(path)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_catalog_that_contradicts_itself_is_damage_and_says_what_and_rebuild(copied: Path) -> None:
    with closing(sqlite3.connect(copied / "catalog.sqlite")) as db:
        db.executescript(
            "CREATE TABLE odd (a); INSERT INTO odd VALUES (NULL); PRAGMA writable_schema = ON;"
            "UPDATE sqlite_master SET sql = 'CREATE TABLE odd (a NOT NULL)' WHERE name = 'odd';"
        )

    (found,) = damages(copied)
    assert (found.where, found.help) == ("catalog.sqlite", "run `exporter rebuild`")
    assert "NULL value in odd.a" in found.what


@pytest.mark.parametrize(
    ("number", "changed", "found"),
    [
        (1, {"run": "another"}, "it is not the file that manifests/000000002.json follows"),
        (2, {"number": 7}, "it says that its number is 7"),
    ],
)
def test_a_manifest_that_was_written_again_by_another_hand_is_found_although_its_hash_is_right(
    copied: Path, number: int, changed: dict[str, Any], found: str
) -> None:
    file = copied / "manifests" / f"00000000{number}.json"
    fields = {**json.loads(file.read_bytes()), **changed}
    fields.pop("sha256")
    file.write_bytes(hashed(fields))

    assert (file.relative_to(copied).as_posix(), found) in [(one.where, one.what) for one in damages(copied)]


def without_segment(path: Path, victim: int) -> str:
    """Write a manifest again without its segment, and all after it so that they follow it; return the segment."""
    storage = load("local", path)
    (segment,) = read_or_fail(storage, victim).segments
    for number in range(victim, max(numbers(storage)) + 1):
        found = read_or_fail(storage, number)
        before = read_or_fail(storage, number - 1).file_sha256 if number > 1 else None
        segments = () if number == victim else found.segments
        (path / found.name).unlink()
        (path / found.name).write_bytes(encode(replace(found, segments=segments, previous=before)))
    return segment.name


def read_or_fail(storage: Storage, number: int) -> Manifest:
    found = read(storage, number)
    assert found is not None
    return found


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("victim", [1, 2, 3])
def test_a_segment_that_a_manifest_written_again_does_not_name_any_more_is_damage(
    bench: Bench, victim: int, sealed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sealed:
        monkeypatch.setenv("EXPORTER_ARCHIVE_KEY", "00" * 32)
    Archive.create(bench.path, encrypted=sealed)
    for name in ("thread_1", "thread_2", "thread_3"):
        bench.state.add_message(bench.state.add_thread(name), {"content": name})
        bench.backup(name)
    storage = load("local", bench.path)
    dropped = [one for one in sorted(numbers(storage)) if read_or_fail(storage, one).segments][-victim]
    name = without_segment(bench.path, dropped)
    where = f"manifests/{dropped:09d}.json"

    found = damages(bench.path)
    assert [(one.code, one.where) for one in found] == [("manifest_damaged", where)]
    assert name in found[0].what
    assert [one.where for one in check(bench.path, subset=Part(1, 1)) if one.severity == "damage"] == [where]
    (bench.path / "catalog.sqlite").unlink()
    assert where in {one.where for one in damages(bench.path)}


def test_positions_of_a_page_that_do_not_ascend_are_damage() -> None:
    told = list(io.BytesIO(page_lines(page(3, 3), "r")))
    mark = read_mark(told.pop())
    Walk().step(mark, told)
    told.reverse()

    with pytest.raises(Damaged, match="positions in messages do not ascend by one; restore"):
        Walk().step(mark, told)


# Table files, beside a publication or after one that was cut short


def test_a_table_file_that_is_replaced_again_and_again_is_judged_when_it_is_left_alone(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "messages/2025-10.parquet"
    (copied / name).write_bytes(b"PAR1 half of it")
    real, looks = Published._sha256, 0

    def replaced(self: Published, file: str) -> str:
        nonlocal looks
        looks += 1
        with closing(sqlite3.connect(copied / "catalog.sqlite")) as db, db:
            db.execute("UPDATE table_files SET pending = ? WHERE name = ?", (f"{looks:064}", name))
        return real(self, file)

    with monkeypatch.context() as patch:
        patch.setattr(Published, "_sha256", replaced)
        assert [one for one in check(copied) if one.where == name] == []
    assert [one.where for one in damages(copied)] == [name]


def test_a_table_file_that_a_crash_left_announced_and_never_came_is_no_damage(copied: Path) -> None:
    name = "messages/2031-01.parquet"
    with Archive.write(copied) as archive:
        archive.note_table_file(name, "0" * 64, None)

    assert damages(copied) == []
    recover(copied)
    assert damages(copied) == []
    with Archive.open(copied) as archive:
        assert [row["pending"] for row in archive.catalog.table_rows(name)] == [None]


def test_a_table_file_that_became_neither_what_it_was_nor_what_was_announced_stays_damaged(copied: Path) -> None:
    name = "messages/2025-10.parquet"
    with Archive.write(copied) as archive:
        archive.note_table_file(name, "0" * 64, None)
    (copied / name).write_bytes(b"PAR1 of another hand")
    recover(copied)

    assert [one.where for one in damages(copied)] == [name]


def test_a_table_file_under_the_name_of_another_table_is_damage(copied: Path) -> None:
    shutil.copy(copied / "messages" / "2025-10.parquet", copied / "runs" / "2031-01.parquet")

    (found,) = damages(copied)
    assert (found.where, found.what) == ("runs/2031-01.parquet", "its footer does not say which table it is of")


def test_a_table_file_that_cannot_be_opened_is_damage(copied: Path) -> None:
    file = copied / "messages" / "2025-10.parquet"
    file.unlink()
    file.mkdir()

    assert "messages/2025-10.parquet" in [one.where for one in damages(copied)]


def test_a_catalog_behind_the_commits_is_a_note(copied: Path) -> None:
    catalog = (copied / "catalog.sqlite").read_bytes()
    step(copied, messages(5, 1))
    for file in TABLES:
        shutil.rmtree(copied / file)
    (copied / "catalog.sqlite").write_bytes(catalog)

    behind = [found for found in check(copied) if found.where == "catalog.sqlite"]
    assert [found.severity for found in behind] == ["note"]


def test_tables_with_other_rows_than_the_segments_differ_from_a_rebuild(copied: Path) -> None:
    with Archive.write(copied) as archive:
        archive.append([messages(5, 2)])
        archive.seal()
        archive.catalog.note_fact("published", str(archive.manifest()))  # which they are not

    assert [found.where for found in damages(copied)] == ["messages"]
    assert "messages/2026-02.parquet" in [found.where for found in damages(copied, rebuild=True)]


@pytest.fixture
def every_table(bench: Bench) -> Path:
    """An archive with rows in each table."""
    for thread in ("thread_1", "thread_2"):
        bench.state.add_thread(thread)
        for number in range(2):
            attached = {"attachments": [{"file_id": "file-none", "tools": []}]}
            bench.state.add_message(thread, {"id": f"msg_{number}_{thread}", "content": "one", **attached})
        run = bench.state.add_run(thread, {"status": "completed"})
        assert run is not None
        bench.state.add_step(thread, run, {"status": "completed"})
    bench.backup("thread_1", "thread_2")
    edited = {"id": "msg_0_thread_1", "role": "user", "created_at": 1_760_000_000, "content": []}
    bench.state.edit_message("thread_1", "msg_0_thread_1", edited)
    switches = bench.state.switches.with_changes({"lies": ["has_more_forever"], "lies_only": "thread_2/messages"})
    bench.state.switches = switches
    bench.backup(full=True)
    assert not damages(bench.path, rebuild=True)
    return bench.path


@pytest.mark.parametrize("table", TABLES)
def test_a_table_file_that_somebody_copied_beside_is_damage_and_is_mended(every_table: Path, table: str) -> None:
    first = max((every_table / table).glob("*.parquet"), key=rows_in)
    shutil.copy(first, first.with_name("2031-01.parquet"))

    assert "rows_doubled" in {one.code for one in damages(every_table)}
    list(repair(every_table, check(every_table)))
    assert not damages(every_table, rebuild=True)


def test_objects_of_two_histories_with_one_id_are_two(copied: Path) -> None:
    inside = replace(messages(0, 3, fresh=False), list="items:sub_1", parent="sub_1")
    step(copied, inside, replace(inside, items=(Item(None, b"{}"),)))
    step(copied, inside)

    assert not damages(copied, rebuild=True)


@pytest.mark.parametrize("where", [40, -3])
def test_a_table_file_that_cannot_be_read_is_named_by_a_rebuild_too(copied: Path, where: int) -> None:
    file = copied / "messages/2025-10.parquet"
    content = bytearray(file.read_bytes())
    content[where] ^= 0xFF
    file.write_bytes(content)

    what = [found.what for found in damages(copied, rebuild=True) if found.where == "messages/2025-10.parquet"]
    assert what == ["it is not the file that was published", "it differs from what the segments say"]


def test_tables_of_another_version_are_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(VERSIONS, "messages", "messages/1")
        path = published(tmp_path / "old")

    found = list(check(path, rebuild=True))
    assert [one.severity for one in found if one.where == "tables"] == ["note"]
    assert not [one for one in found if one.severity == "damage"]
    step(path, messages(5, 1))
    assert not [one for one in check(path, rebuild=True) if one.where == "tables"]


def test_a_hint_in_the_catalog_that_the_segments_do_not_say_differs_from_a_rebuild(copied: Path) -> None:
    with sqlite3.connect(copied / "catalog.sqlite") as db:
        db.execute("UPDATE threads SET title = 'other'")
    db.close()

    assert [found.where for found in damages(copied, rebuild=True)] == ["catalog.sqlite"]


def test_an_archive_file_of_another_archive_is_damage(copied: Path) -> None:
    about = copied / "archive.json"
    with Archive.open(copied) as archive:
        about.write_text(about.read_text().replace(archive.id, "0" * 32))

    found = damages(copied)
    assert "manifests/000000001.json" in [one.where for one in found]
    assert any("archive.json" in one.what for one in found)


def test_a_salvaged_journal_is_a_note(copied: Path) -> None:
    (copied / ".exporter" / "salvaged").mkdir()
    (copied / ".exporter" / "salvaged" / "x.jsonl").write_text("x")

    assert ".exporter/salvaged/x.jsonl" in [found.where for found in check(copied)]
    assert not damages(copied)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoArchive):
        list(check(tmp_path))


def test_checking_changes_no_committed_byte_and_leaves_no_file(healthy: Path) -> None:
    def state() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in healthy.rglob("*") if p.is_file() and "catalog.sqlite-" not in p.name}

    before = state()
    list(check(healthy, rebuild=True))

    assert before == state()
    assert set(SCHEMAS) == set(TABLES)


def test_a_cursor_that_rotted_in_the_catalog_is_damage_and_passes_nothing(bench: Bench) -> None:
    bench.state.add_conversation("conv_r")
    for n in range(120):
        bench.state.add_item("conv_r", {"id": f"msg_{n:05}", "type": "message", "role": "user", "content": f"{n}"})
    bench.backup("conv_r")
    file = bench.path / "catalog.sqlite"
    data = file.read_bytes()
    assert b"msg_00119" in data
    file.write_bytes(data.replace(b"msg_00119", b"msg_00129"))
    for n in range(120, 150):
        bench.state.add_item("conv_r", {"id": f"msg_{n:05}", "type": "message", "role": "user", "content": f"{n}"})

    assert [one.code for one in check(bench.path)] == ["catalog_damaged"]
    with pytest.raises(Damaged, match="where a list goes on is not what was written; run `exporter rebuild`"):
        bench.backup()
    assert len(bench.lines("conv_r")) == 120
    rebuild(bench.path)
    bench.backup()
    assert len(bench.lines("conv_r")) == 150
