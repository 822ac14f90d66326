"""HTML: nothing of a transcript can run, load or pretend, say a strict parser and, where it is installed, Chromium."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import html5lib
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.formats._citing import cited
from exporter.formats._code import LANGUAGES, classes, coloured
from exporter.formats._entries import Citation, Entry, File
from exporter.formats._page import PICTURE_BYTES, TAGS, picture, rendered
from exporter.formats.html import Inside, shown
from tests.formats import browser, hostile
from tests.formats.conftest import Library

OURS = {
    "html",
    "head",
    "body",
    "meta",
    "title",
    "style",
    "header",
    "main",
    "article",
    "h1",
    "h2",
    "h3",
    "small",
    "time",
}
OURS |= {
    "h2",
    "span",
    "bdi",
    "dl",
    "dt",
    "dd",
    "details",
    "summary",
    "pre",
    "figure",
    "figcaption",
    "img",
    "ul",
    "li",
    "div",
    "p",
}
ATTRIBUTES = {
    *(("a", "href"), ("a", "rel"), ("ol", "start"), ("article", "class"), ("div", "class"), ("p", "class")),
    *(("div", "dir"), ("pre", "dir"), ("ul", "class"), ("time", "datetime"), ("img", "src"), ("img", "alt")),
    *(("article", "id"), ("article", "data-role"), ("article", "data-place"), ("h2", "class"), ("bdi", "class")),
    *(("span", "class"), ("details", "class"), ("pre", "data-lang")),
    *(("html", "lang"), ("meta", "charset"), ("meta", "http-equiv"), ("meta", "content"), ("meta", "name")),
}


def parsed(text: str) -> ET.Element:
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False)
    found: ET.Element = parser.parse(text)
    return found


def elements(root: ET.Element) -> Iterator[ET.Element]:
    yield from (one for one in root.iter() if isinstance(one.tag, str))


def strict(text: str) -> list[ET.Element]:
    """Read a whole page; every tag and attribute is one that we make, or let pass."""
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False, strict=True)
    found = list(elements(parser.parse(text)))
    for one in found:
        assert one.tag in OURS | set(TAGS), one.tag
        for name in one.attrib:
            assert (one.tag, name) in ATTRIBUTES, (one.tag, name)
    return found


@pytest.fixture(scope="module")
def page(nasty: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("html") / "page.html"
    nasty.write("html", path)
    return path


def test_a_hostile_page_has_only_tags_and_attributes_that_do_nothing(page: Path) -> None:
    found = strict(page.read_text("utf-8"))

    for one in found:
        if "href" in one.attrib:
            assert re.match(r"(https?://|mailto:)", one.attrib["href"], re.IGNORECASE), one.attrib
        if one.tag == "a":
            assert one.attrib["rel"] == "noopener noreferrer nofollow"
        if one.tag == "img":
            assert one.attrib["src"].startswith("data:image/png;base64,")
    assert sum(one.tag == "img" for one in found) == 1
    assert len([one for one in found if one.tag == "article"]) >= len(hostile.TEXTS) * 4
    assert len([one for one in found if one.tag == "style"]) == 1


def test_words_stay_where_they_were_said(page: Path) -> None:
    roots = {one.tag: one for one in elements(parsed(page.read_text("utf-8")))}
    whole = "".join(roots["body"].itertext())

    assert whole.count("<script>document.title='owned'</script>") > 10
    assert "שלום مرحبا 東京 👩‍👩‍👧 é" in whole
    assert "\\x1b]8;;http://evil.example\\x07click\\x1b[2J" in whole
    assert "\\u202egnp.exe\\u202c" in whole
    assert "half � of � a pair" in whole
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", whole)
    assert "x" * 1_000_000 in whole


def test_the_policy_allows_only_our_style_and_pictures_in_the_page(page: Path) -> None:
    found = strict(page.read_text("utf-8"))
    (policy,) = (one.attrib["content"] for one in found if one.attrib.get("http-equiv") == "Content-Security-Policy")

    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_pages_of_all_sources_are_strict_html(library: Library, tmp_path: Path) -> None:
    library.write("html", tmp_path / "page.html")
    found = strict((tmp_path / "page.html").read_text("utf-8"))

    assert sum(one.tag == "header" for one in found) == 12  # of 16 threads, six are two chains of responses
    assert any(one.tag == "details" for one in found)


@example('[a]\n\n[a]: https://a.example "https://b.example"')  # what a link shows when it is pointed at is its address
@given(st.text() | st.sampled_from(hostile.TEXTS) | st.lists(st.sampled_from(hostile.TEXTS)).map("".join))
def test_rendered_text_has_only_tags_that_do_nothing(text: str) -> None:
    for one in elements(parsed(f"<!DOCTYPE html><title>t</title><body><main>{rendered(text)}</main>")):
        assert one.tag in {"html", "head", "title", "body", "main", "div", "span"} | set(TAGS)
        assert set(one.attrib) <= {"href", "rel", "start", "class", "data-lang"}
        assert one.attrib.get("class", "plain") in {"plain", *classes()}
        assert re.match(r"https?://|mailto:", one.attrib.get("href", "mailto:"), re.IGNORECASE)


def test_markdown_is_rendered() -> None:
    text = rendered("# One\n\n- *two*\n\n| a |\n|---|\n| b |\n\n```py\nx < 1\n```\n\n[z](https://z.example)")

    for part in (
        "<h1>One</h1>",
        "<li><em>two</em></li>",
        "<td>b</td>",
        '<pre data-lang="py"><code><span class="n">x</span>',
    ):
        assert part in text
    assert '<a href="https://z.example" rel="noopener noreferrer nofollow">z</a>' in text


@pytest.mark.parametrize(
    "data", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", b"", b"GIF", b"%PDF-1.7", b"RIFF....WAVE"]
)
def test_what_is_no_picture_is_not_shown(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(data)

    assert picture(tmp_path / "blob") is None
    assert picture(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("png", hostile.PNG),
        ("webp", b"RIFF\x04\x00\x00\x00WEBP"),
        ("gif", b"GIF89a\x01\x00"),
        ("jpeg", b"\xff\xd8\xff\xe0"),
    ],
)
def test_pictures_are_known_by_their_bytes(kind: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(data)

    assert picture(tmp_path / "blob") == f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def test_a_picture_that_is_too_large_is_not_shown(tmp_path: Path) -> None:
    with (tmp_path / "blob").open("wb") as file:
        file.write(hostile.PNG)
        file.truncate(PICTURE_BYTES)
    assert picture(tmp_path / "blob") is not None
    with (tmp_path / "blob").open("ab") as file:
        file.write(b"\0")
    assert picture(tmp_path / "blob") is None


@browser.needs_browser
def test_in_chromium_nothing_runs_nothing_loads_and_nobody_complains(page: Path) -> None:
    seen = browser.load(page)

    assert seen.asked == []
    assert seen.console == []
    assert "<title>Conversations</title>" in seen.dom
    assert seen.dom.count("<article") >= len(hostile.TEXTS) * 4


@browser.needs_browser
def test_the_browser_would_have_seen_it(tmp_path: Path) -> None:
    """The judge is judged: without any care, the same texts run, load and complain."""
    (tmp_path / "bad.html").write_text(
        f"<!DOCTYPE html><title>x</title>{'<p>'.join(hostile.SCRIPTS[:4])}<script>oh no</script>"
    )
    seen = browser.load(tmp_path / "bad.html")

    assert "<title>owned</title>" in seen.dom
    assert any(b"/trap" in request for request in seen.asked)
    assert seen.console


def test_sources_are_numbered_where_they_are_cited() -> None:
    """A server marks them by odd words, or by places; the same source has one number."""
    page = Citation("Weather", "https://w.example")
    file = Citation("prices.csv", file=File("prices.csv", "file f", None))
    cites = (
        replace(file, mark="【4:0†a】"),
        replace(page, place=2),
        replace(file, mark="【9†b】"),
        Citation("nowhere"),
    )
    entry = Entry("assistant", (), "#0", None, "It is【4:0†a】 so【9†b】.", citations=cites)

    assert cited(entry) == ("It[1] is[2] so[2].", (page, file, Citation("nowhere")))
    made = shown(entry, Inside(Path()))
    assert "It[1] is[2] so[2]." in made["said"]
    assert sorted(note["name"] for note in made["notes"]) == ["[1] Weather", "[2] prices.csv", "[3] nowhere"]


def test_a_source_within_the_mark_of_another_one_is_listed_and_tears_nothing() -> None:
    outer, inner = Citation("outer", "https://o.example"), Citation("inner", "https://i.example")
    cites = (replace(inner, place=5), replace(outer, mark="【4:0†a】"))
    entry = Entry("assistant", (), "#0", None, "It 【4:0†a】 is so.", citations=cites)

    assert cited(entry) == ("It [1] is so.", (outer, inner))


@pytest.mark.parametrize(
    ("language", "code", "spans"),
    [("python", "x = 1", True), ("python", "x = 1\n" * 20_000, False), ("no-such-language", "x = 1", False)],
)
def test_code_is_coloured_where_its_language_is_known_and_it_is_no_book(language: str, code: str, spans: bool) -> None:
    made = coloured(code, language, "")

    assert ("<span" in made) == spans
    assert (made == "") == (language not in LANGUAGES)
    assert "<" not in coloured("<b>" * 40_000, "python", "").removeprefix(
        '<pre data-lang="python"><code>'
    ).removesuffix("</code></pre>")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_any_language_that_is_named_keeps_the_code(language: str) -> None:
    made = coloured('if (a < b) { "c" }\n', language, "")

    assert unescape(re.sub(r"<[^>]*>", "", made)) == 'if (a < b) { "c" }\n'
