"""Publishing is one function of the pages, however often it runs and wherever it is cut."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.archive import TableFile
from exporter.errors import Damaged
from exporter.files import sync_folder
from exporter.model import Kind, Mark, Position, Record, Registration, ThreadRef
from exporter.schemas import SCHEMAS, SORT, VERSIONS
from exporter.tables import Published, _files, _parquet, _sorting, compare, publish
from tests.archive.making import in_memory

T0 = datetime(2026, 9, 1, tzinfo=UTC)
Page = tuple[int, Mark, list[Record]]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


class Crash(Exception):
    """The machine stops here."""


class FakeReader:
    """An archive in a list: each page stands in the segment of a manifest."""

    def __init__(self, path: Path, all_pages: list[Page]) -> None:
        self.path = path
        self.all = all_pages
        self.newest = max((number for number, _, _ in all_pages), default=0)
        self.notes: dict[str, TableFile] = {}
        self.before_note: Callable[[], None] = lambda: None
        self._tmp = 0

    def pages(self, since: int) -> Iterator[Page]:
        return (page for page in self.all if since < page[0] <= self.newest)

    def thread_pages(self, thread: ThreadRef, kind: str) -> Iterator[Page]:
        return (page for page in self.pages(0) if page[1].thread == thread and page[1].kind == kind)

    def owners(self, threads: Iterable[ThreadRef]) -> dict[ThreadRef, Registration]:
        return {ref: self.owner(ref) for ref in threads}

    def owner(self, thread: ThreadRef) -> Registration:
        said: dict[str, Any] = {}
        for _, _, records in self.thread_pages(thread, "registration"):
            for record in records:
                said |= {k: v for k, v in json.loads(record.body).items() if v is not None}
        return Registration(thread, **said)

    def manifest(self) -> int:
        return self.newest

    def tmp(self) -> Path:
        self._tmp += 1
        path = self.path / ".exporter" / "tmp" / f"{os.getpid()}-{self._tmp}"
        path.mkdir(parents=True)
        return path

    def table_files(self) -> dict[str, TableFile]:
        return {name: noted for name, noted in self.notes.items() if noted.sha256}

    def note_table_file(self, name: str, pending: str | None, final: TableFile | None) -> None:
        assert pending is None or len(pending) == 64
        self.before_note()
        if final is not None:
            self.notes[name] = final


def thread(name: str = "t1", source: str = "assistants") -> ThreadRef:
    return ThreadRef(source, "https://api.example/v1", name)


def page(
    number: int,
    ref: ThreadRef,
    kind: Kind,
    items: list[tuple[str | None, Any]],
    *,
    seq: int = 0,
    fresh: bool = True,
    at: int = 0,
    parent: str | None = None,
) -> Page:
    when = T0 + timedelta(hours=at)
    records = [
        Record(ref, kind, key, seq + i, when, body if isinstance(body, bytes) else dumps(body), "run", parent)
        for i, (key, body) in enumerate(items)
    ]
    mark = Mark(
        ref, kind, kind + "s", seq, len(records), Position(None, seq + len(items), more=False), fresh, when, "r"
    )
    return number, mark, records


def dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def message(key: str, text: str = "hi", created_at: Any = 1_760_000_000, **more: Any) -> tuple[str, dict[str, Any]]:
    body = {"id": key, "object": "thread.message", "created_at": created_at, "role": "user", "content": text}
    return key, body | more


def visit(number: int, ref: ThreadRef, state: str, at: int, gaps: list[Any] | None = None) -> Page:
    said = {"state": state, "code": None, "error": None, "records": 0, "gaps": gaps or []}
    return page(number, ref, "visit", [(None, said)], at=at)


def rows_of(path: Path, table: str) -> list[dict[str, Any]]:
    found = [row for file in sorted((path / table).glob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    return sorted(found, key=lambda row: [str(row[key]) if key != "seq" else row[key] for key in SORT[table]])


def rebuilt(reader: FakeReader, into: Path) -> list[str]:
    publish(reader, 0, into)
    return list(compare(reader.path, into))


# Laws


@st.composite
def histories(draw: st.DrawFn) -> list[Page]:
    """Any crawl: threads that grow, are walked again, change, get another owner, go away."""
    made: list[Page] = []
    threads = [thread("t1"), thread("t1", "other"), thread("t2")]
    seen: dict[tuple[ThreadRef, str], list[tuple[str | None, Any]]] = {}
    number = 1
    for at in range(draw(st.integers(1, 14))):
        number += draw(st.integers(0, 1))
        ref = draw(st.sampled_from(threads))
        what = draw(st.sampled_from(["new", "new", "again", "run", "step", "visit", "registration", "thread"]))
        if what == "visit":
            gaps = draw(st.lists(st.sampled_from(["messages", "runs"]), unique=True))
            named = [{"list": name, "after": None, "code": "lie", "detail": "d"} for name in gaps]
            made.append(visit(number, ref, draw(st.sampled_from(["complete", "partial", "gone"])), at, named))
        elif what == "registration":
            said = {"profile": "p", "user": draw(st.sampled_from([None, "u1", "u2"])), "title": None, "tags": ["a"]}
            made.append(page(number, ref, "registration", [(None, said)], at=at))
        elif what == "thread":
            body: dict[str, Any] = {"id": ref.id, "metadata": {"n": str(draw(st.integers(0, 1)))}}
            body |= draw(st.sampled_from([{}, {"created_at": 1_750_000_000}]))
            made.append(page(number, ref, "thread", [(ref.id, body)], fresh=False, at=at))
        else:
            kind: Kind = "message" if what in ("new", "again") else "run" if what == "run" else "step"
            known = seen.setdefault((ref, kind), [])
            if what == "again" and known:
                again = [(k, b | {"status": draw(st.sampled_from(["x", "y"]))}) for k, b in known]
                made.append(page(number, ref, kind, again, fresh=False, at=at))
            else:
                start = len(known)
                months = st.sampled_from([None, 1_760_000_000, 1_763_000_000, 1_766_000_000])
                fresh = [message(f"m{start + i}", created_at=draw(months)) for i in range(draw(st.integers(0, 4)))]
                known += fresh
                parent = "run_1" if kind == "step" else None
                made.append(page(number, ref, kind, list(fresh), seq=start, at=at, parent=parent))
    return made


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), st.data())
def test_any_history_of_publishing_equals_one_rebuild(pages: list[Page], data: st.DataObject) -> None:
    with in_memory() as root:
        reader = FakeReader(root / "a", pages)
        last, since = reader.newest, 0
        while since < last:
            reader.newest = data.draw(st.integers(since + 1, last))
            publish(reader, since)
            since = reader.newest

        assert rebuilt(reader, root / "b") == []


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), st.data())
def test_a_crash_anywhere_and_publishing_again_give_the_same(pages: list[Page], data: st.DataObject) -> None:
    with in_memory() as root:
        reader = FakeReader(root / "a", pages)
        last = reader.newest
        reader.newest = since = data.draw(st.integers(0, last))
        publish(reader, 0)
        reader.newest = data.draw(st.integers(since, last))
        if crashes(reader, since, data.draw(st.integers(0, 12))):
            reader.newest = last
        else:
            reader.newest, since = last, reader.newest
        publish(reader, since)

        assert rebuilt(reader, root / "b") == []


def crashes(reader: FakeReader, since: int, steps: int) -> bool:
    """Publish with a crash after a few steps; tell whether it was in time."""
    with pytest.MonkeyPatch.context() as patch:
        crash_after(reader, patch, steps)
        try:
            publish(reader, since)
        except Crash:
            return True
        finally:
            reader.before_note = lambda: None
    return False


def crash_after(reader: FakeReader, patch: pytest.MonkeyPatch, steps: int) -> None:
    """Let a few writes, replacements and notes happen, and then none."""
    left = [steps]

    def step() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Crash

    def stepping(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            step()
            return function(*args, **kwargs)

        return wrapped

    reader.before_note = step
    patch.setattr(os, "replace", stepping(os.replace))
    patch.setattr(_files, "sync_folder", stepping(sync_folder))
    patch.setattr(_parquet, "_write_group", stepping(_parquet._write_group))


def test_small_blocks_and_many_runs_give_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = []
    for i in range(60):
        ref = thread(f"t{i % 7}")
        items = [message(f"m{i}-{j}", created_at=1_760_000_000 + 1_000_000 * j) for j in range(6)]
        pages.append(page(1 + i // 15, ref, "message", list(items), seq=6 * (i // 7), at=i))
    reader = FakeReader(tmp_path / "a", pages)
    publish(reader, 0)
    for name, value in (("PACK_BYTES", 4000), ("RUN_BYTES", 3000), ("BLOCK_BYTES", 700), ("FAN", 4)):
        monkeypatch.setattr(_sorting, name, value)
    for name, value in (("GROUP_BYTES", 5000), ("READ_BYTES", 700)):
        monkeypatch.setattr(_parquet, name, value)

    assert rebuilt(reader, tmp_path / "b") == []
    positions = [
        (r["thread_id"], r["seq"])
        for f in sorted((tmp_path / "b/messages").iterdir())[1:2]
        for r in pq.read_table(f).to_pylist()
    ]
    assert positions == sorted(positions)
    assert len(rows_of(tmp_path / "b", "messages")) == 360


# What the rows say


def test_a_changed_object_is_one_row_and_two_revisions(tmp_path: Path) -> None:
    ref = thread()
    reader = FakeReader(
        tmp_path,
        [
            page(1, ref, "message", [message("m1", "old"), message("m2")]),
            page(2, ref, "message", [message("m1", "new"), message("m2"), message("m3")], fresh=False, at=5),
        ],
    )
    publish(reader, 0)

    rows = rows_of(tmp_path, "messages")
    assert [(r["message_id"], r["text"], r["revision"]) for r in rows] == [
        ("m1", "new", 1),
        ("m2", "hi", 0),
        ("m3", "hi", 0),
    ]
    assert (rows[0]["first_seen_at"], rows[0]["observed_at"]) == (T0, T0 + timedelta(hours=5))
    revisions = rows_of(tmp_path, "revisions")
    assert [(r["object_id"], r["revision"], json.loads(r["body_json"])["content"]) for r in revisions] == [
        ("m1", 0, "old"),
        ("m1", 1, "new"),
    ]
    assert rows_of(tmp_path, "threads")[0]["messages"] == 3


def test_a_month_without_change_is_not_rewritten(tmp_path: Path) -> None:
    ref = thread()
    old, young = message("m1", created_at=1_760_000_000), message("m2", created_at=1_763_000_000)
    reader = FakeReader(tmp_path, [page(1, ref, "message", [old, young])])
    publish(reader, 0)
    before = {f.name: f.stat().st_ino for f in (tmp_path / "messages").iterdir()}
    reader.all.append(page(2, ref, "message", [old, (young[0], young[1] | {"status": "new"})], fresh=False, at=1))
    reader.newest = 2

    published = publish(reader, 1)

    after = {f.name: f.stat().st_ino for f in (tmp_path / "messages").iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"2025-11.parquet"}
    assert published == Published(rows=4, files=3)
    assert publish(reader, 2) == Published(0, 0)


def test_a_registration_that_comes_later_is_on_all_rows(tmp_path: Path) -> None:
    ref = thread()
    reader = FakeReader(tmp_path, [page(1, ref, "message", [message("m1")]), visit(1, ref, "complete", 1)])
    publish(reader, 0)
    said = {"profile": "work", "user": "ann", "customer": "acme", "title": "T", "tags": ["a", "b"]}
    reader.all.append(page(2, ref, "registration", [(None, said)], at=2))
    reader.newest = 2
    publish(reader, 1)

    for table in ("messages", "threads"):
        (row,) = rows_of(tmp_path, table)
        assert [row[k] for k in ("profile", "user", "customer", "title")] == ["work", "ann", "acme", "T"]
    assert json.loads(rows_of(tmp_path, "threads")[0]["tags_json"]) == ["a", "b"]


def test_a_thread_that_is_gone_keeps_its_row_and_says_since_when(tmp_path: Path) -> None:
    ref = thread()
    reader = FakeReader(tmp_path, [visit(1, ref, "complete", 1), visit(2, ref, "gone", 2), visit(3, ref, "gone", 3)])
    publish(reader, 0)

    (row,) = rows_of(tmp_path, "threads")
    assert (row["state"], row["deleted_reason"], row["deleted_at"]) == ("gone", "gone", T0 + timedelta(hours=2))


def test_a_gap_stays_until_a_visit_does_not_name_it(tmp_path: Path) -> None:
    ref = thread()
    gap = {"list": "messages", "after": "m9", "code": "cursor_repeated", "detail": "page 3 repeats"}
    reader = FakeReader(tmp_path, [visit(1, ref, "partial", 1, [gap]), visit(2, ref, "partial", 2, [gap])])
    publish(reader, 0)
    assert [(r["after"], r["closed_at"]) for r in rows_of(tmp_path, "gaps")] == [("m9", None)]

    reader.all.append(visit(3, ref, "complete", 3))
    reader.newest = 3
    publish(reader, 2)
    (row,) = rows_of(tmp_path, "gaps")
    assert (row["ts"], row["observed_at"], row["closed_at"]) == tuple(T0 + timedelta(hours=h) for h in (1, 2, 3))


def test_steps_of_two_runs_may_have_one_id(tmp_path: Path) -> None:
    ref = thread()
    pages = [page(1, ref, "step", [("s", {"id": "s", "type": "x"})], parent=f"run_{i}", fresh=False) for i in range(2)]
    publish(FakeReader(tmp_path, pages), 0)

    assert [(r["run_id"], r["step_id"]) for r in rows_of(tmp_path, "steps")] == [("run_0", "s"), ("run_1", "s")]


def test_objects_without_an_id_are_told_apart_by_position(tmp_path: Path) -> None:
    ref = thread()
    bodies: list[tuple[str | None, Any]] = [(None, {"role": "user", "content": text}) for text in "ab"]
    pages = [page(1, ref, "message", bodies, fresh=False), page(2, ref, "message", bodies, fresh=False)]
    publish(FakeReader(tmp_path, pages), 0)

    assert [(r["message_id"], r["seq"], r["text"]) for r in rows_of(tmp_path, "messages")] == [
        (None, 0, "a"),
        (None, 1, "b"),
    ]


# The files


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


def test_compare_names_the_files_that_differ(tmp_path: Path) -> None:
    for name, text in (("a", "x"), ("b", "y")):
        publish(FakeReader(tmp_path / name, [page(1, thread(), "message", [message("m1", text)])]), 0)

    assert list(compare(tmp_path / "a", tmp_path / "b")) == ["messages/2025-10.parquet"]
    assert list(compare(tmp_path / "a", tmp_path / "a")) == []
    (tmp_path / "b/threads/2026-09.parquet").unlink()
    assert list(compare(tmp_path / "a", tmp_path / "b")) == ["messages/2025-10.parquet", "threads/2026-09.parquet"]


# Other programs

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


def test_an_archive_in_which_nothing_was_found_can_be_read(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    publish(FakeReader(tmp_path, []), 0)

    assert len(pandas.read_parquet(tmp_path / "messages")) == 0


def test_a_long_thread_is_published_in_flat_memory(tmp_path: Path) -> None:
    code = "import tests.test_tables as t; t.measure(12_000)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
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
