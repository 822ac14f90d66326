"""Markdown: a heading per entry, and what was said as a quotation below it, so that no text can look like a heading.

Nothing in it is HTML: tool calls are fenced code, whose fence is longer than any in them. Links in what was said lead
to web and mail addresses only, pictures from elsewhere are not loaded; files are links to the archive's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from exporter.formats._citing import cited
from exporter.formats._entries import Citation, Entry, File, Section, entries
from exporter.formats._harmless import line
from exporter.formats._job import Job
from exporter.formats._quoting import fenced, inline, quoted
from exporter.formats._story import Story

SUFFIX = ".md"
CHAINS = True


def write(stories: Iterable[Story], out: BinaryIO, job: Job) -> None:
    """Write one conversation after the other."""
    for story in stories:
        job.threads += 1
        out.writelines(text.encode() for text in _conversation(story, job))


def _conversation(story: Story, job: Job) -> Iterator[str]:
    head = story.head()
    yield f"# {inline(head.get('title') or story.thread.id)}\n\n"
    for name, value in facts(story, head):
        yield f"- {name}: {inline(value)}\n"
    yield "\n"
    for one in entries(story):
        if isinstance(one, Section):
            yield f"## {inline(one.title)}\n\n"
        else:
            job.messages += one.is_message
            job.records += one.is_message
            yield from _entry(one, story, job)


def facts(story: Story, head: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Yield what is known of a thread, by its name."""
    yield "id", story.thread.id
    yield "source", f"{story.thread.source}, {story.thread.endpoint}"
    for name in ("user", "customer"):
        if head.get(name):
            yield name, str(head[name])
    if story.known.tags:
        yield "tags", ", ".join(story.known.tags)
    if head.get("created_at"):
        yield "created", f"{head['created_at']:%Y-%m-%d %H:%M:%S} UTC"
    if story.gone:
        yield "gone", f"the server has deleted it; noticed {head['deleted_at']:%Y-%m-%d %H:%M} UTC"
    elif story.known.state != "complete":
        why = (story.known.error or "").removeprefix(f"{story.thread.source}/{story.thread.id}: ")
        yield "state", f"{story.known.state}: {why}" if why else story.known.state


def _entry(one: Entry, story: Story, job: Job) -> Iterator[str]:
    when = f"{one.time:%Y-%m-%d %H:%M:%S}" if one.time else one.place
    yield f"### {inline(' · '.join(filter(None, (one.who, *one.remarks, when))))}\n\n"
    if one.deleted:
        yield f"**{inline(deletion(one))}**\n\n"
    for before in one.earlier:
        yield f"**before, as seen {before.seen:%Y-%m-%d %H:%M} UTC**\n\n{fenced(before.text)}\n\n"
    text, sources = cited(one)
    if text:
        yield f"{quoted(text)}\n\n"
    for fold in one.folds:
        yield f"**{inline(fold.title)}**\n\n" if fold.title else ""
        yield f"{fenced(fold.text)}\n\n"
    if sources or one.files:
        yield "".join(f"- \\[{n}\\] {_citation(each, story, job)}\n" for n, each in enumerate(sources, 1))
        yield "".join(f"- {_file(each, story, job)}\n" for each in one.files)
        yield "\n"


def deletion(one: Entry) -> str:
    """Say that an entry is not there any more."""
    assert one.deleted is not None
    since, reason = one.deleted
    return f"not on the server any more ({reason}); noticed {since:%Y-%m-%d %H:%M} UTC"


def _citation(one: Citation, story: Story, job: Job) -> str:
    if one.file is not None:
        return _file(one.file, story, job)
    return f"{inline(one.label)}{f': {inline(one.url)}' if one.url else ''}"


def _file(one: File, story: Story, job: Job) -> str:
    name = inline(one.name)
    if one.blob is not None:
        name = f"[{name}](<{_relative(story.archive.path / one.blob, job.base)}>)"
    return f"{name} ({inline(one.about)})"


def _relative(path: Path, base: Path) -> str:
    return quote(line(os.path.relpath(path.resolve(), base.resolve())))
