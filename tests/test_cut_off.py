"""Backups that are cut off in the middle of a list, against a live sandbox: the next one brings the rest, each once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.archive import Archive
from exporter.crawl._overlap import Overlap
from exporter.model import Item, Mark, Page, ThreadRef
from tests.conftest import Bench, loads, rows

AT = 1_760_000_000


def filled(bench: Bench, seconds: list[int]) -> None:
    """Fill thread_a with messages made in these seconds."""
    bench.state.add_thread("thread_a")
    for n, second in enumerate(seconds):
        content = [{"type": "text", "text": {"value": str(n)}}]
        message = {"id": f"msg_{n}", "role": "user", "created_at": AT + second, "content": content}
        bench.state.add_message("thread_a", message)


def cut(bench: Bench, requests: int) -> int:
    """Back up with so few requests that the list is cut off; how many messages the archive holds then."""
    report = bench.backup("thread_a", max_requests=requests, jobs=1)
    assert report.exit_code == 14
    return len(bench.lines("thread_a"))


@pytest.mark.parametrize("seen", [0, 98, 120])
def test_a_second_that_stands_on_two_pages_is_had_whole_though_the_cursor_means_a_second(
    bench: Bench, seen: int
) -> None:
    """Two messages of one second show it: the first run sees them, or the second does."""
    filled(bench, [n - (n > seen) - (n > 99) for n in range(230)])
    bench.state.switches = bench.state.switches.with_changes({"lies": ["cursor_by_second"]})

    kept = cut(bench, 2)
    last = bench.backup()

    assert kept == 100
    assert last.exit_code == 0
    assert [row["message_id"] for row in sorted(rows(bench.path), key=lambda row: row["seq"])] == [
        loads(one)["id"] for one in bench.state.messages("thread_a")
    ]


def test_a_gap_is_found_again_after_a_run_that_ended_before_it_was_told(bench: Bench) -> None:
    """More messages of one second than a page holds: the rest of them can never be had."""
    filled(bench, [0] * 130 + list(range(1, 60)))
    bench.state.switches = bench.state.switches.with_changes({"lies": ["cursor_by_second"]})

    cut(bench, 5)
    report = bench.backup()

    assert report.exit_code == 3
    assert [one.code for one in bench.outcomes] == ["cursor_by_second"]
    assert len(rows(bench.path)) < 189


def test_what_was_deleted_behind_a_cut_costs_one_walk_and_then_nothing(bench: Bench) -> None:
    filled(bench, [n // 2 for n in range(450)])
    kept = cut(bench, 4)
    for n in range(kept, 450):
        bench.state.delete_message("thread_a", f"msg_{n}")
    bench.backup()
    bench.state.requests.clear()

    assert bench.backup().exit_code == 0
    assert len(bench.asked("/messages")) == 1
    assert len(bench.lines("thread_a")) == kept


def test_what_the_archive_holds_is_not_written_again_where_a_cut_walk_goes_on(bench: Bench) -> None:
    filled(bench, list(range(450)))
    for requests in (2, 2, 3):
        cut(bench, requests)

    assert bench.backup().exit_code == 0
    assert bench.lines("thread_a") == bench.state.messages("thread_a")
    assert bench.backup().records == 0


def test_what_changed_at_the_cut_is_written_again_and_nothing_else(bench: Bench) -> None:
    filled(bench, list(range(250)))
    assert cut(bench, 2) == 100
    body = bench.state.messages("thread_a")[99]
    bench.state.edit_message("thread_a", "msg_99", loads(body) | {"metadata": {"edited": "yes"}})

    bench.backup()

    assert bench.lines("thread_a") == [
        *bench.state.messages("thread_a")[:99],
        body,
        *bench.state.messages("thread_a")[99:],
    ]
    assert len(rows(bench.path)) == 250


THREAD = ThreadRef("assistants", "http://127.0.0.1:1/v1", "thread_a")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def page(first: int, *bodies: bytes, name: str = "messages", back: int = 1) -> Page:
    """A page that names a place so many objects before its end."""
    items = tuple(Item(f"msg_{first + n}", body) for n, body in enumerate(bodies))
    place = first + len(items) - back
    return Page(THREAD, "message", items, f"msg_{place - 1}", True, NOW, name, first, place, fresh=False)


def archived(path: Path, *pages: Page) -> Archive:
    Archive.create(path)
    with Archive.write(path) as archive:
        for one in pages:
            archive.append([one])
            archive.seal()
    return Archive.open(path)


A, B, C, D, E = (b'{"id":"%s"}' % word.encode() for word in "abcde")


@pytest.mark.parametrize(
    ("held", "comes", "news"),
    [
        ([page(0, A, B)], page(1, B, C, D), (2, [C, D])),
        ([page(0, A, B)], page(1, B), (2, [])),
        ([page(0, A, B)], page(1, C, D), (1, [C, D])),
        ([page(0, A, B, C)], page(1, B, D), (2, [D])),
        ([page(0, A, B, C)], page(1, D, C), (1, [D, C])),
        ([page(0, A), page(1, B), page(2, C)], page(1, B, C, D), (3, [D])),
        ([page(0, A, B), page(1, C), page(2, D)], page(1, C, D, E), (3, [E])),
        ([page(0, A, B), page(1, C)], page(1, B, D), (1, [B, D])),
        ([page(0, A, B), page(0, A, C, name="runs")], page(1, B, C), (2, [C])),
        ([page(0, A, C, name="runs")], page(1, C), (1, [C])),
        ([], page(0, A), (0, [A])),
    ],
)
def test_what_stands_at_its_place_as_it_is_is_no_news(
    tmp_path: Path, held: list[Page], comes: Page, news: tuple[int, list[bytes]]
) -> None:
    with archived(tmp_path / "a", *held) as archive:
        found = Overlap(archive, comes).news(comes)

    assert (found.seq, [item.body for item in found.items]) == news
    assert (found.position, found.list, found.more) == (comes.position, comes.list, comes.more)


def test_a_second_page_may_hold_what_is_no_news_too(tmp_path: Path) -> None:
    with archived(tmp_path / "a", page(0, A, B, C, D)) as archive:
        overlap = Overlap(archive, page(1, B, C))

    assert [len(overlap.news(one).items) for one in (page(1, B, C), page(3, D, E), page(5, A))] == [0, 1, 1]


def test_pages_that_were_sealed_together_are_all_looked_at(tmp_path: Path) -> None:
    Archive.create(tmp_path / "a")
    with Archive.write(tmp_path / "a") as archive:
        archive.append([page(0, A, B), page(2, C), page(3, D)])
        archive.seal()
        comes = page(1, B, C, D, E)
        assert Overlap(archive, comes).news(comes).items == comes.items[3:]


def test_only_what_stands_behind_the_place_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with archived(tmp_path / "a", *[page(n, b'{"n":%d}' % n) for n in range(9)]) as archive:
        read: list[str] = []
        at = archive.lines_at

        def counted(thread: ThreadRef, kind: str, name: str, offset: int) -> Iterator[tuple[Mark, list[bytes]]]:
            read.append(name)
            return at(thread, kind, name, offset)

        monkeypatch.setattr(archive, "lines_at", counted)
        Overlap(archive, page(7, A))

    assert len(read) == 2


def test_what_a_damaged_segment_held_comes_again(tmp_path: Path) -> None:
    with archived(tmp_path / "a", page(0, A, B), page(2, C)) as archive:
        (segment,) = (tmp_path / "a").glob("segments/*/*/000000002-*")
        segment.write_bytes(segment.read_bytes()[:-60] + bytes(60))
        found = [Overlap(archive, one).news(one) for one in (page(1, B, C), page(2, C))]

    assert [[item.body for item in one.items] for one in found] == [[C], [C]]
