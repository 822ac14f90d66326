"""What pandas, Polars and DuckDB read, and how much memory publishing takes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from exporter.model import Registration, ThreadRef
from exporter.schemas import SCHEMAS
from exporter.tables import publish
from tests import sdk_objects
from tests.tables.making import FakeReader, Page, message, page, rows_of, thread, visit

NASTY = [
    "",
    "emoji 😀🏳️‍🌈",
    "עברית مرحبا",
    "a\0b",
    "line\u2028sep\u2029",
    "\ud800 half",
    "x" * 1_000_000,
    "\r\n\t\x1b[31m",
]


def nasty(path: Path) -> FakeReader:
    items: list[tuple[str | None, Any]] = [message(f"m{i}", text) for i, text in enumerate(NASTY)]
    bodies = [
        b'{"id":"n%d","content":%s,"big":1180591620717411303424,"e":1e400}' % (i, b"[" * i + b"]" * i) for i in (1, 900)
    ]
    items += [(f"n{i}", body) for i, body in enumerate(bodies)]
    items += [("u1", {"id": "u1", "type": "never_heard_of", "status": 7}), (None, "words"), (None, None), (None, [1])]
    return FakeReader(path, [page(1, thread("t\ud800\0'../x"), "message", items), visit(1, thread(), "complete", 1)])


def test_pandas_polars_and_duckdb_read_the_folder_plainly(tmp_path: Path) -> None:
    duckdb, pandas, polars = (pytest.importorskip(name) for name in ("duckdb", "pandas", "polars"))
    publish(nasty(tmp_path), 0)
    folder = tmp_path / "messages"

    frame = pandas.read_parquet(folder)
    lazy = polars.read_parquet(folder / "*.parquet")
    db = duckdb.connect()
    count, texts = db.execute(f"select count(*), list(text order by seq) from '{folder}/*.parquet'").fetchone()
    assert len(frame) == lazy.height == count == len(NASTY) + 6
    assert list(frame.sort_values("seq")["text"])[:8] == lazy.sort("seq")["text"].to_list()[:8] == texts[:8]
    assert texts[:8] == [text.replace("\ud800", "\ufffd") for text in NASTY]
    assert str(frame["ts"].dtype) == "datetime64[us, UTC]"
    assert lazy.schema["ts"] == polars.Datetime("us", "UTC")
    for table in SCHEMAS:
        assert list(pandas.read_parquet(tmp_path / table).columns) == SCHEMAS[table].names


def every_source(path: Path) -> FakeReader:
    """Threads of every source, with objects of every shape that the SDK knows."""
    pages = []
    for place, (shape, (source, kind, _)) in enumerate(sdk_objects.SHAPES.items()):
        ref = thread("t1", source)
        bodies = [sdk_objects.objects(shape, seed) for seed in range(30)]
        items: list[tuple[str | None, Any]] = [(f"{place}-{i}", body) for i, body in enumerate(bodies)]
        if kind == "thread":
            items = [(ref.id, bodies[0])]
        elif kind == "file":
            items = [(name, {"type": "file", "name": "\ud800", "bytes": 1, "object": body}) for name, body in items]
        parent = "run_1" if kind == "step" else "sub_1" if place % 2 else None
        pages.append(page(1, ref, kind, items, parent=parent))
    return FakeReader(path, pages)


def test_all_readers_agree_about_every_table_of_every_source(tmp_path: Path) -> None:
    duckdb, pandas, polars = (pytest.importorskip(name) for name in ("duckdb", "pandas", "polars"))
    publish(every_source(tmp_path), 0)

    for table in SCHEMAS:
        names = [name for name in SCHEMAS[table].names if SCHEMAS[table].field(name).type != pa.timestamp("us", "UTC")]
        exact = rows_of(tmp_path, table)
        frame = pandas.read_parquet(tmp_path / table, columns=names)
        lazy = polars.read_parquet(tmp_path / table / "*.parquet").select(names)
        listed = ", ".join(f'"{name}"' for name in names)
        found = duckdb.sql(f"select {listed} from '{tmp_path / table}/*.parquet'").fetchall()
        counts = Counter(tuple(row[name] for name in names) for row in exact)
        assert Counter(found) == Counter(lazy.rows()) == counts
        told = frame.astype(object).where(frame.notna(), None)
        assert Counter(told.itertuples(index=False, name=None)) == counts
    assert {row["source"] for row in rows_of(tmp_path, "messages")} >= {"chatkit", "completions", "responses", "agents"}
    assert len(rows_of(tmp_path, "files")) == 4 * 30


def test_an_archive_in_which_nothing_was_found_can_be_read(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    publish(FakeReader(tmp_path, []), 0)

    assert len(pandas.read_parquet(tmp_path / "messages")) == 0


def test_a_long_thread_is_published_in_flat_memory(tmp_path: Path) -> None:
    code = "import tests.tables.test_other_programs as t; t.measure(12_000)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert float(done.stdout.split()[0]) < 60


def measure(count: int, *, again: bool = False) -> None:
    """Print how many MB publishing one thread takes above what the imports take, and its rows per second."""
    import resource
    import tempfile
    import time

    class Long(FakeReader):
        def owner(self, thread: ThreadRef) -> Registration:
            return Registration(thread)

        def pages(self, since: int) -> Iterator[Page]:
            for start in range(since, count, 100):
                items: list[tuple[str | None, Any]] = [
                    message(f"msg_{i:024}", f"{i:07} {WORDS}", 1_760_000_000 + i * 20, metadata={"n": str(i)})
                    for i in range(start, start + 100)
                ]
                yield page(1, thread(), "message", items, seq=start, fresh=not again)

    with tempfile.TemporaryDirectory() as folder:
        reader = Long(Path(folder), [])
        reader.newest = 1
        publish(FakeReader(Path(folder) / "warm", [page(1, thread(), "message", [message("m")])]), 0)
        before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        publish(reader, 0)
        took = time.perf_counter() - begin
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{peak:.1f} MB, {count / took:.0f} rows/s")


WORDS = " ".join(f"{i * 7919 % 104729:x}" for i in range(180))
