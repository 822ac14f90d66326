"""`check --repair` mends all that is derived, never the truth, and says what is left."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from exporter.archive import Archive
from exporter.check import COPY, check, repair
from exporter.check._catalog import TIMES
from exporter.check._repair import MENDS
from exporter.check._unique import doubled
from exporter.cli import cli
from exporter.crawl import work_out
from exporter.errors import Locked
from exporter.model import Code, Finding
from exporter.retention import Policies
from tests.archive.making import in_memory, page
from tests.archive.publishing import published

TRUTH = ("segments", "manifests", "blobs", "archive.json")


@pytest.fixture
def archive() -> Iterator[Path]:
    with in_memory() as folder:
        yield published(folder / "archive")


def damages(path: Path) -> list[Finding]:
    return [one for one in check(path, rebuild=True) if one.severity == "damage"]


def truth(path: Path) -> dict[str, bytes]:
    files = (file for name in TRUTH for file in ((path / name).rglob("*") if (path / name).is_dir() else [path / name]))
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files if file.is_file()}


def second(path: Path) -> Path:
    """A segment with messages; the first has registrations only."""
    return sorted((path / "segments").rglob("*.zst"))[1]


def sql(text: str) -> Callable[[Path], object]:
    def run(path: Path) -> None:
        db = sqlite3.connect(path / "catalog.sqlite")
        db.execute(text)
        db.commit()
        db.close()

    return run


def double(path: Path) -> None:
    """Put a row of one month into another month too."""
    one, two = sorted((path / "messages").glob("2*.parquet"))[:2]
    both = pa.concat_tables([pq.read_table(two), pq.read_table(one).slice(0, 1)])
    order = pc.sort_indices(both, [(name, "ascending") for name in ("source", "endpoint", "thread_id", "seq")])
    pq.write_table(both.take(order).replace_schema_metadata(pq.read_schema(two).metadata), two)


HARMS: dict[str, tuple[Callable[[Path], object], Code]] = {
    "no catalog": (lambda path: (path / "catalog.sqlite").unlink(), "catalog_damaged"),
    "no database": (lambda path: (path / "catalog.sqlite").write_bytes(b"x" * 9999), "catalog_damaged"),
    "another manifest": (sql("UPDATE facts SET value = 'x' WHERE key = 'manifest'"), "catalog_damaged"),
    "another published": (sql("UPDATE facts SET value = 'x' WHERE key = 'published'"), "catalog_damaged"),
    "another title": (sql("UPDATE threads SET title = 'other'"), "catalog_differs"),
    "other tags": (sql("UPDATE threads SET tags = '{'"), "catalog_damaged"),
    "another cursor": (sql("UPDATE lists SET cursor = '\"msg_9\"'"), "catalog_damaged"),
    "no lists": (sql("DELETE FROM lists"), "catalog_differs"),
    "frames elsewhere": (sql('UPDATE frames SET "offset" = "offset" + 7'), "catalog_damaged"),
    "a time in the future": (sql("UPDATE threads SET visited_at = 4102444800"), "schedule_wrong"),
    "due in the future": (sql("UPDATE threads SET due_at = 4102444800"), "schedule_wrong"),
    "no time": (sql("UPDATE threads SET due_at = 'soon'"), "schedule_wrong"),
    "no table file": (lambda path: (path / "messages" / "2025-10.parquet").unlink(), "table_missing"),
    "no Parquet": (lambda path: (path / "threads" / "2025-10.parquet").write_bytes(b"PAR1"), "table_damaged"),
    "two rows": (double, "table_damaged"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_whatever_is_derived_is_mended_and_the_truth_stays(archive: Path, harm: str) -> None:
    do, code = HARMS[harm]
    before = truth(archive)
    do(archive)
    found = list(check(archive, rebuild=True))
    assert code in {one.code for one in found if one.severity == "damage"}
    assert all("--repair" in one.help or "rebuild" in one.help for one in found if one.severity == "damage")

    assert [one for one in repair(archive, found) if one.done]

    assert damages(archive) == []
    assert truth(archive) == before
    with Archive.open(archive) as opened:
        assert opened.catalog.fact("published") == str(opened.manifest())


def test_a_thread_with_a_time_that_cannot_be_true_is_due_again(archive: Path) -> None:
    HARMS["a time in the future"][0](archive)
    list(repair(archive, check(archive)))

    with Archive.open(archive) as opened:
        assert {known.due_at for known in opened.catalog.known()} == {""}


@pytest.mark.parametrize("column", TIMES)
def test_whatever_time_of_a_thread_is_none_is_set_anew(archive: Path, column: str) -> None:
    with Archive.write(archive) as writing:
        work_out(writing, Policies())
    sql(f"UPDATE threads SET {column} = 'soon' WHERE id = 'thread_2'")(archive)
    found = list(check(archive, rebuild=True))
    assert [one.code for one in found if one.severity == "damage"] == ["schedule_wrong"]

    list(repair(archive, found))

    assert damages(archive) == []


def test_rows_that_are_doubled_are_found_also_where_a_hash_agrees(archive: Path) -> None:
    assert list(doubled(archive)) == []
    double(archive)

    (one,) = doubled(archive)
    assert (one.code, one.where) == ("rows_doubled", "assistants/thread_1")
    assert "id msg_0" in one.what


def test_what_programs_left_that_died_is_removed_and_what_was_salvaged_is_not(archive: Path) -> None:
    left = [archive / ".exporter/tmp/abc/x", archive / ".exporter/rebuild/y", archive / ".README.md.77.tmp"]
    kept = archive / ".exporter/salvaged/j.jsonl"
    for file in (*left, kept):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")

    assert len([one for one in repair(archive, ()) if one.what.startswith("removed")]) == len(left)
    assert not any(file.exists() for file in left)
    assert kept.exists()


def test_damage_of_the_truth_is_left_and_said(archive: Path) -> None:
    segment = second(archive)
    segment.write_bytes(segment.read_bytes()[:-5])
    (archive / "messages" / "2025-10.parquet").unlink()
    before = truth(archive)

    told = list(repair(archive, check(archive)))
    assert [one.done for one in told] == [False]
    assert truth(archive) == before
    assert {one.code for one in damages(archive)} >= {"segment_damaged", "records_lost", "table_missing"}


def test_repair_beside_a_backup_is_refused(archive: Path) -> None:
    with Archive.write(archive) as writing:
        writing.append([page(5)])
        with pytest.raises(Locked):
            list(repair(archive, check(archive)))


def run(path: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["check", "-a", str(path), *words])


def test_a_user_is_told_what_was_mended_and_what_only_a_copy_mends(archive: Path) -> None:
    shutil.rmtree(archive / "messages")
    told = run(archive, "--repair", "--json")
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert (told.exit_code, lines[-1]["mended"], lines[-1]["only_a_copy"]) == (0, 1, 0)
    assert [line["where"] for line in lines if line["message_type"] == "mended"] == ["tables"]

    second(archive).unlink()
    told = run(archive, "--repair", "--json")
    summary = json.loads(told.stdout.splitlines()[-1])
    assert (told.exit_code, summary["exit_code"]) == (5, 5)
    assert summary["only_a_copy"] >= 2
    assert "only a copy of the archive mends them" in told.stderr


def test_every_line_of_json_is_a_typed_finding(archive: Path) -> None:
    (archive / "messages" / "2025-10.parquet").unlink()
    lines = [json.loads(line) for line in run(archive, "--json").stdout.splitlines()]

    findings = [line for line in lines if line["message_type"] == "finding"]
    assert {frozenset(line) for line in findings} == {
        frozenset({"message_type", "code", "where", "what", "help", "severity"})
    }
    assert {"table_missing", "gap"} <= {line["code"] for line in findings} <= set(get_args(Code))


def test_the_list_of_codes_is_the_one_that_is_documented() -> None:
    page = Path(__file__).parents[1].joinpath("docs/check.md").read_text("utf-8")
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    documented = [code for cell in cells for code in re.findall(r"`([a-z_]+)`", cell) if " " not in code]

    assert sorted(documented) == sorted(get_args(Code))
    assert not COPY & MENDS
