"""How making an index shows that it moves: a bar with the time that is left on a terminal, rare lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from exporter.cli._output import Output

EVERY = 30.0
"Seconds between two lines."
WORTH = 16 << 20
"Bytes that are read in no time: nothing is said of less."

OnProgress = Callable[[int, int], None]


@contextmanager
def indexing(out: Output) -> Iterator[OnProgress]:
    """Lend what is told how many bytes of how many are read."""
    if out.style == "plain" and sys.stderr.isatty() and out.verbosity >= 0:
        with _bar() as told:
            yield told
    else:
        yield _lines(out)


@contextmanager
def _bar() -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("indexing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("indexing", total=None, visible=False)

        def told(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=total > WORTH)

        yield told


def _lines(out: Output) -> OnProgress:
    started = said = time.monotonic()

    def told(done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if total > WORTH and now - said >= EVERY and done:
            said = now
            left = (now - started) / done * (total - done)
            with suppress(OSError):  # a closed terminal or pipe ends no search
                text = f"indexing: {done / total:.0%} of {total / 1e6:,.0f} MB, about {left:,.0f} s left"
                out.say(text, event="progress")

    return told
