"""A folder with a file per thread, and for a format that asks for it pages of contents that lead to them.

The idea: each file gets its name when it is whole, and the contents come last. Names are made of what is harmless in
an id, and a hash that tells ids apart: an id is never a path.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from exporter.errors import UsageError
from exporter.files import make_folder, replacing
from exporter.formats import Format
from exporter.formats._job import Job
from exporter.formats._story import Story
from exporter.model import ThreadRef, printable

THREADS = "threads"
"The folder of the files that the contents lead to."
PER_PAGE = 500
"Threads on a page of contents."
_STRANGE = re.compile(r"[^A-Za-z0-9]+")


def write_folder(format_: Format, stories: Iterable[Story], folder: Path, job: Job, *, force: bool) -> None:
    """Write a file per thread into a folder; `UsageError` where a file is there already, but for `force`."""
    led = getattr(format_, "FOLDER", False)
    job.base = job.scratch = make_folder(folder / THREADS if led else folder)
    contents = Contents(folder, force=force) if led else None
    for story in stories:
        name = f"{name_of(story.thread)}{format_.SUFFIX}"
        before = job.messages
        with replacing(free(job.base / name, force=force)) as out:
            format_.write([story], out, job)
        if contents:
            contents.add(story, f"{THREADS}/{name}", job.messages - before)
    if contents:
        contents.finish()


def free(path: Path, *, force: bool) -> Path:
    """Return a path where nothing is that would be lost."""
    if path.exists() and not force:
        raise UsageError(f"{printable(str(path))}: it is there already; name another, or say --force to replace it")
    return path


def name_of(thread: ThreadRef) -> str:
    """Return a name for the file of a thread: the same each time, and another one for each thread."""
    whole = f"{thread.source}\0{thread.endpoint}\0{thread.id}".encode("utf-8", "surrogatepass")
    readable = _STRANGE.sub("-", thread.id).strip("-")[:60]
    return f"{readable or 'thread'}-{hashlib.blake2b(whole, digest_size=6).hexdigest()}"


class Contents:
    """Pages that list the threads: `index.html`, `index-2.html`, ...; one of them in memory."""

    def __init__(self, folder: Path, *, force: bool) -> None:
        self._folder, self._force = folder, force
        self._rows: list[dict[str, Any]] = []
        self._number = 1
        free(folder / self._name(1), force=force)

    def add(self, story: Story, href: str, messages: int) -> None:
        """List a thread."""
        from exporter.formats.html import title_of

        if len(self._rows) == PER_PAGE:
            self._write(self._name(self._number + 1))
            self._number += 1
        head = story.head()
        self._rows.append(
            {
                "href": href,
                "title": title_of(story, head),
                "user": printable(head.get("user") or ""),
                "customer": printable(head.get("customer") or ""),
                "source": story.thread.source,
                "created": f"{head['created_at']:%Y-%m-%d %H:%M}" if head.get("created_at") else "",
                "messages": messages,
                "gone": story.gone,
            }
        )

    def finish(self) -> None:
        """Write the last page."""
        self._write(None)

    def _write(self, after: str | None) -> None:
        from exporter.formats._page import page

        before = self._name(self._number - 1) if self._number > 1 else None
        values = {"rows": self._rows, "number": self._number, "before": before, "after": after}
        with replacing(free(self._folder / self._name(self._number), force=self._force)) as out:
            for text in page("contents.html", values):
                out.write(text.encode())
        self._rows = []

    def _name(self, number: int) -> str:
        return "index.html" if number == 1 else f"index-{number}.html"
