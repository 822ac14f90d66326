"""The files of the tables: private, noted, and made again where their columns are of another version."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exporter.errors import Damaged
from exporter.schemas import SCHEMAS, SORT, VERSIONS
from exporter.tables import Published, _parquet, compare, publish
from tests.tables.making import FakeReader, crashes, message, page, rebuilt, rows_of, thread, visit


def test_files_are_private_alone_and_say_what_they_contain(tmp_path: Path) -> None:
    publish(FakeReader(tmp_path, [page(7, thread(), "message", [message("m1")])]), 0)

    for table in SCHEMAS:
        assert (tmp_path / table).stat().st_mode & 0o777 == 0o700
        for file in (tmp_path / table).iterdir():
            about = pq.ParquetFile(file)
            assert file.suffix == ".parquet"
            assert file.stat().st_mode & 0o777 == 0o600
            assert about.schema_arrow.remove_metadata() == SCHEMAS[table]
            said = about.metadata.metadata or {}
            assert (said[b"exporter.schema"], said[b"exporter.manifest"]) == (VERSIONS[table].encode(), b"7")
    assert {f.name for f in (tmp_path / "messages").iterdir()} == {"0000-00.parquet", "2025-10.parquet"}
    assert not list((tmp_path / ".exporter/tmp").iterdir())


@pytest.mark.parametrize("harm", ["flip", "gone", "other"])
def test_a_file_that_was_changed_by_others_stops_publishing(tmp_path: Path, harm: str) -> None:
    reader = FakeReader(tmp_path, [page(1, thread(), "message", [message("m1")])])
    publish(reader, 0)
    file = tmp_path / "messages/2025-10.parquet"
    if harm == "flip":
        data = bytearray(file.read_bytes())
        data[40] ^= 1
        file.write_bytes(data)
    elif harm == "gone":
        file.unlink()
    else:
        pq.write_table(pa.table({"a": [1]}), file)
    reader.all.append(page(2, thread(), "message", [message("m2")], seq=1))
    reader.newest = 2

    with pytest.raises(Damaged, match="exporter rebuild"):
        publish(reader, 1)


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_file_that_comes_back_other_than_it_was_written_is_not_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: float
) -> None:
    def lying(number: int) -> None:
        size = os.fstat(number).st_size
        if size > 20_000:
            at = int(size * place)
            os.pwrite(number, bytes([os.pread(number, 1, at)[0] ^ 1]), at)

    monkeypatch.setattr(_parquet, "GROUP_BYTES", 5_000)
    monkeypatch.setattr(os, "fsync", lying)
    many = [message(f"m{at}", "".join(random.Random(at).choices("abcdefgh", k=500))) for at in range(200)]

    with pytest.raises(Damaged, match=r"check the disk and run again|run `exporter rebuild`"):
        publish(FakeReader(tmp_path, [page(1, thread(), "message", list(many))]), 0)

    assert [file.name for file in (tmp_path / "messages").iterdir()] == ["0000-00.parquet"]


def test_compare_names_the_files_that_differ(tmp_path: Path) -> None:
    for name, text in (("a", "x"), ("b", "y")):
        publish(FakeReader(tmp_path / name, [page(1, thread(), "message", [message("m1", text)])]), 0)

    assert list(compare(tmp_path / "a", tmp_path / "b")) == ["messages/2025-10.parquet"]
    assert list(compare(tmp_path / "a", tmp_path / "a")) == []
    (tmp_path / "b/threads/2026-09.parquet").unlink()
    assert list(compare(tmp_path / "a", tmp_path / "b")) == ["messages/2025-10.parquet", "threads/2026-09.parquet"]


@pytest.mark.parametrize("harm", ["columns", "rows", "page", "footer"])
def test_compare_looks_into_the_files(tmp_path: Path, harm: str) -> None:
    for name in ("a", "b"):
        publish(FakeReader(tmp_path / name, [page(1, thread(), "message", [message("m1", "x" * 5000)])]), 0)
    file = tmp_path / "b/messages/2025-10.parquet"
    held = pq.read_table(file)
    if harm == "columns":
        pq.write_table(held.drop_columns(["text"]), file)
    elif harm == "rows":
        pq.write_table(pa.concat_tables([held, held]), file)
    else:
        data = bytearray(file.read_bytes())
        data[10 if harm == "page" else -20] ^= 0xFF
        file.write_bytes(data)

    assert list(compare(tmp_path / "a", tmp_path / "b")) == ["messages/2025-10.parquet"]


@pytest.mark.parametrize(
    ("rows", "columns", "written", "told"),
    [
        (3, SCHEMAS["messages"], None, "3 rows were written and 2 came back; check the disk and run again"),
        (2, SCHEMAS["runs"], None, "2 rows were written and 2 came back; check the disk and run again"),
        (2, SCHEMAS["messages"], "0" * 64, "other bytes came back than were written; check the disk and run again"),
        (2, SCHEMAS["messages"], None, None),
    ],
)
def test_a_file_is_proven_by_its_rows_its_columns_and_its_bytes(
    tmp_path: Path, rows: int, columns: pa.Schema, written: str | None, told: str | None
) -> None:
    publish(FakeReader(tmp_path, [page(1, thread(), "message", [message("m1"), message("m2")])]), 0)
    file = tmp_path / "messages/2025-10.parquet"
    sha = _parquet.sha256(file)
    table = next(name for name, schema in SCHEMAS.items() if schema == columns)

    if told is None:
        assert _parquet.proven(file, table, rows, sha) == sha
    else:
        with pytest.raises(Damaged, match=told):
            _parquet.proven(file, table, rows, written or sha)


@pytest.mark.parametrize("statistics", [True, False])
def test_threads_are_found_in_a_file_that_says_nothing_of_its_groups(tmp_path: Path, statistics: bool) -> None:
    names = pa.array([f"t{number:02}" for number in range(40)])
    file = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"thread_id": names}), file, row_group_size=10, write_statistics=statistics)

    def asked(threads: list[str] | None) -> list[str | None]:
        return [one for batch in _parquet.rows_among(file, threads, ["thread_id"]) for one in batch[0].to_pylist()]

    assert asked(["t07", "t19", "t99"]) == ["t07", "t19"]
    assert asked([]) == []
    assert asked(None) == names.to_pylist()


def old_tables(reader: FakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish as a version did that knew no `parent_id`, and one month more."""
    schema = SCHEMAS["messages"]
    with monkeypatch.context() as patch:
        patch.setitem(VERSIONS, "messages", "messages/1")
        patch.setitem(SCHEMAS, "messages", schema.remove(schema.get_field_index("parent_id")))
        patch.setitem(SORT, "messages", ("source", "endpoint", "thread_id", "seq", "message_id"))
        publish(reader, 0)


