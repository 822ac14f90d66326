"""One conversation, to read in a notebook.

The idea: what a notebook shows of it is what `exporter export` writes. HTML stands in a frame of its own that may run
nothing, so neither can a message reach the notebook nor the notebook's style the message.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.archive import Archive
from exporter.errors import UsageError
from exporter.formats import found, load
from exporter.formats._choosing import conversations
from exporter.formats._entries import Entry, Section, entries
from exporter.formats._job import Job
from exporter.formats._quoting import inline
from exporter.formats._story import Story, Wanted
from exporter.formats._transcript import Transcript as Shown
from exporter.notebook._beginning import Beginning

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("thread", "section", "place", "time", "who", "text", "folds", "remarks", "files", "deleted_at")


class Transcript:
    """A conversation: iterating gives its entries; each look reads the archive as it is then."""

    def __init__(self, path: Path, thread_id: str, source: str | None = None) -> None:
        self._path = path
        with Archive.open(path) as archive:
            self.thread = found(archive, thread_id, source)
        self._wanted = Wanted(ids=(self.thread.id,), source=self.thread.source)

    def __repr__(self) -> str:
        return f"<conversation {self.thread}>"

    def __iter__(self) -> Iterator[Section | Entry]:
        with self._story() as story:
            yield from entries(story) if story else ()

    def text(self) -> str:
        """Return the whole conversation as `exporter show` prints it: nothing in it can steer a terminal."""
        with self._story() as story:
            return "\n".join(Shown(story).paragraphs()) if story else ""

    def pandas(self) -> pd.DataFrame:
        """Return a row for each entry, in their order: who said what when, in which section."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            raise UsageError("pandas is not installed; pip install 'conversation-exporter[notebook]'") from None
        frame = pandas.DataFrame(self._rows(), columns=list(COLUMNS))
        for column in ("time", "deleted_at"):
            frame[column] = pandas.to_datetime(frame[column], utc=True)
        found_: pd.DataFrame = frame
        return found_

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        section = None
        for one in self:
            if isinstance(one, Section):
                section = one.title
                continue
            folds, files = [fold.title for fold in one.folds], [file.name for file in one.files]
            deleted = one.deleted[0] if one.deleted else None
            yield (
                self.thread.id,
                section,
                one.place,
                one.time,
                one.who,
                one.text,
                folds,
                list(one.remarks),
                files,
                deleted,
            )

    def _repr_html_(self) -> str | None:
        """Return the beginning as a page in a frame; None without the extra `html`, and Markdown is shown instead."""
        try:
            page, more = self._written("html")
        except UsageError:
            return None
        frame = (
            f'<iframe sandbox="" srcdoc="{escape(page)}" title="conversation" style="width:100%;height:32rem;border:0">'
        )
        return f"{frame}</iframe>{f'<p>{escape(more)}</p>' if more else ''}"

    def _repr_markdown_(self) -> str:
        """Return the beginning as Markdown."""
        text, more = self._written("markdown")
        return f"{text}\n{more}\n" if more else text

    def _written(self, name: str) -> tuple[str, str]:
        """Return the beginning in a format, and how to see the rest."""
        out = io.BytesIO()
        with self._story() as story:
            if story is None:
                said = inline(f"{self.thread.id}: nothing of it was fetched yet")
                return escape(said) if name == "html" else said, ""
            beginning = Beginning(story)
            load(name).write(iter([beginning.story]), out, Job(base=Path.cwd()))
        more = "This is the beginning: `.text()`, `.pandas()` and iterating have all of it, as `exporter show` has."
        return out.getvalue().decode(), more if beginning.cut else ""

    @contextmanager
    def _story(self) -> Iterator[Story | None]:
        """Open the archive; None where nothing of the thread is in it."""
        with Archive.open(self._path) as archive:
            yield next(conversations(archive, self._wanted, Job()), None)
