"""How what people read looks on a terminal: in colours where they are wanted, in lines that fit.

https://no-color.org: who sets NO_COLOR wants none, whatever the terminal can do; an option says more than it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal

import click

When = Literal["auto", "always", "never"]

STYLES: dict[str, dict[str, Any]] = {
    "title": {"bold": True},
    "about": {"dim": True},
    "section": {"fg": "magenta", "bold": True},
    "user": {"fg": "cyan", "bold": True},
    "assistant": {"fg": "green", "bold": True},
    "other": {"fg": "yellow", "bold": True},
    "remark": {"dim": True},
    "deleted": {"fg": "red"},
    "fold": {"fg": "yellow"},
    "cite": {"fg": "blue"},
}
LONGEST = 20_000
"Characters of a line; a longer one is cut between any two of them, since finding words in it takes long."


def color_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --color."""
    return click.option(
        "--color",
        type=click.Choice(("auto", "always", "never")),
        default="auto",
        show_default=True,
        help="Colours: on a terminal unless NO_COLOR is set, or as you say; less -R shows them.",
    )(function)


def colored(when: When) -> bool:
    """Tell whether stdout gets colours."""
    if when != "auto":
        return when == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, look: str) -> str:
    """Give a text its look."""
    return click.style(text, **STYLES[look])


def fitting(margin: int) -> Callable[[str], Iterable[str]]:
    """Return what cuts lines to the width of the terminal but for a margin; without a terminal lines stay whole."""
    if not sys.stdout.isatty():
        return lambda row: (row,)
    import shutil

    return partial(_cut, width=max(20, shutil.get_terminal_size().columns - margin))


def _cut(row: str, width: int) -> Iterator[str]:
    """Cut a line between words, or where there are none anywhere; wide characters count twice."""
    from rich.cells import cell_len, chop_cells
    from rich.console import Console
    from rich.text import Text

    row = row.expandtabs(4)
    if cell_len(row) <= width:
        yield row
    elif len(row) > LONGEST:
        yield from chop_cells(row, width)
    else:
        yield from (piece.plain.rstrip() for piece in Text(row).wrap(Console(width=width), width))
