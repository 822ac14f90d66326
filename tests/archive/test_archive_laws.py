"""Whatever goes in comes out, once and in order, however it was cut into appends, seals and openings."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.archive import Archive
from exporter.archive.catalog import Catalog
from exporter.errors import ArchiveError
from exporter.model import Item, Page, Position, Record, ThreadRef
from tests.archive.making import AT, THREAD, filled, in_memory, made, numbers, page, recover

pytestmark = pytest.mark.usefixtures("form")
FEW = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
NASTY = st.sampled_from(
    ["é", "\u2028", "\ud800", '","body":', "\n", "\x00", "\\", "../../x", '{"kind":"page",', "🙂", "a"]
)
TEXT = st.lists(NASTY, min_size=1, max_size=4).map("".join)
BODY = st.one_of(
    st.binary(max_size=60).filter(lambda body: b"\n" not in body),
    st.sampled_from([b'{"n":1e400}', b'{"a":1,"a":2}', b'{"s":"\\ud800"}', b"\r", b"\xff\x00"]),
    st.sampled_from([b'{"x":",\\"body\\":"}', b'{"x":1,"body":{"y":2,"body":3}}']),
)
THREADS = st.builds(ThreadRef, st.just("assistants"), st.sampled_from(["https://a/v1", "https://bücher/v1"]), TEXT)
CUTS = st.sampled_from(["append", "seal", "reopen"])


@contextmanager
def fresh() -> Iterator[Path]:
    with in_memory() as folder:
        yield made(folder / "archive")


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Page, str]]:
    """Pages of some threads, each list going on where it stood, and what happens after each page."""
    seqs: dict[tuple[ThreadRef, str], int] = {}
    threads = draw(st.lists(THREADS, min_size=1, max_size=3, unique=True))
    made: list[tuple[Page, str]] = []
    for _ in range(draw(st.integers(1, 8))):
        thread, name = draw(st.sampled_from(threads)), draw(st.sampled_from(["messages", "steps:\ud800"]))
        items = tuple(Item(i, b) for i, b in draw(st.lists(st.tuples(st.none() | TEXT, BODY), max_size=4)))
        seq, cursor = seqs.get((thread, name), 0), draw(st.none() | TEXT)
        kind, parent = ("message", None) if name == "messages" else ("step", draw(TEXT))
        one = Page(thread, kind, items, cursor, draw(st.booleans()), AT, name, seq, parent=parent)  # type: ignore[arg-type]
        seqs[thread, name] = seq + len(items)
        made.append((one, draw(CUTS)))
    return made


def expected(pages: list[Page], thread: ThreadRef, kind: str) -> list[Record]:
    return [
        Record(one.thread, one.kind, item.id, seq, AT, item.body, parent=one.parent)
        for one in pages
        if (one.thread, one.kind) == (thread, kind)
        for seq, item in enumerate(one.items, one.seq)
    ]


@FEW
@given(histories())
def test_whatever_goes_in_comes_out_byte_for_byte_however_it_was_cut(history: list[tuple[Page, str]]) -> None:
    pages = [one for one, _ in history]
    with fresh() as path:
        archive = Archive.write(path)
        for one, cut in history:
            archive.append([one])
            if cut == "seal":
                archive.seal()
            elif cut == "reopen":
                archive.close()
                archive = Archive.write(path)
        archive.seal()
        archive.close()

        with Archive.open(path) as reading:
            for thread in {one.thread for one in pages}:
                for kind in ("message", "step"):
                    found = [replace(record, run="") for record in reading.records(thread, kind)]
                    assert expected(pages, thread, kind) == found
                last = {one.list: one.position for one in pages if one.thread == thread}
                assert last == reading.catalog.positions(thread)


@FEW
@given(histories())
def test_a_lost_catalog_is_made_again_equal(history: list[tuple[Page, str]]) -> None:
    with fresh() as path:
        with Archive.write(path) as archive:
            for one, cut in history:
                archive.append([one])
                if cut != "append":
                    archive.seal()
            archive.seal()
            before = list(archive.catalog.content())
        for file in path.glob("catalog.sqlite*"):
            file.unlink()

        with Archive.write(path) as archive:
            assert before == list(archive.catalog.content())


def test_a_page_with_an_escaped_cursor_is_found_under_its_plain_thread(tmp_path: Path) -> None:
    thread = ThreadRef("assistants", "https://bücher.example/v1", "thread_1")
    path = filled(tmp_path / "a", [replace(page(0, 2, thread), cursor="\ud800")])

    assert numbers(path, thread) == [0, 1]


def test_a_body_with_a_line_break_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with Archive.write(made(tmp_path / "a")) as archive:
        with pytest.raises(ArchiveError, match="line break"):
            archive.append([page(0), replace(page(1), items=(Item("msg_1", b"{\n}"),))])
        archive.append([page(0)])
        archive.seal()

    assert numbers(tmp_path / "a") == [0]


def test_times_of_any_zone_are_written_as_utc(tmp_path: Path) -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=9)))
    path = filled(tmp_path / "a", [replace(page(0), fetched_at=elsewhere)])

    with Archive.open(path) as archive:
        assert [record.observed_at for record in archive.records()] == [AT]


def test_a_run_without_news_leaves_no_file(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    with Archive.write(path) as archive:
        archive.append([])
        assert archive.seal() is None

    assert list(path.glob("journal/*")) == list(path.glob("manifests/*")) == []


def test_a_report_is_committed_with_or_without_pages(tmp_path: Path) -> None:
    with Archive.write(made(tmp_path / "a")) as archive:
        archive.append([page(0)])
        first = archive.seal({"command": "backup", "records": 1})
        second = archive.seal({"command": "backup", "records": 0})
        assert archive.last_report() == {"command": "backup", "records": 0}

    assert first
    assert second
    assert (len(first.segments), len(second.segments)) == (1, 0)
    assert second.previous == first.file_sha256


def test_frames_are_cut_between_pages_and_found_by_thread(tmp_path: Path) -> None:
    other = replace(THREAD, id="thread_2")
    pages = [page(i * 10, 10, thread, size=3000) for i in range(40) for thread in (THREAD, other)]
    path = filled(tmp_path / "a", pages)

    assert numbers(path) == numbers(path, other) == list(range(400))
    with Archive.open(path) as archive:
        assert len(list(archive.catalog.frames_of(other, "message"))) > 5


def test_folders_and_files_are_private_while_writing_and_after(tmp_path: Path) -> None:
    path = made(tmp_path / "deep" / "a")
    with Archive.write(path) as archive:
        archive.append([page(0)])
        archive.seal()
        archive.append([page(1)])
        archive.tmp()
        during = {p.name: stat.S_IMODE(p.stat().st_mode) for p in [path, *path.rglob("*")] if p.is_file()}
        folders = {stat.S_IMODE(p.stat().st_mode) for p in [path, path.parent, *path.rglob("*")] if p.is_dir()}

    assert {"catalog.sqlite-wal", "catalog.sqlite-shm", "lock", "holder.json"} <= during.keys()
    assert set(during.values()) == {0o600}
    assert folders == {0o700}


@pytest.mark.parametrize(("bound", "value"), [("SEAL_BYTES", 5000), ("SEAL_PAGES", 5)])
def test_a_journal_grown_large_is_sealed_while_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    monkeypatch.setattr(f"exporter.archive.{bound}", value)
    with Archive.write(made(tmp_path / "a")) as archive:
        for i in range(20):
            archive.append([page(i, size=1000)])
        assert archive.manifest() >= 3
        archive.seal()

    assert numbers(tmp_path / "a") == list(range(20))


def test_a_list_stands_where_its_newest_page_says(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0, 3)], [replace(page(3, 2), cursor=None, next_seq=3, more=False)])

    with Archive.open(path) as archive:
        assert archive.catalog.positions(THREAD) == {"messages": Position(None, 3, False)}


def test_threads_are_told_in_the_order_they_came(tmp_path: Path) -> None:
    refs = [replace(THREAD, id=f"thread_{i * 37 % 101}") for i in range(101)]
    path = filled(tmp_path / "a", [page(0, 1, ref) for ref in refs])

    with Archive.open(path) as archive:
        assert refs == [known.thread for known in archive.catalog.known()]
        assert refs[3:5] == list(archive.catalog.find_all(refs[3:5]))


def test_a_catalog_path_may_hold_any_character(tmp_path: Path) -> None:
    path = filled(tmp_path / "a ?#%20é", [page(0)])

    recover(path)
    assert numbers(path) == [0]
    assert Catalog(path / "catalog.sqlite").indexed() == 1
