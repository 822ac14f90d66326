"""How a discovery shows that it moves: a count on a terminal, a rare line elsewhere; nobody knows the total."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from exporter.cli._output import Output
from exporter.cli._progress import EVERY
from exporter.model import printable

if TYPE_CHECKING:
    from rich.status import Status

    from exporter.discovery import Taken


class Counting:
    """Counts what is listed and says so now and then; it can fail nothing."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._listed = self._new = 0
        self._started = self._said = time.monotonic()
        self._status: Status | None = None

    def page(self, taken: Taken) -> None:
        """A page of a list is archived."""
        with suppress(OSError):
            self._listed += taken.listed
            self._new += len(taken.registered)
            self._tell(f"{taken.source} ({taken.profile})")

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Make room for lines that stay."""
        if self._status:
            self._status.stop()
        try:
            yield
        finally:
            if self._status:
                self._status.start()

    def _tell(self, where: str) -> None:
        now = time.monotonic()
        rate = self._listed / max(now - self._started, 1e-9)
        text = printable(f"{where}: {self._listed:,} listed, {self._new:,} new, {rate:,.0f} a second")
        if self._status:
            from rich.text import Text

            self._status.update(Text(text))
        elif now - self._said >= EVERY:
            self._said = now
            self._out.say(text)

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and self._out.verbosity >= 0:
            from rich.console import Console

            self._status = Console(stderr=True).status("asking for the first list")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()
