"""`exporter threads`: show the registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._numbers import many
from exporter.cli._output import Output
from exporter.model import printable

if TYPE_CHECKING:
    from exporter.archive.catalog import Known

WIDTHS = (9, 14, 10, 40, 17, 16, 16)
TITLES = ("STATE", "SOURCE", "PROFILE", "THREAD", "VISITED (UTC)", "USER", "CUSTOMER", "TITLE")
EXAMPLES = ("exporter threads --state failed", "exporter threads --customer acme --json | jq -r .thread")


@makes_command(EXAMPLES, exits=(0, 5, 10))
@click.option("--state", type=click.Choice(["new", "complete", "partial", "gone", "failed"]), help="Only these.")
@click.option("--user", help="Only this user's.")
@click.option("--customer", help="Only this customer's.")
@click.option("--source", metavar="NAME", help="Only this source's.")
@click.option("--profile", metavar="NAME", help="Only those that are read with this profile.")
@archive_option
def command(archive: Path, **equal: str | None) -> None:
    """List the registered threads: their state, when they were last visited, and whose they are.

    The states: new (never visited), complete, partial (a list could not be walked to its end), gone (the server has
    deleted it; what was archived stays), failed (the last visit brought an error).
    """
    from exporter.archive import Archive

    out, count = Output.of(), 0
    with Archive.open(archive) as reading:
        if not out.as_json:
            out.text(_line(TITLES))
        for known in reading.catalog.known(**equal):
            count += 1
            out.item("thread", about(known), _row(known))
    out.summary({"threads": count}, many(count, "threads"))


def about(known: Known) -> dict[str, Any]:
    """Say all about a thread that programs may want."""
    thread = {"source": known.thread.source, "endpoint": known.thread.endpoint, "thread": known.thread.id}
    told = ("profile", "state", "code", "error", "user", "customer", "title", "tags", "via")
    times = ("registered_at", "seen_at", "visited_at")
    return {**thread, **{name: getattr(known, name) for name in (*told, *times)}}


def _row(known: Known) -> str:
    visited = (known.visited_at or "-")[:16].replace("T", " ")
    thread, owner = known.thread, (known.user, known.customer, known.title)
    return _line((known.state, thread.source, known.profile, thread.id, visited, *owner))


def _line(texts: tuple[str | None, ...]) -> str:
    cells = [printable(text or "") for text in texts]
    return " ".join(cell.ljust(width) for cell, width in zip(cells, (*WIDTHS, 0), strict=True)).rstrip()
