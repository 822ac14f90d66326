"""A conversation in parts: put together they are the whole, each entry once; links lead to the right part."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from exporter.archive import Archive
from exporter.formats._choosing import conversation
from exporter.formats._entries import Entry, entries
from exporter.formats._story import Wanted
from exporter.formats._windows import Windows
from exporter.model import Item, Page, Registration, ThreadRef
from exporter.registry import register
from exporter.sandbox import State
from tests.formats.conftest import Library, archived
from tests.view import library
from tests.view.asking import client, link, places

ALL = Wanted()
ONE = ThreadRef("conversations", library.ENDPOINT, "conv_made")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Library:
    state = State.seed(threads=2, messages=15, conversations=2, items=18, chatkit=2, completions=2, responses=2)
    for _ in range(2):
        state.add_generated("conv_generated", 230)
    return archived(state, tmp_path_factory.mktemp("sources") / "archive")


def same(archive: Archive, thread: ThreadRef, sizes: list[int]) -> None:
    whole = list(entries(conversation(archive, thread, ALL)))
    windows = Windows(archive, conversation(archive, thread, ALL))
    for size in sizes:
        ranges = [(begin, min(begin + size, len(windows))) for begin in range(0, len(windows), size)]
        parts = {part: list(windows.part(*part)) for part in random.Random(size).sample(ranges, len(ranges))}
        told = [one for part in ranges for one in parts[part]]
        assert [one for _, one in told] == whole
        assert [slot for slot, _ in told] == sorted(slot for slot, _ in told)
        assert all(begin <= slot < end for (begin, end), part in parts.items() for slot, _ in part)
    windows.close()


def test_parts_of_every_source_are_the_whole(sources: Library) -> None:
    with Archive.open(sources.path) as archive:
        known = list(archive.catalog.known())
        assert len(known) > 10
        for one in known:
            same(archive, one.thread, [1, 4, 100])


LISTS = ("messages", "items:sub_1", "items:sub_2")


@st.composite
def pages(draw: st.DrawFn) -> list[Page]:
    """Pages as nights may bring them: lists go on, are walked again with changes, lose objects; runs call tools."""
    made: list[Page] = []
    seqs = dict.fromkeys(LISTS, 0)
    for night in range(draw(st.integers(1, 6))):
        name = draw(st.sampled_from(LISTS))
        parent = name.partition(":")[2] or None
        again = seqs[name] > 0 and draw(st.booleans())
        begin = draw(st.integers(0, seqs[name] - 1)) if again else seqs[name]
        bodies = [_body(name, begin + at, night if again else 0) for at in range(draw(st.integers(0, 4)))]
        items = tuple(Item(body["id"], json.dumps(body).encode()) for body in bodies)
        made.append(Page(ONE, "message", items, None, True, library.AT, name, begin, fresh=not again, parent=parent))
        seqs[name] = max(seqs[name], begin + len(items))
        if draw(st.booleans()) and seqs[name]:
            gone = {"kind": "message", "reason": "deleted"}
            item = Item(_name(name, draw(st.integers(0, seqs[name] - 1))), json.dumps(gone).encode())
            made.append(Page(ONE, "deletion", (item,), None, True, library.AT, "deletions", night, parent=parent))
        if draw(st.booleans()):
            made.append(_step(night))
        if draw(st.booleans()):
            made.append(_file(night))
    return made


def _name(name: str, seq: int) -> str:
    return f"{name}-{seq}"


def _body(name: str, seq: int, night: int) -> dict[str, Any]:
    return library.said(seq, f"{name} {seq} {night}") | {"id": _name(name, seq), "run_id": f"run_{seq % 3}"}


def _step(night: int) -> Page:
    call = {"id": f"call_{night}", "type": "function", "function": {"name": "f", "arguments": str(night)}}
    body = {"id": f"step_{night}", "run_id": f"run_{night}", "step_details": {"tool_calls": [call]}}
    item = Item(body["id"], json.dumps(body).encode())  # type: ignore[arg-type]
    return Page(ONE, "step", (item,), None, True, library.AT, f"steps:run_{night}", 0, parent=f"run_{night}")


def _file(night: int) -> Page:
    body = {"type": "file", "message": _name("messages", night), "name": f"n{night}", "sha256": None, "form": None}
    item = Item(f"file-{night}", json.dumps(body).encode())
    return Page(ONE, "file", (item,), None, True, library.AT, "files", night)


def _messages(name: str, count: int) -> Page:
    items = tuple(Item(_name(name, seq), json.dumps(_body(name, seq, 0)).encode()) for seq in range(count))
    return Page(ONE, "message", items, None, True, library.AT, name, 0, parent=name.partition(":")[2] or None)


EMPTY_FIRST = [_messages(name, count) for name, count in (("messages", 0), ("items:sub_1", 1), ("messages", 1))]
"A list whose first page is empty has its place all the same."


@settings(deadline=None, max_examples=40)
@example(made=EMPTY_FIRST, size=1, sealed=set())
@given(made=pages(), size=st.integers(1, 7), sealed=st.sets(st.integers(0, 20)))
def test_parts_of_generated_threads_are_the_whole(
    tmp_path_factory: pytest.TempPathFactory, made: list[Page], size: int, sealed: set[int]
) -> None:
    path = tmp_path_factory.mktemp("made") / "archive"
    Archive.create(path)
    with Archive.write(path) as archive:
        register(archive, [Registration(ONE)])
        for number, page in enumerate(made):
            archive.append([page])
            if number in sealed:
                archive.seal()
        archive.seal()
        same(archive, ONE, [size, 100])


def test_a_message_is_found_by_its_position(sources: Library) -> None:
    with Archive.open(sources.path) as archive:
        for one in archive.catalog.known():
            windows = Windows(archive, conversation(archive, one.thread, ALL))
            for record in archive.records(one.thread):
                slot = windows.find(one.thread, record.seq, record.parent)
                assert slot is not None
                told = [each for _, each in windows.part(slot, slot + 1) if isinstance(each, Entry)]
                assert told[0].place == f"#{record.seq}"
            assert windows.find(one.thread, 10_000) is None
            windows.close()


def test_a_message_of_a_list_that_was_walked_again_is_found_by_its_position(tmp_path: Path) -> None:
    Archive.create(tmp_path / "archive")
    with Archive.write(tmp_path / "archive") as archive:
        register(archive, [Registration(ONE)])
        for fresh in (True, False):
            items = tuple(Item(f"m{seq}", json.dumps(library.said(seq, f"{fresh}")).encode()) for seq in range(30))
            archive.append([Page(ONE, "message", items, None, False, library.AT, "messages", 0, fresh=fresh)])
            archive.seal()
        windows = Windows(archive, conversation(archive, ONE, ALL))
        assert [windows.find(ONE, seq, None) for seq in range(31)] == [*range(30), None]
        assert windows.find(ONE, 3, "sub_1") is None
        (told,) = (each for _, each in windows.part(17, 18) if isinstance(each, Entry))
        assert (told.place, told.text) == ("#17", "False")
        windows.close()


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return library.long(tmp_path_factory.mktemp("parts") / "archive", 350)


@pytest.fixture(scope="module")
def site(long: Path) -> TestClient:
    return client(long)


PAGE = f"/t/conversations/{library.LONG.id}"
WHOLE = [f"#{number}" for number in range(350)]


@pytest.mark.parametrize("rooms", ["t", "part"])
def test_links_lead_through_the_whole_both_ways(site: TestClient, rooms: str) -> None:
    address = PAGE.replace("/t/", f"/{rooms}/")
    forth: list[str] = []
    where: str | None = address
    while where:
        text = site.get(where.replace("/t/", f"/{rooms}/")).text
        forth += places(text)
        where = link(text, 'data-part="[^"]*from=')
    back: list[str] = []
    where = f"{address}?before=100000"
    while where:
        text = site.get(where.replace("/t/", f"/{rooms}/")).text
        back = places(text) + back
        where = link(text, 'data-part="[^"]*before=')

    assert forth == back == WHOLE


@pytest.mark.parametrize("at", [0, 5, 99, 100, 101, 349])
def test_a_link_to_a_message_shows_it_with_what_is_around(site: TestClient, at: int) -> None:
    text = site.get(f"{PAGE}?from={max(0, at - 5)}").text
    address = re.search(rf'id="(m-[0-9a-f]{{16}})" data-role="\w+" data-place="#{at}">', text)
    assert address
    permanent = link(text, f'class="when" href="[^"]*#{address[1]}')
    assert permanent
    for where in (permanent, f"{PAGE}?seq={at}"):
        shown = site.get(where).text
        assert f'id="{address[1]}"' in shown
        assert f"#{at}" in places(shown)[:11]


@pytest.mark.parametrize("query", ["from=-1", "from=x", "from=999999", "before=0", "before=x", "at=99999999999999999"])
def test_any_number_shows_a_part(site: TestClient, query: str) -> None:
    answer = site.get(f"{PAGE}?{query}")

    assert answer.status_code == 200
    assert set(places(answer.text)) <= set(WHOLE)


def test_only_frames_of_a_part_are_read_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = library.long(tmp_path / "archive", 8_000)
    site = client(path)
    assert site.get(PAGE.replace("conv_made", library.LONG.id)).status_code == 200
    read: list[int] = []
    lines_at = Archive.lines_at

    def noted(self: Archive, thread: ThreadRef, kind: str, name: str, offset: int) -> Any:
        read.append(offset)
        return lines_at(self, thread, kind, name, offset)

    monkeypatch.setattr(Archive, "lines_at", noted)
    text = site.get(f"/part/conversations/{library.LONG.id}?from=6000").text

    assert places(text) == [f"#{number}" for number in range(6000, 6100)]
    assert 1 <= len(read) <= 3


def test_what_a_backup_brings_is_there_on_the_next_look(tmp_path: Path) -> None:
    path = library.long(tmp_path / "archive", 3)
    site = client(path)
    assert places(site.get(PAGE).text) == ["#0", "#1", "#2"]
    with Archive.write(path) as archive:
        body = json.dumps(library.said(3, "news")).encode()
        archive.append([Page(library.LONG, "message", (Item("msg_3", body),), None, False, library.AT, "messages", 3)])
        assert places(site.get(PAGE).text) == ["#0", "#1", "#2"]
        archive.seal()
        assert places(site.get(PAGE).text) == ["#0", "#1", "#2", "#3"]
