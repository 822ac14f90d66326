"""Markdown: as a reader of Markdown sees it, no text of a transcript is HTML, a heading of ours, or loads anything."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from exporter.formats._quoting import fenced, inline, quoted
from tests.formats import hostile
from tests.formats.conftest import Library

TEXT = (
    st.text()
    | st.sampled_from(hostile.TEXTS)
    | st.lists(st.sampled_from(hostile.TEXTS) | st.sampled_from("`~\n> #<[]()!:-"))
)
TEXTS = TEXT.map(lambda one: "".join(one) if isinstance(one, list) else one)


def tokens(text: str) -> list[Token]:
    """Read as the most trusting reader there is: with HTML, and every link taken as it is."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    parser.validateLink = bool  # type: ignore[method-assign, assignment]
    found = parser.parse(text)
    return [*found, *(child for one in found for child in one.children or ())]


def harmless(text: str) -> list[Token]:
    found = tokens(text)
    for one in found:
        assert one.type not in ("html_block", "html_inline", "image"), one.content
        if one.type == "link_open":
            assert re.match(r"https?://|mailto:|[A-Za-z0-9_./%-]+$", str(one.attrs["href"]), re.IGNORECASE), one.attrs
    return found


@pytest.mark.parametrize("which", ["library", "nasty"])
def test_every_heading_is_ours(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    library: Library = request.getfixturevalue(which)
    job = library.write("markdown", tmp_path / "out.md")
    found = harmless((tmp_path / "out.md").read_text("utf-8"))

    ours = [one.tag for one in found if one.type == "heading_open" and one.level == 0]
    assert ours.count("h1") == job.threads
    rest = sum("of runs without a message" in one.content or one.content.startswith("files · ") for one in found)
    assert ours.count("h3") >= job.messages
    assert ours.count("h3") <= job.messages + rest + 10
    assert {one.level for one in found if one.type == "blockquote_open"} >= {0}


def test_files_are_links_into_the_archive(library: Library, tmp_path: Path) -> None:
    library.write("markdown", tmp_path / "out.md")
    found = tokens((tmp_path / "out.md").read_text("utf-8"))
    paths = [unquote(str(one.attrs["href"])) for one in found if one.type == "link_open" and "blobs/" in str(one.attrs)]

    assert paths
    assert all((tmp_path / path).is_file() for path in paths)


def test_no_control_character_is_in_it(nasty: Library, tmp_path: Path) -> None:
    nasty.write("markdown", tmp_path / "out.md")

    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", (tmp_path / "out.md").read_text("utf-8")
    )


@given(TEXTS)
def test_a_quotation_is_one_quotation(text: str) -> None:
    found = harmless(f"{quoted(text)}\n\n### next\n")

    assert [one.tag for one in found if one.block and one.level == 0 and one.nesting == 1] == ["blockquote", "h3"]


@given(TEXTS)
def test_a_fence_holds_everything(text: str) -> None:
    found = [one for one in tokens(f"{fenced(text)}\n\n### next\n") if one.level == 0 and one.nesting >= 0]

    assert [one.type for one in found if one.type != "inline"] == ["fence", "heading_open", "text"]


@given(TEXTS)
def test_a_line_is_only_text(text: str) -> None:
    found = harmless(f"### x {inline(text)}\n")

    assert {one.type for one in found} <= {"heading_open", "inline", "text", "heading_close", "text_special"}


def test_its_own_markdown_stays() -> None:
    text = "# Title\n\n- **bold** [web](https://web.example)\n\n```py\nif a < b: print('<i>')\n```\na < b"

    assert quoted(text) == "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))
