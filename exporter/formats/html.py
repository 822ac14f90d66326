"""HTML: a page per thread that needs nothing else, and pages of contents: no script, and nothing from outside.

Needs the extra `html`. Texts are rendered as Markdown; tool calls are folded; pictures of the archive are in the page
itself. Other files are named, with their place in the archive, and not linked: a browser might run what is in them.
`exporter view` shows conversations with the same templates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from exporter.formats._citing import cited
from exporter.formats._entries import Entry, File, Section, entries
from exporter.formats._harmless import line, visible
from exporter.formats._job import Job
from exporter.formats._page import page, picture, rendered
from exporter.formats._story import Story
from exporter.formats.markdown import deletion, facts

SUFFIX = ".html"
CHAINS = True
FOLDER = True
ROLES = ("user", "assistant", "system", "developer", "tool")
ANCHOR = 16
"Digits of an entry's key that are its name in a page."


class Contents(Protocol):
    """Where a page finds the contents of files."""

    def picture(self, blob: str) -> str | None:
        """Return the address of a picture; None for anything else."""

    def link(self, blob: str) -> str | None:
        """Return the address of any content; None where there is no safe one."""


@dataclass(frozen=True, slots=True)
class Inside:
    """Pictures are in the page itself, other contents are not linked."""

    archive: Path

    def picture(self, blob: str) -> str | None:
        """See `Contents.picture`."""
        return picture(self.archive / blob)

    def link(self, blob: str) -> str | None:  # noqa: ARG002 - the protocol's
        """See `Contents.link`."""
        return None


def write(stories: Iterable[Story], out: BinaryIO, job: Job) -> None:
    """Write one page with these threads."""
    title, told = _titled(iter(stories))
    threads = (_thread(one, job) for one in told)
    out.writelines(text.encode() for text in page("threads.html", {"title": title, "threads": threads}))


def _titled(stories: Iterator[Story]) -> tuple[str, Iterator[Story]]:
    """Return the title of a page: its only thread's."""
    first = next(stories, None)
    if first is None:
        return "Conversations", stories
    second = next(stories, None)
    if second is None:
        return title_of(first), iter([first])
    return "Conversations", _again(first, second, stories)


def _again(first: Story, second: Story, rest: Iterator[Story]) -> Iterator[Story]:
    yield from (first, second)
    yield from rest


def title_of(story: Story, head: dict[str, Any] | None = None) -> str:
    """Return what a conversation is called."""
    return line(str((head or story.head()).get("title") or "")) or line(story.thread.id)


def facts_of(story: Story, head: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is known of a conversation, by its name."""
    return [(name, line(value)) for name, value in facts(story, head)]


def _thread(story: Story, job: Job) -> dict[str, Any]:
    job.threads += 1
    head = story.head()
    return {"title": title_of(story, head), "facts": facts_of(story, head), "entries": _entries(story, job)}


def _entries(story: Story, job: Job) -> Iterator[dict[str, Any]]:
    inside = Inside(story.archive.path)
    for one in entries(story):
        if isinstance(one, Entry):
            job.messages += one.is_message
            job.records += one.is_message
        yield shown(one, inside)


def shown(one: Section | Entry, contents: Contents) -> dict[str, Any]:
    """Return what the template `entry.html` takes: texts, and HTML that is harmless."""
    if isinstance(one, Section):
        return {"section": line(one.title)}
    pictures, notes = [], []
    text, sources = cited(one)
    named = [(line(file.name), file) for file in one.files]
    named += [(line(f"[{n}] {each.file.name}"), each.file) for n, each in enumerate(sources, 1) if each.file]
    for name, file in named:
        address = contents.picture(file.blob) if file.blob else None
        if address:
            pictures.append({"name": name, "address": address})
        else:
            notes.append(_note(name, file, contents))
    notes += [
        {"name": line(f"[{n}] {each.label}"), "about": line(each.url or ""), "link": None}
        for n, each in enumerate(sources, 1)
        if not each.file
    ]
    return {
        "section": None,
        "href": None,
        "anchor": f"m-{one.key[:ANCHOR]}" if one.key else None,
        "kind": one.who if one.who in ROLES else "other",
        "who": line(one.who),
        "remarks": [line(remark) for remark in one.remarks],
        "time": one.time and one.time.replace(tzinfo=None).isoformat(),
        "shown": one.time and f"{one.time:%Y-%m-%d %H:%M:%S}",
        "place": one.place,
        "earlier": [{"seen": f"{each.seen:%Y-%m-%d %H:%M}", "text": visible(each.text)} for each in one.earlier],
        "deleted": deletion(one) if one.deleted else None,
        "said": rendered(text) if text else None,
        "quiet": not one.text and [fold.title for fold in one.folds] == [""],
        "folds": [{"title": line(fold.title), "text": visible(fold.text)} for fold in one.folds],
        "pictures": pictures,
        "notes": notes,
    }


def _note(name: str, file: File, contents: Contents) -> dict[str, str | None]:
    link = contents.link(file.blob) if file.blob else None
    place = f", {file.blob}" if file.blob and not link else ""
    return {"name": name, "about": line(f"{file.about}{place}"), "link": link}
