"""HTML: a page per thread that needs nothing else, and pages of contents: no script, and nothing from outside.

Needs the extra `html`. Texts are rendered as Markdown; tool calls are folded; pictures of the archive are in the page
itself. Other files are named, with their place in the archive, and not linked: a browser might run what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

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


def write(stories: Iterable[Story], out: BinaryIO, job: Job) -> None:
    """Write one page with these threads."""
    title, shown = _titled(iter(stories))
    threads = (_thread(one, job) for one in shown)
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


def _thread(story: Story, job: Job) -> dict[str, Any]:
    job.threads += 1
    head = story.head()
    told = [(name, line(value)) for name, value in facts(story, head)]
    return {"title": title_of(story, head), "facts": told, "entries": _entries(story, job)}


def _entries(story: Story, job: Job) -> Iterator[dict[str, Any]]:
    for one in entries(story):
        if isinstance(one, Section):
            yield {"section": line(one.title)}
        else:
            job.messages += one.is_message
            job.records += one.is_message
            yield _entry(one, story)


def _entry(one: Entry, story: Story) -> dict[str, Any]:
    pictures, notes = [], []
    for file in (*one.files, *(each.file for each in one.citations if each.file)):
        data = picture(story.archive.path / file.blob) if file.blob else None
        if data:
            pictures.append({"name": line(file.name), "data": data})
        else:
            notes.append(_note(file))
    notes += [{"name": line(each.label), "about": line(each.url or "")} for each in one.citations if not each.file]
    return {
        "section": None,
        "kind": one.who if one.who in ROLES else "other",
        "who": line(one.who),
        "remarks": [line(remark) for remark in one.remarks],
        "time": one.time and one.time.replace(tzinfo=None).isoformat(),
        "shown": one.time and f"{one.time:%Y-%m-%d %H:%M:%S}",
        "place": one.place,
        "deleted": deletion(one) if one.deleted else None,
        "said": rendered(one.text) if one.text else None,
        "quiet": not one.text and [fold.title for fold in one.folds] == [""],
        "folds": [{"title": line(fold.title), "text": visible(fold.text)} for fold in one.folds],
        "pictures": pictures,
        "notes": notes,
    }


def _note(file: File) -> dict[str, str]:
    about = f"{file.about}{f', {file.blob}' if file.blob else ''}"
    return {"name": line(file.name), "about": line(about)}
