"""What pages show, what they say when something is wrong, and that no file but the archive's contents is served."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import threading
from dataclasses import replace
from html import unescape
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from exporter.archive import Archive
from exporter.cli import cli
from exporter.errors import DiskFull
from exporter.model import Item, Page, ThreadRef
from exporter.view import _finding, _previews, _thread
from exporter.view._finding import PER_PAGE
from exporter.view._previews import Previews
from tests.formats import hostile
from tests.view import library
from tests.view.asking import client, link, places

PAGE = f"/t/conversations/{library.LONG.id}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return library.long(tmp_path / "archive", 3)


def page(kind: str, body: dict[str, object], name: str, seq: int = 0, *, fresh: bool = True) -> Page:
    item = Item(str(body["id"]), json.dumps(body).encode())
    return Page(library.LONG, kind, (item,), None, False, library.AT, name, seq, fresh=fresh)  # type: ignore[arg-type]


def test_what_was_changed_and_deleted_is_shown(path: Path) -> None:
    with Archive.write(path) as archive:
        archive.append([page("message", library.said(1, "changed my mind"), "messages", 1, fresh=False)])
        gone = Item("msg_2", b'{"kind":"message","reason":"deleted"}')
        archive.append([Page(library.LONG, "deletion", (gone,), None, False, library.AT, "deletions")])
        archive.seal()
    text = client(path).get(PAGE).text

    assert text.index("changed my mind") < text.index('<details class="earlier">') < text.index("message number 1")
    assert text.count('<details class="earlier">') == 1
    assert 'class="user deleted"' in text
    assert "not on the server any more" in text


def test_an_archive_is_told_about(path: Path) -> None:
    text = client(path).get("/").text

    assert "3 conversations" in text
    assert "A long story" in text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        *(("/t/conversations/none", 404), ("/t/none/conv_long", 404), ("/part/conversations/none", 404)),
        *(("/nowhere", 404), ("/t/conversations/", 404), ("/t/conversations/conv_long?endpoint=0", 404)),
        *(("/?after=x", 404), ("/static/none", 404), ("/static/..%2f_guard.py", 404), ("/search?q=x&since=x", 200)),
    ],
)
def test_what_is_not_there_is_a_page(path: Path, address: str, status: int) -> None:
    answer = client(path).get(address)

    assert answer.status_code == status
    assert "Traceback" not in answer.text


def test_a_damaged_archive_says_what_to_do(path: Path) -> None:
    found = client(path).get("/search?q=number").text
    assert found.count('class="snippet"') == found.count('class="hit"') > 0
    segments = list(path.glob("segments/**/*.zst"))
    for segment in segments:
        segment.write_bytes(segment.read_bytes()[: segment.stat().st_size // 2])
    answer = client(path).get(PAGE)

    assert answer.status_code == 500
    assert "restore this file from a copy" in answer.text
    assert client(path).get("/").status_code == 200
    unread = client(path).get("/search?q=number").text
    assert unread.count("Its text cannot be read: segments/") == found.count('class="hit"')
    for segment in segments:
        segment.unlink()
    assert "it is missing" in client(path).get(PAGE).text
    (path / "catalog.sqlite").write_bytes(b"no database" * 100)
    answer = client(path).get("/")
    assert answer.status_code == 500
    assert "exporter rebuild" in answer.text


def test_a_mistake_of_ours_is_a_page_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.view._sidebar.recent", lambda *_: 1 / 0)
    answer = client(path).get("/")

    assert answer.status_code == 500
    assert "ZeroDivisionError" in answer.text
    assert "Traceback" not in answer.text


def test_contents_are_pictures_or_downloads(path: Path) -> None:
    site = client(path)
    png, other = library.keep(path, hostile.PNG), library.keep(path, b"<script>alert(1)</script>" * 20_000)

    shown = site.get(f"/blob/{png}")
    assert shown.content == hostile.PNG
    assert shown.headers["content-type"] == "image/png"
    assert "content-disposition" not in shown.headers
    saved = site.get(f"/blob/{other}")
    assert hashlib.sha256(saved.content).hexdigest() == other
    assert saved.headers["content-type"] == "application/octet-stream"
    assert saved.headers["content-disposition"] == "attachment"
    for answer in (shown, saved):
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    [
        *("../../archive.json", "..%2f..%2farchive.json", "%2e%2e/%2e%2e/archive.json", "archive.json", "0" * 63),
        *("0" * 64, "0" * 65, "A" * 64, "g" * 64, "/etc/passwd", "%2fetc%2fpasswd", "0" * 64 + "%00", "0" * 64 + "%0a"),
    ],
)
def test_nothing_else_of_the_disk_is_served(path: Path, name: str) -> None:
    answer = client(path).get(f"/blob/{name}")

    assert answer.status_code == 404
    assert "format" not in answer.text


def test_no_link_leads_out(path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    name = hashlib.sha256(b"secret").hexdigest()
    blobs = path / "blobs" / "sha256"
    (blobs / name[:2]).mkdir(parents=True, exist_ok=True)
    site = client(path)
    (blobs / name[:2] / name).symlink_to(secret)
    assert site.get(f"/blob/{name}").status_code == 404
    (blobs / name[:2] / name).unlink()
    os.mkfifo(blobs / name[:2] / name)
    assert site.get(f"/blob/{name}").status_code == 404
    (blobs / name[:2] / name).unlink()
    (blobs / name[:2]).rmdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / name).write_bytes(b"secret")
    (blobs / name[:2]).symlink_to(tmp_path / "outside")
    assert site.get(f"/blob/{name}").status_code == 404


def test_a_search_leads_to_the_message(path: Path) -> None:
    pytest.importorskip("tantivy")
    site: TestClient = client(path)
    text = site.get("/search?q=number+1").text

    assert "1 found" in text
    assert "<mark>number</mark>" in text
    address = text.split('<article class="hit">')[1].split('href="')[1].split('"')[0]
    page_, _, anchor = address.partition("#")
    assert f'id="{anchor}"' in site.get(page_).text
    assert '<p class="note" role="status">' in site.get("/search?q=%21%21").text


def test_without_the_extra_it_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tantivy", None)
    text = client(path).get("/search?q=x").text
    assert "conversation-exporter[search]" in text
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = CliRunner().invoke(cli, ["view", "-a", str(path), "--no-open"])
    assert done.exit_code == 2
    assert "conversation-exporter[view]" in done.output


@pytest.mark.parametrize("words", [["--host", "0.0.0.0"], ["conv_nothing"], ["-a", "nowhere"]])
def test_a_wrong_call_is_one_line(path: Path, words: list[str]) -> None:
    done = CliRunner().invoke(cli, ["view", "-a", str(path), "--no-open", *words])

    assert done.exit_code in (2, 10)
    assert done.output.count("\n") == 1


def test_the_theme_is_kept(path: Path) -> None:
    site = client(path)
    assert "data-theme" not in site.get("/").text
    site.cookies.set("exporter-theme", "dark")
    assert '<html lang="en" data-theme="dark">' in site.get("/").text
    site.cookies.set("exporter-theme", '"><script>')
    assert "<script>" not in site.get("/").text.replace('<script src="/static/view.js" defer>', "")


def test_who_asks_for_the_head_of_a_content_is_told_its_size(path: Path) -> None:
    name = library.keep(path, hostile.PNG)
    answer = client(path).head(f"/blob/{name}")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(hostile.PNG))
    assert answer.headers["content-type"] == "image/png"


def test_a_content_that_cannot_be_read_says_what_to_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = library.keep(path, hostile.PNG)
    site = client(path)

    def failing(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", failing)
    answer = site.get(f"/blob/{name}")
    assert (answer.status_code, answer.text) == (500, "This file cannot be read; run `exporter check`.\n")
    monkeypatch.undo()
    assert site.get(f"/blob/{name}").content == hostile.PNG


def test_an_archive_that_is_gone_has_no_contents(path: Path, tmp_path: Path) -> None:
    name = library.keep(path, hostile.PNG)
    site = client(path)
    path.rename(tmp_path / "elsewhere")

    assert site.get(f"/blob/{name}").status_code == 404


def names(path: Path, *texts: tuple[str, str, str | None]) -> list[str]:
    """What threads are called in the list, whose only message is of this role and text, by a title or without."""
    Archive.create(path)
    with Archive.write(path) as archive:
        for number, (role, text, title) in enumerate(texts):
            thread = ThreadRef("conversations", library.ENDPOINT, f"conv_{number}")
            library.put(archive, thread, [library.said(0, text, role)] if text else [], title=title)
        archive.seal()
    with Archive.open(path) as archive:
        found = Previews().of(archive, archive.catalog.known())
        return [found.get(one.thread, one.title or "-") for one in archive.catalog.known()]


def test_a_thread_without_a_title_is_called_by_what_a_user_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_previews, "SECONDS", 60)
    told = names(
        tmp_path / "a",
        ("user", "how are\nyou?", None),
        ("user", "not this", "A title"),
        ("assistant", "welcome", None),
        ("user", "", None),
        ("user", "x" * 500, None),
    )

    assert told == ["how are you?", "A title", "-", "-", "x" * 80]


def test_only_so_many_names_are_remembered_and_only_so_long_is_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = library.long(tmp_path / "a", 2)
    previews = Previews()
    monkeypatch.setattr(_previews, "REMEMBERED", 2)
    with Archive.open(path) as archive:
        untitled = [replace(one, title=None) for one in archive.catalog.known()]
        assert len(previews.of(archive, untitled)) == 3
        monkeypatch.setattr(_previews, "SECONDS", -1)
        assert len(previews.of(archive, untitled)) == 2  # of the third there is no time to look


def test_a_thread_whose_texts_cannot_be_read_keeps_its_id(path: Path) -> None:
    with Archive.open(path) as archive:
        untitled = [replace(one, title=None) for one in archive.catalog.known()]
        for segment in path.glob("segments/**/*.zst"):
            segment.unlink()
        assert Previews().of(archive, untitled) == {}


@pytest.mark.parametrize("name", [".", "..", "", "a/b", "?", "é"])
def test_an_id_in_a_foreign_archive_may_be_anything(name: str, tmp_path: Path) -> None:
    thread = ThreadRef("conversations", library.ENDPOINT, name)
    item = Item("msg_0", json.dumps(library.said(0, "only this")).encode())
    Archive.create(tmp_path / "a")
    with Archive.write(tmp_path / "a") as archive:
        archive.append([Page(thread, "message", (item,), None, False, library.AT, "messages")])
        archive.seal()
    site = client(tmp_path / "a")
    address = link(site.get("/").text, "data-thread=")

    assert address is not None
    assert "only this" in site.get(address).text


def test_what_is_found_is_turned_page_by_page_both_ways(tmp_path: Path) -> None:
    pytest.importorskip("tantivy")
    site = client(library.long(tmp_path / "archive", 2 * PER_PAGE + 5))

    def walked(address: str | None, pattern: str) -> tuple[list[str], str]:
        seen: list[str] = []
        last = ""
        while address:
            text, last = site.get(address).text, address
            seen += re.findall(r'<article class="hit">.*?href="([^"]*)"', text, re.DOTALL)
            address = next((unescape(one) for one in re.findall(rf'<a href="([^"]*)" rel="{pattern}"', text)), None)
        return seen, last

    there, last = walked("/search?q=message+number&user=ann", "next")
    back, _ = walked(last, "prev")
    assert len(there) == len(set(there)) == 2 * PER_PAGE + 5
    assert set(back) == set(there)


@pytest.mark.parametrize("offset", ["-1", "x", "\u0663", "1000000", "99999"])
def test_any_number_is_a_page_of_what_is_found(offset: str, path: Path) -> None:
    pytest.importorskip("tantivy")
    answer = client(path).get("/search", params={"q": "number", "offset": offset})

    assert answer.status_code == 200
    assert answer.text.count('class="hit"') == (0 if offset == "99999" else 3)


def test_who_searches_while_the_index_is_made_is_told_and_looks_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tantivy")
    made, begun = threading.Event(), [0]
    refresh = _finding.Finding._refresh

    def slowly(self: _finding.Finding, work: _finding._Work) -> None:
        begun[0] += 1
        made.wait(60)
        refresh(self, work)

    monkeypatch.setattr(_finding.Finding, "_refresh", slowly)
    monkeypatch.setattr(_finding, "PATIENCE", 0)
    site = client(path)
    for _ in range(3):
        early = site.get("/search?q=number")
        assert (early.headers["refresh"], "is being indexed" in early.text) == ("2", True)
    assert begun == [1]
    made.set()
    monkeypatch.setattr(_finding, "PATIENCE", 60)
    late = site.get("/search?q=number")
    assert "refresh" not in late.headers
    assert "3 found" in late.text


def test_an_index_that_cannot_be_made_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tantivy")

    def full(*_: object, **__: object) -> None:
        raise DiskFull("the index: the disk is full; free space")

    monkeypatch.setattr("exporter.search.make_folder", full)
    answer = client(path).get("/search?q=number")
    assert "the disk is full; free space" in answer.text
    assert "refresh" not in answer.headers


def test_each_subagent_has_a_heading_that_is_no_message(tmp_path: Path) -> None:
    session = ThreadRef("agents", library.ENDPOINT, "asess_1")
    Archive.create(tmp_path / "a")
    with Archive.write(tmp_path / "a") as archive:
        library.put(archive, session, [library.said(0, "go"), library.said(1, "on")])
        item = Item("msg_9", json.dumps(library.said(9, "inside")).encode())
        archive.append(
            [Page(session, "message", (item,), None, False, library.AT, "items:sub_1", parent="sub_1")],
        )
        archive.seal()
    text = client(tmp_path / "a").get("/t/agents/asess_1").text

    assert text.count("Subagent sub_1") == 1
    assert len(places(text)) == 3
    assert text.index("on") < text.index("Subagent sub_1") < text.index("inside")


def test_a_conversation_that_is_let_go_while_somebody_waits_for_it_is_opened_again(path: Path) -> None:
    shelf, take = _thread.Shelf(path), _thread.Shelf._take
    taken: list[_thread.Reading] = []

    def late(self: _thread.Shelf, manifest: int, thread: ThreadRef) -> _thread.Reading:
        taken.append(take(self, manifest, thread))
        if len(taken) == 1:
            taken[0].close()
        return taken[-1]

    with Archive.open(path) as archive, mock.patch.object(_thread.Shelf, "_take", late):
        with shelf.reading(archive, library.LONG) as reading:
            assert "message number 2" in str(reading.shown({}))
        assert [one.closed for one in taken] == [True, False]
    shelf.close()