@pytest.mark.parametrize("steps", [0, 1, 3, 6, 9, 12, 100])
def test_tables_with_the_columns_of_another_version_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    reader = FakeReader(tmp_path / "a", [page(1, thread(), "message", [message("m1")]), visit(1, thread(), "gone", 1)])
    old_tables(reader, monkeypatch)
    reader.all.append(page(2, thread(), "message", [message("m2", created_at=1_763_000_000)], seq=1, parent="sub_1"))
    reader.newest = 2
    crashes(reader, 1, steps)
    publish(reader, 1)

    assert rebuilt(reader, tmp_path / "b") == []
    assert {row["parent_id"] for row in rows_of(tmp_path / "a", "messages")} == {None, "sub_1"}
    assert publish(reader, 2) == Published(0, 0)


def test_making_tables_again_leaves_nothing_that_is_not_in_the_segments(tmp_path: Path) -> None:
    reader = FakeReader(tmp_path, [page(1, thread(), "message", [message("m1"), message("m2", created_at=None)])])
    publish(reader, 0)
    del reader.all[0][2][1]
    (tmp_path / "messages/2025-10.parquet").write_bytes(b"no table")
    publish(reader, 0, afresh=True)

    assert [row["message_id"] for row in rows_of(tmp_path, "messages")] == ["m1"]
    assert {name for name, noted in reader.notes.items() if noted.sha256} == {
        f"{file.parent.name}/{file.name}" for file in tmp_path.glob("*/*.parquet")
    }
