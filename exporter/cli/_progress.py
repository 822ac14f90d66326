"""How a backup shows that it moves: a bar on a terminal, rare lines elsewhere.

The crawl calls `page` and `outcome`; nothing here slows it down or can fail it.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from exporter.cli._output import Output
from exporter.model import Outcome, Page, Registration, printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

EVERY = 60.0
"Seconds between two quiet lines."


class Progress:
    """Counts what comes and says so now and then."""

    def __init__(self, out: Output, total: int) -> None:
        self._out, self._total = out, total
        self._threads = self._objects = self._pages = 0
        self._started = self._said = time.monotonic()
        self._bar: Bar | None = None
        self._task: Any = None

    def page(self, page: Page) -> None:
        """A page is archived."""
        with suppress(OSError):  # a closed terminal or pipe ends no backup
            self._page(page)

    def outcome(self, outcome: Outcome) -> None:
        """A visit ended."""
        with suppress(OSError):
            self._outcome(outcome)

    def link(self, found: Registration) -> None:
        """A thread was found that another points to: there is one more to visit."""
        with suppress(OSError):
            self._total += 1
            self._out.say(f"{found.thread}: found, {found.via} points to it", level=2)
            self._tell()

    def _page(self, page: Page) -> None:
        self._pages += 1
        self._objects += len(page.items) if page.kind not in ("visit", "registration") else 0
        self._out.say(f"{page.thread}: {page.list} {page.seq}+{len(page.items)}", level=2)
        self._tell()

    def _outcome(self, outcome: Outcome) -> None:
        self._threads += 1
        fields = {"source": outcome.thread.source, "endpoint": outcome.thread.endpoint, "thread": outcome.thread.id}
        told = {"state": outcome.state, "records": outcome.records, "code": outcome.code, "error": outcome.error}
        self._out.item("thread", {**fields, **told, "notes": outcome.notes})
        sys.stdout.flush()
        if outcome.state in ("failed", "partial"):
            self._line(f"{outcome.state}: {outcome.error or outcome.thread}", always=True)
        elif outcome.code == "expired_link":
            self._line(f"gone: {outcome.error}")
        elif outcome.state == "gone" or self._out.verbosity > 0:
            self._line(f"{outcome.state}: {outcome.thread}: {outcome.records:,} new objects")
        self._tell()

    def _line(self, text: str, *, always: bool = False) -> None:
        text = printable(text)
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False)
        elif always:
            self._out.complain(text)
        else:
            self._out.say(text)

    def _tell(self) -> None:
        now = time.monotonic()
        if self._bar:
            self._bar.update(self._task, completed=self._threads, total=self._total, told=self._rates(now))
        elif now - self._said >= EVERY:
            self._said = now
            self._out.say(f"{self._threads:,} of {self._total:,} threads, {self._rates(now)}")

    def _rates(self, now: float) -> str:
        seconds = max(now - self._started, 1e-9)
        return f"{self._objects:,} objects, {self._pages / seconds:,.1f} pages/s"

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and self._out.verbosity >= 0:
            self._bar = _bar()
            self._task = self._bar.add_task("backup", total=self._total, told="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("threads, {task.fields[told]}"), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
