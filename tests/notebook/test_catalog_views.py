"""What SQL sees of the catalog: the same as `exporter status`, in flat memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import exporter
from exporter.archive import Archive
from exporter.archive.catalog import NEVER, stamp
from exporter.model import Registration, ThreadRef, now
from exporter.notebook._catalog import Stream
from exporter.outlook import at_risk, learned
from exporter.registry import register
from exporter.retention import DAY
from tests.conftest import Bench
from tests.test_outlook import quiet


def ref(name: str) -> ThreadRef:
    return ThreadRef("responses", "http://server", name)


def test_at_risk_are_those_that_status_names(tmp_path: Path) -> None:
    at, path = now(), tmp_path / "it's"
    past, soon = stamp(at - 2 * DAY), stamp(at + 3 * DAY)
    hints: dict[str, dict[str, str]] = {
        "soon": {"deadline_at": soon},
        "passed": {"deadline_at": stamp(at - DAY), "due_at": past, "visited_at": past},
        "far": {"deadline_at": stamp(at + 30 * DAY), "due_at": past},
        "final": {"due_at": NEVER},
        "never": {},
    }
    Archive.create(path)
    notebook = exporter.open(path)
    with Archive.write(path) as archive:
        register(archive, [Registration(ref(name), user="ann") for name in hints])
        archive.catalog.note_hints({ref(name): dict(said) for name, said in hints.items() if said})

        found = notebook.sql("select thread_id, deadline_at, round(days, 3) from at_risk").fetchall()
        named = [known.thread.id for known in at_risk(archive.catalog, at, 7)]
        assert [row[0] for row in found] == named == ["passed", "soon"]
        assert [row[2] for row in found] == [pytest.approx(-1, abs=0.01), pytest.approx(3, abs=0.01)]
        assert abs(found[1][1] - (at + 3 * DAY)) < timedelta(seconds=1)
        told = "select thread_id, state, user, due_at is null, deadline_at is null from registry order by thread_id"
        assert notebook.sql(told).fetchall() == [
            ("far", "new", "ann", False, False),
            ("final", "new", "ann", True, True),
            ("never", "new", "ann", True, True),
            ("passed", "new", "ann", False, False),
            ("soon", "new", "ann", True, False),
        ]


def test_retention_is_what_was_learned(bench: Bench) -> None:
    threads = [quiet(bench, f"thread_{number}", days=10 + 10 * number) for number in range(4)]
    bench.backup(*threads)
    notebook = exporter.open(bench.path)
    assert notebook.sql("select * from retention").fetchall() == []
    for thread in threads[:3]:
        bench.state.delete_thread(thread)
    bench.backup()

    with Archive.open(bench.path) as archive:
        (one,) = learned(archive.catalog)
    (row,) = notebook.sql("select * from retention").fetchall()
    assert row == (one.source, one.endpoint, 3, one.gone.median, one.gone.p10, one.gone.p90)
    assert [round(days) for days in row[3:]] == [20, 10, 30]
    assert notebook.sql("select count(*) from dormant").fetchall() == [(1,)]
    assert notebook.sql("select thread_id from registry where gone_at is not null").fetchall() != []


def test_a_large_registry_is_read_in_flat_memory(tmp_path: Path) -> None:
    code = "import tests.notebook.test_catalog_views as t; t.measure(200_000)"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    assert float(done.stdout.split()[0]) < 30, done.stdout


def measure(count: int) -> None:
    """Print how many MB a stream of many rows takes above what one of a few takes."""
    import resource
    import tempfile

    def rows(archive: Archive) -> Iterator[tuple[Any, ...]]:
        return ((f"{i} " * 100,) for i in range(how_many[0]))

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    with tempfile.TemporaryDirectory() as folder:
        path, how_many = Path(folder) / "a", [5_000]
        Archive.create(path)
        notebook = exporter.open(path, threads=1)
        notebook.register("many", Stream(path, pa.schema([pa.field("title", pa.string())]), rows))
        assert notebook.sql("select count(title), max(title) from many").fetchall()[0][0] == 5_000
        how_many, before = [count], peak()
        assert notebook.sql("select count(title), max(title) from many").fetchall()[0][0] == count
        print(f"{peak() - before:.1f} MB")
