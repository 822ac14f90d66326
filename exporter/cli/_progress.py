"""How a backup shows that it moves: a bar on a terminal, rare lines elsewhere.

The crawl calls `plan`, `page` and `outcome`; nothing here slows it down or can fail it.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from exporter.cli._numbers import many
from exporter.cli._output import Output
from exporter.model import Outcome, Page, Registration, printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from exporter.crawl import Plan

EVERY = 60.0
"Seconds between two quiet lines."
EVERY_IN_LOGS = 600.0
MANY = 20_000
"Threads whose schedules take seconds to work out."
FAILURES = 100
"Threads that failed which are named where the lines stay; `exporter status` names all."


class Progress:
    """Counts what comes and says so now and then."""

    def __init__(self, out: Output) -> None:
        self._out, self._total = out, 0
        self._threads = self._objects = self._pages = self._failures = 0
        self._every = EVERY if out.style == "plain" else EVERY_IN_LOGS
        self._started = self._said = time.monotonic()
        self._bar: Bar | None = None
        self._task: Any = None

    def reschedule(self, count: int) -> None:
        """Before it is known what will be visited, the schedules of so many threads are worked out anew."""
        if count >= MANY:
            with suppress(OSError):
                self._out.say(f"working out when {count:,} threads are due", event="schedules", threads=count)

    def plan(self, plan: Plan) -> None:
        """It is known what will be visited."""
        self._total = plan.count
        with suppress(OSError):
            self._out.log(f"{many(self._total, 'threads')} to visit", event="start", threads=self._total)
            if self._out.style == "plain" and sys.stderr.isatty() and self._out.verbosity >= 0:
                self._bar = _bar()
                self._task = self._bar.add_task("backup", total=self._total, told="")
                self._bar.start()

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
        if self._out.verbosity >= 2:  # the words cost more than all the rest
            self._out.say(f"{page.thread}: {page.list} {page.seq}+{len(page.items)}", level=2)
        self._tell()

    def _outcome(self, outcome: Outcome) -> None:
        self._threads += 1
        if self._out.as_json:
            told = {"state": outcome.state, "records": outcome.records, "code": outcome.code, "error": outcome.error}
            self._out.item("thread", {**_named(outcome), **told, "notes": outcome.notes})
            sys.stdout.flush()
        if outcome.state in ("failed", "partial"):
            self._failed(outcome, _named(outcome))
        elif outcome.code == "expired_link":
            self._line(f"gone: {outcome.error}")
        elif outcome.state == "gone" or self._out.verbosity > 0:
            self._line(f"{outcome.state}: {outcome.thread}: {many(outcome.records, 'new objects')}")
        self._tell()

    def _failed(self, outcome: Outcome, fields: dict[str, str]) -> None:
        self._failures += 1
        if self._bar or self._failures <= FAILURES:
            about = {**fields, "state": outcome.state, "code": outcome.code}
            self._line(f"{outcome.state}: {outcome.error or outcome.thread}", about)
        elif self._failures == FAILURES + 1:
            self._line("more threads failed; exporter status names them all", {})

    def _line(self, text: str, failed: dict[str, Any] | None = None) -> None:
        text = printable(text)
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False)
        elif failed is not None:
            self._out.complain(text, "warning", event="thread_failed", **failed)
        else:
            self._out.say(text)

    def _tell(self) -> None:
        now = time.monotonic()
        if self._bar:
            self._bar.update(self._task, completed=self._threads, total=self._total, told=self._rates(now))
        elif now - self._said >= self._every:
            self._said = now
            self._out.say(f"{self._threads:,} of {many(self._total, 'threads')}, {self._rates(now)}", event="progress")

    def _rates(self, now: float) -> str:
        seconds = max(now - self._started, 1e-9)
        return f"{many(self._objects, 'objects')}, {self._pages / seconds:,.1f} pages/s"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()


def _named(outcome: Outcome) -> dict[str, str]:
    return {"source": outcome.thread.source, "endpoint": outcome.thread.endpoint, "thread": outcome.thread.id}


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("threads, {task.fields[told]}"), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
