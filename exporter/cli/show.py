"""`exporter show`: one conversation, readable."""

from __future__ import annotations

from pathlib import Path

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output

EXAMPLES = ("exporter show thread_abc123 | less", "exporter show conv_abc123 --json | jq -c .body")


@makes_command(EXAMPLES, exits=(0, 2, 5, 10))
@click.argument("thread_id", metavar="ID")
@click.option("--source", metavar="NAME", help="Which one, where two sources use this id.")
@archive_option
def command(archive: Path, thread_id: str, source: str | None) -> None:
    """Print one conversation: who said what, when, in the server's order.

    A stored response is printed with those it goes on from, the oldest first; an agent session with the histories of
    its subagents; at the end stands what the messages point to, and whether it is kept.
    With --json: its records as they are archived, thread, messages, runs, steps and files.
    """
    from exporter.archive import Archive, record_line
    from exporter.formats import found, records
    from exporter.formats._chain import chain
    from exporter.formats._transcript import Transcript

    out, count = Output.of(), 0
    with Archive.open(archive) as reading:
        thread = found(reading, thread_id, source)
        if out.as_json:
            for one in chain(reading, thread).threads:
                for record in records(reading, one):
                    count += 1
                    out.raw(b'{"message_type":"record",' + record_line(record)[1:])
        else:
            transcript = Transcript(reading, thread)
            for text in transcript.paragraphs():
                out.text(text)
            count = transcript.messages
    out.summary({"thread": thread.id, "records": count}, f"{count:,} {'records' if out.as_json else 'messages'}")
