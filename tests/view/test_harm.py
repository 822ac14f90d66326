"""Nothing of a transcript runs, loads, leaks or pretends: in the viewer's pages and in exported ones, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.formats._page import TAGS
from exporter.view import Viewer
from tests.formats import hostile
from tests.formats.conftest import Library
from tests.view import library
from tests.view.visiting import PHONE, Visit, viewing, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WHAT_IS_THERE = """() => [...document.querySelectorAll('*')].map(one => [
    one.localName, one.namespaceURI === 'http://www.w3.org/1999/xhtml',
    Object.fromEntries([...one.attributes].map(at => [at.name, at.value]))])"""
OURS = {
    *("html", "head", "body", "meta", "title", "style", "link", "script", "aside", "header", "main", "nav", "section"),
    *("article", "small", "time", "bdi", "dl", "dt", "dd", "details", "summary", "figure", "figcaption", "img", "div"),
    *("span", "form", "input", "select", "option", "label", "button", "dialog", "kbd", "template", "mark", "code"),
}
DRAWN = {"svg", "path", "circle", "line", "rect", "g", "polyline"}
"Our own icons."
FORMS = {"/", "/search", "dialog"}
LINKS = ("/", "#", "https://", "http://", "mailto:")


@dataclass
class Trap:
    viewer: Viewer
    path: Path
    blobs: dict[str, str]


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trap]:
    path = tmp_path_factory.mktemp("harm") / "archive"
    blobs = library.harmful(path)
    with viewing(path) as viewer:
        yield Trap(viewer, path, blobs)


def judge(visit: Visit) -> None:
    """Hold that a page consists of what we make, and that nothing happened."""
    # what a browser itself says of an address that leads to nothing
    visit.console = [one for one in visit.console if "the server responded with a status of 404" not in one]
    visit.quiet()
    for name, is_html, has in visit.page.evaluate(WHAT_IS_THERE):
        assert name in (OURS | set(TAGS) if is_html else DRAWN), (name, has)
        assert not [one for one in has if one.startswith("on") or one in ("style", "srcdoc", "srcset", "formaction")]
        if name == "script":
            assert has == {"src": "/static/view.js", "defer": ""}
        if name == "link":
            assert has["href"] in ("/static/style.css", "/static/icon.svg")
        if name == "form":
            assert (has.get("action") or has.get("method")) in FORMS
        if name == "img":
            assert has["src"].startswith(("/blob/", "data:image/png;base64,"))
        if name == "a":
            href = has.get("href", "/")
            assert href.startswith(LINKS), href
            assert not href.startswith("//"), href
            if not href.startswith(("/", "#")) and not visit.page.url.startswith("file:"):
                assert has["rel"] == "noopener noreferrer nofollow"
        if name == "meta":
            assert has.get("http-equiv") in (None, "Content-Security-Policy")


def test_the_list_and_every_conversation_of_somebody_who_means_harm(browser: Browser, trap: Trap) -> None:
    count = len([*hostile.TEXTS, *hostile.MORE]) + 1
    with visiting(browser, trap.viewer.root) as visit:
        visit.page.goto(trap.viewer.url)
        for _ in range(10):
            if visit.page.locator("#list a[data-thread]").count() == count:
                break
            visit.page.locator("#list a.more").scroll_into_view_if_needed()
            visit.page.wait_for_timeout(300)
        links = visit.page.locator("#list a[data-thread]")
        addresses = links.evaluate_all("found => found.map(one => one.getAttribute('href'))")
        assert len(set(addresses)) == count
        judge(visit)
        for address in addresses:
            answer = visit.page.goto(trap.viewer.root + address)
            assert answer is not None
            assert answer.status == 200, address
            assert visit.page.locator("#transcript article").count() >= 1
            judge(visit)
            assert visit.page.locator("main").is_visible()


def test_what_was_said_can_be_read(browser: Browser, trap: Trap) -> None:
    with visiting(browser, trap.viewer.root) as visit:
        visit.page.goto(trap.viewer.url)
        visit.page.locator("#list a[data-thread]", has_text="{{ 7*7 }}").first.click()
        visit.page.locator("#transcript article").first.wait_for()

        assert "{{ 7*7 }} {% for x in y %}" in visit.page.locator("#transcript").inner_text()
        assert visit.page.get_by_text("49", exact=True).count() == 0


@pytest.mark.parametrize("text", [*hostile.SCRIPTS[:4], hostile.CONTROLS[0], "{{7*7}}", "a\x00b", "'\";--", "%00", '"'])
def test_an_address_may_hold_anything(browser: Browser, trap: Trap, text: str) -> None:
    from urllib.parse import quote

    said = quote(text, safe="")
    with visiting(browser, trap.viewer.root) as visit:
        visit.page.goto(trap.viewer.url)
        for path in (f"/search?q={said}", f"/?text={said}&user={said}&source={said}", f"/?after={said}"):
            answer = visit.page.goto(trap.viewer.root + path)
            assert answer is not None
            assert answer.status in (200, 404), path
            judge(visit)
        for path in (f"/t/conversations/{said}", f"/t/{said}/x", f"/{said}", "/t/conversations/..%2f..%2fetc%2fpasswd"):
            answer = visit.page.goto(trap.viewer.root + path)
            assert answer is not None
            assert answer.status == 404, path
            judge(visit)


def test_only_pictures_are_shown_and_other_files_are_saved(browser: Browser, trap: Trap) -> None:
    with visiting(browser, trap.viewer.root) as visit:
        page = visit.page
        page.goto(trap.viewer.url_of("/t/conversations/conv_files"))
        pictures = page.locator("#transcript img")
        assert pictures.evaluate_all("found => found.map(one => one.getAttribute('src'))") == [
            f"/blob/{trap.blobs['real.png']}"
        ]
        assert pictures.evaluate("one => one.complete && one.naturalWidth") == 1
        judge(visit)
        for name in ("picture.svg", "page.html", "book.pdf", "code.js"):
            with page.expect_download() as started:
                page.locator(f"#transcript a[href='/blob/{trap.blobs[name]}']").click()
            assert Path(started.value.path()).read_bytes() == library.FILES[name]
            answer = page.request.get(f"{trap.viewer.root}/blob/{trap.blobs[name]}")
            assert answer.headers["content-disposition"] == "attachment"
            assert answer.headers["content-type"] == "application/octet-stream"
        assert page.url.endswith("/conv_files")
        visit.quiet()


def test_a_phone_can_read_it_without_scrolling_sideways(browser: Browser, trap: Trap) -> None:
    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    with visiting(browser, trap.viewer.root, **PHONE) as visit:
        visit.page.goto(trap.viewer.url)
        assert visit.page.evaluate(wider) == 0
        links = visit.page.locator("#list a[data-thread]")
        for address in links.evaluate_all("found => found.map(one => one.getAttribute('href'))"):
            visit.page.goto(trap.viewer.root + address)
            assert visit.page.evaluate(wider) == 0, address
        visit.quiet()


def test_exported_pages_are_as_harmless(browser: Browser, trap: Trap, tmp_path: Path) -> None:
    page = tmp_path / "all.html"
    Library(trap.path).write("html", page)
    with visiting(browser, page.as_uri()) as visit:
        visit.page.goto(page.as_uri())
        assert visit.page.locator("article").count() >= len(hostile.TEXTS) * 5
        judge(visit)


def test_the_judge_would_see_it(browser: Browser, tmp_path: Path) -> None:
    """Without any care, the same texts run, load and open what is not ours."""
    bad = tmp_path / "bad.html"
    bad.write_text(f"<!DOCTYPE html><title>x</title>{hostile.MORE[0]}{hostile.SCRIPTS[2]}")
    with visiting(browser, bad.as_uri()) as visit:
        visit.page.goto(bad.as_uri())

        assert visit.page.evaluate("window.pwned") == 1
        assert visit.outside
        with pytest.raises(AssertionError):
            judge(visit)
