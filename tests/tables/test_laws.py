"""Publishing is one function of the pages, however often it runs and wherever it is cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.model import Kind, Registration, ThreadRef
from exporter.tables import _events, _parquet, _reader, _sorting, _threads, publish
from tests.archive.making import in_memory
from tests.tables.making import T0, FakeReader, Page, crashes, message, page, rebuilt, rows_of, thread, visit

MONTHS = st.sampled_from([None, 1_760_000_000, 1_763_000_000, 1_766_000_000])
WHAT = ["new", "new", "again", "more", "more", "gone", "run", "step", "file", "visit", "registration", "thread"]
PARENTS: dict[Kind, list[str | None]] = {
    "message": [None, None, "sub_1"],
    "run": [None, "sub_1"],
    "step": ["run_1"],
    "file": [None, "cntr_1"],
}


def body_of(kind: Kind, at: int, created_at: int | None) -> dict[str, Any]:
    if kind == "file":
        return {"type": "file", "sha256": f"{at:064x}", "object": {"created_at": created_at}}
    return message(f"m{at}", created_at=created_at)[1]


@st.composite
def histories(draw: st.DrawFn) -> list[Page]:
    """Any crawl: threads that grow, are walked again, change, get another owner, go away."""
    made: list[Page] = []
    threads = [thread("t1"), thread("t1", "other"), thread("t2")]
    seen: dict[tuple[ThreadRef, Kind, str | None], list[tuple[str | None, Any]]] = {}
    number = 1
    for at in range(draw(st.integers(1, 14))):
        number += draw(st.integers(0, 1))
        ref = draw(st.sampled_from(threads))
        what = draw(st.sampled_from(WHAT))
        if what == "visit":
            gaps = draw(st.lists(st.sampled_from(["messages", "runs"]), unique=True))
            named = [{"list": name, "after": None, "code": "lie", "detail": "d"} for name in gaps]
            made.append(visit(number, ref, draw(st.sampled_from(["complete", "partial", "gone"])), at, named))
        elif what == "registration":
            said = {"profile": "p", "user": draw(st.sampled_from([None, "u1", "u2"])), "title": None, "tags": ["a"]}
            made.append(page(number, ref, "registration", [(None, said)], at=at))
        elif what == "thread":
            body: dict[str, Any] = {"id": ref.id, "metadata": {"n": str(draw(st.integers(0, 1)))}}
            body |= draw(st.sampled_from([{}, {"created_at": 1_750_000_000}, {"created": 1_760_000_000}]))
            made.append(page(number, ref, "thread", [(ref.id, body)], fresh=False, at=at))
        elif what == "gone":
            of: Kind = draw(st.sampled_from(["message", "run", "step"]))
            said = {"kind": of, "list": f"{of}s", "reason": "deleted"}
            gone = [(f"m{draw(st.integers(0, 4))}", said)]
            parent = draw(st.sampled_from(PARENTS[of]))
            made.append(page(number, ref, "deletion", list(gone), fresh=False, at=at, parent=parent))
        else:
            kind: Kind = what if what in PARENTS else "message"
            parent = draw(st.sampled_from(PARENTS[kind]))
            known = seen.setdefault((ref, kind, parent), [])
            if known and (what == "again" or draw(st.integers(0, 4)) == 0):
                again = [(k, b | {"status": (new := draw(st.sampled_from("xy"))), "reason": new}) for k, b in known]
                made.append(page(number, ref, kind, again, fresh=False, at=at, parent=parent))
            else:
                start, walked = len(known), what == "more" or draw(st.booleans())
                grown: list[tuple[str | None, Any]] = []
                for i in range(start, start + draw(st.integers(0, 4))):
                    # a list that is walked on may bring what it brought, whatever the server says
                    at_ = draw(st.integers(0, i)) if walked and draw(st.integers(0, 5)) == 0 else i
                    key = draw(st.sampled_from([f"m{at_}", f"m{at_}", None])) if kind != "file" else f"m{at_}"
                    grown.append((key, body_of(kind, i, draw(MONTHS))))
                known += grown
                made.append(page(number, ref, kind, grown, seq=start, fresh=not walked, at=at, parent=parent))
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
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_threads, "_repeats", lambda *_: True)  # every thread is read as a whole
            assert rebuilt(reader, root / "c") == []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_threads, "newcomers", lambda came, _: came)  # every thread is joined alone
            patch.setattr(_events, "TOUCHED", 1)
            assert rebuilt(reader, root / "d") == []


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


def test_a_thread_that_is_new_or_only_grew_is_not_read_again(tmp_path: Path) -> None:
    class Counting(FakeReader):
        read = 0

        def thread_pages(self, thread: ThreadRef, kind: str) -> Iterator[Page]:
            self.read += kind != "registration"  # which `owner` asks for here
            return super().thread_pages(thread, kind)

    about = {"created_at": 1_750_000_000, "title": "T"}
    refs = [thread(f"t{i}") for i in range(4)]
    reader = Counting(tmp_path / "a", [page(1, ref, "thread", [(ref.id, about)]) for ref in refs])
    publish(reader, 0)
    for ref in refs:
        reader.all += [page(2, ref, "message", [message("m1")], at=1), visit(2, ref, "gone", 2)]
    reader.newest = 2
    publish(reader, 1)
    reader.all += [page(3, refs[0], "message", [message("m2")], seq=1, at=3), visit(3, refs[0], "complete", 3)]
    reader.newest = 3
    publish(reader, 2)

    assert reader.read == 0
    rows = rows_of(tmp_path / "a", "threads")
    assert [(row["messages"], row["state"], row["title"]) for row in rows] == [
        (2, "complete", "T"),
        *[(1, "gone", "T")] * 3,
    ]
    assert [row["deleted_at"] for row in rows] == [None, *[T0 + timedelta(hours=2)] * 3]
    assert rebuilt(reader, tmp_path / "b") == []


def test_the_owners_of_many_threads_are_asked_for_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(FakeReader):
        asked = 0

        def owners(self, threads: Iterable[ThreadRef]) -> dict[ThreadRef, Registration]:
            self.asked += 1
            return {ref: Registration(ref, user=ref.id) for ref in threads}

    monkeypatch.setattr(_reader, "AHEAD", 500)
    reader = Counting(tmp_path, [page(1, thread(f"t{i}"), "message", [message("m1")]) for i in range(1200)])
    publish(reader, 0)

    assert reader.asked == 2 * 3
    assert all(row["user"] == row["thread_id"] for row in rows_of(tmp_path, "messages"))
