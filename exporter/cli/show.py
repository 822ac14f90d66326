"""`exporter show`: one conversation, readable."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output
from exporter.cli._painting import When, color_option, colored, fitting, paint
from exporter.cli._times import Time, in_order

if TYPE_CHECKING:
    from exporter.archive import Archive
    from exporter.model import ThreadRef

EXAMPLES = (
    "exporter show thread_abc123 --color always | less -R",
    "exporter show conv_abc123 --last 20 --tools",
    "exporter show conv_abc123 --json | jq -c .body",
)


@makes_command(EXAMPLES, exits=(0, 2, 5, 10))
@click.argument("thread_id", metavar="ID")
@click.option("--source", metavar="NAME", help="Which one, where two sources use this id.")
@click.option("--tools", is_flag=True, help="Unfold calls of tools, what they gave, and thoughts.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the last N messages.")
@click.option("--role", metavar="NAME", help="Only what this role said: user, assistant, tool, ...")
@click.option("--since", type=Time(), metavar="TIME", help="Only messages from this time on, such as 2026-11-21.")
@click.option("--until", type=Time(), metavar="TIME", help="Only messages before this time.")
@color_option
@archive_option
def command(
    *,
    archive: Path,
    thread_id: str,
    source: str | None,
    tools: bool,
    last: int | None,
    role: str | None,
    since: datetime | None,
    until: datetime | None,
    color: When,
) -> None:
    """Print one conversation: who said what, when, in the server's order.

    Calls of tools are one line each (▸) unless --tools unfolds them. [1] in a text is explained below it; files have
    their path in the archive. What was changed, or deleted on the server, says so. A stored response is printed with
    those it goes on from, the oldest first; an agent session with the histories of its subagents.
    Nothing in a text can steer the terminal: control characters are written as escapes.

    With --json: its records as they are archived, thread, messages, runs, steps and files.
    """
    from exporter.archive import Archive
    from exporter.errors import UsageError
    from exporter.formats import found
    from exporter.formats._choosing import conversation
    from exporter.formats._story import Wanted
    from exporter.formats._transcript import MARGIN, Showing, Transcript

    out = Output.of()
    in_order(since, until)
    if out.as_json and any((last, role, since, until)):
        raise UsageError("--json prints a whole conversation; `exporter export ID --since TIME` writes a part of one")
    with Archive.open(archive) as reading:
        thread = found(reading, thread_id, source)
        if out.as_json:
            count = _records(reading, thread, out)
        else:
            fit = fitting(2 * len(MARGIN))
            showing = Showing(tools, role, last, fit=fit, **({"paint": paint} if colored(color) else {}))
            told = Transcript(conversation(reading, thread, Wanted(since=since, until=until)), showing)
            for text in told.paragraphs():
                out.text(text)
            count = told.messages
    out.summary({"thread": thread.id, "records": count}, f"{count:,} {'records' if out.as_json else 'messages'}")


def _records(archive: Archive, thread: ThreadRef, out: Output) -> int:
    """Answer with the records of a conversation; returns how many they are."""
    from exporter.archive import record_line
    from exporter.formats import records
    from exporter.formats._chain import chain

    count = 0
    for record in (record for one in chain(archive, thread).threads for record in records(archive, one)):
        out.raw(b'{"message_type":"record",' + record_line(record)[1:])
        count += 1
    return count
