"""One conversation in a notebook: the same entries as in every other form, bounded, and harmless."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

import exporter
from exporter.archive import Archive
from exporter.errors import UsageError
from exporter.formats._entries import Entry
from exporter.model import Item, Page, Registration
from exporter.notebook._beginning import BYTES
from exporter.registry import register
from exporter.sandbox import SOURCES, State
from tests.archive.making import AT, THREAD, made
from tests.formats import hostile
from tests.formats.conftest import COUNTS, Library, archived
from tests.notebook.making import BEGIN
from tests.tables.making import dumps, message

pytest.importorskip("nh3")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return archived(State.seed(**COUNTS, responses=2, sessions=2), tmp_path_factory.mktemp("library") / "archive")


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Library:
    state = State()
    hostile.put(state)
    return archived(state, tmp_path_factory.mktemp("nasty") / "archive")


@pytest.mark.parametrize("source", SOURCES)
def test_a_conversation_of_each_source_can_be_read(library: Library, source: str) -> None:
    notebook = exporter.open(library.path)
    for (name,) in notebook.sql("select thread_id from threads where source = ?", [source]).fetchall():
        thread = notebook.thread(name)
        found = [one for one in thread if isinstance(one, Entry)]
        spoken = next(one.text for one in found if one.text)
        frame, page = thread.pandas(), thread._repr_html_()
        assert page is not None

        assert repr(thread) == f"<conversation {source}/{name}>"
        assert list(frame["text"]) == [one.text for one in found]
        assert list(frame["who"]) == [one.who for one in found]
        assert str(frame["time"].dtype).endswith("UTC]")
        words = spoken.split()[0]
        assert all(words in said for said in (thread.text(), thread._repr_markdown_(), page))
        assert ".text()" not in page
        count = notebook.messages(where=f"thread_id = '{name}'").count()
        assert sum(one.is_message for one in found) == count or source == "responses"


def test_what_is_shown_of_a_long_conversation_is_bounded_and_says_so(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    with Archive.write(path) as archive:
        register(archive, [Registration(THREAD)])
        for first in range(0, 4000, 100):
            items = (message(f"m{i}", f"hello {i}", BEGIN + i) for i in range(first, first + 100))
            sent = tuple(Item(name, dumps(body)) for name, body in items)
            archive.append([Page(THREAD, "message", sent, None, True, AT, "messages", first)])
        archive.seal()
    thread = exporter.open(path).thread(THREAD.id)
    page, text = thread._repr_html_(), thread._repr_markdown_()

    assert page is not None
    assert len(list(thread)) == len(thread.pandas()) == 4000
    assert "hello 3999" in thread.text()
    for shown in (page, text):
        assert "hello 0" in shown
        assert "hello 3999" not in shown
        assert len(shown) < BYTES * 8
        assert "`.text()`" in shown[-300:]


def test_nothing_in_a_conversation_can_reach_the_notebook(nasty: Library) -> None:
    notebook = exporter.open(nasty.path)
    for (name,) in notebook.sql("select thread_id from threads").fetchall():
        page = notebook.thread(name)._repr_html_()
        assert page is not None
        outer = re.fullmatch(
            r'<iframe sandbox="" srcdoc="([^"<>]*)" title="[a-z]*" style="[^"<>]*"></iframe>(<p>[^<>]*</p>)?', page
        )
        assert outer is not None
        inner = html.unescape(outer[1])
        assert "default-src 'none'" in html.unescape(inner.split("</head>")[0])
        assert "<script" not in inner


def test_ids_that_nobody_knows_are_told(library: Library, tmp_path: Path) -> None:
    notebook = exporter.open(library.path)
    for name in ("thread_nobody", "../x", "it's", "\x1b[2J"):
        with pytest.raises(UsageError, match="is not in"):
            notebook.thread(name)
    Archive.create(tmp_path / "a")
    with Archive.write(tmp_path / "a") as archive:
        register(archive, [Registration(THREAD)])
    new = exporter.open(tmp_path / "a").thread(THREAD.id)
    assert list(new) == []
    assert new.text() == ""
    assert len(new.pandas()) == 0
    assert "nothing of it was fetched yet" in new._repr_markdown_()
    assert "nothing of it was fetched yet" in (new._repr_html_() or "")
