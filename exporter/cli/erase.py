"""`exporter erase`: take threads, or all threads of a user or a customer, out of the archive, with a receipt."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporter.cli._command import archive_option, makes_command, source_option
from exporter.cli._output import Output

if TYPE_CHECKING:
    from exporter.archive import Archive, Found
    from exporter.erase import Asked

EXAMPLES = (
    "exporter erase --user ann --dry-run",
    "exporter erase --user ann --yes --reference TICKET-4711",
    "exporter erase thread_abc123 conv_abc123",
    "exporter erase @ids.txt --yes",
)
SHOWN = 20
"Threads that people are shown before they say yes; `--json` names all."


@makes_command(EXAMPLES, exits=(0, 1, 2, 5, 10, 11))
@click.argument("ids", nargs=-1, metavar="[ID | @FILE | -]...")
@click.option("--user", "users", metavar="NAME", multiple=True, help="All threads of this user; may be repeated.")
@click.option("--customer", "customers", metavar="NAME", multiple=True, help="All threads of this customer.")
@click.option("--dry-run", is_flag=True, help="Only say what there is of them.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@click.option("--reference", metavar="TEXT", help="Stands in the receipt as it is, such as the number of a request.")
@click.option("--finish", is_flag=True, help="Erase nothing new; finish what was interrupted.")
@source_option
@archive_option
def command(
    *,
    ids: tuple[str, ...],
    users: tuple[str, ...],
    customers: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    reference: str | None,
    finish: bool,
    source: str | None,
    archive: Path,
) -> None:
    """Erase threads from the archive: everywhere, for good, with a receipt.

    What the server sent of them, their rows, files that no other thread refers to, their registrations, users, titles
    and ids go out of every file of the archive's folder; everything of other threads stays byte for byte. The server
    is asked for nothing and deletes nothing. Erased threads stay out: no backup, discovery or link brings them back
    until `exporter register --again` does. Copies of the folder elsewhere keep what they have.

    The receipt is printed and kept in receipts/; it says when and how much, with hashes of the segments before and
    after, and names nothing of what was erased. An interruption erases all or nothing: the same command again, or
    the next backup, finishes it.
    """
    import json

    from exporter.archive import Archive
    from exporter.erase import Asked, choose, erase
    from exporter.erase import finish as finish_tables

    asked = [Asked("thread", name, source) for name in dict.fromkeys(_ids(ids, source))]
    asked += [Asked("user", name) for name in users] + [Asked("customer", name) for name in customers]
    if bool(asked) is finish:
        raise click.UsageError("name threads, --user or --customer; or say --finish and nothing else")
    out = Output.of()
    if dry_run:
        with Archive.open(archive) as reading:
            _tell(out, reading, asked, dry_run=True)
        return
    with Archive.write(archive) as writing:
        finish_tables(writing)
        chosen = choose(writing, asked)
        if not chosen.threads:
            said = "nothing is left to finish" if finish else "nothing of them is there; what was erased stays out"
            out.summary({"threads": 0}, said)
            return
        if not yes:
            _tell(out, writing, asked, dry_run=False)
            _ask(len(chosen.threads))
        receipt = erase(writing, chosen.threads, asked, reference)
    out.item("receipt", receipt, json.dumps(receipt, indent=1))
    out.summary(
        {"threads": len(chosen.threads), "messages": receipt["messages"], "manifest": receipt["manifest"]},
        f"erased {len(chosen.threads):,} threads with {receipt['messages']:,} messages; "
        f"the receipt is {archive / 'receipts' / format(receipt['manifest'], '09d')}.json",
    )


def _ids(words: Sequence[str], source: str | None) -> Iterator[str]:
    """Yield the ids that are named; an argument is one as it stands, as the archive may hold ids of any look."""
    from exporter.cli._registering import stdin
    from exporter.ids import Said, entries

    for word in words:
        if word == "-" or word.startswith("@"):
            yield from (entry.thread.id for entry in entries([word], Said("", source=source), stdin(word)))
        else:
            yield word


def _tell(out: Output, archive: Archive, asked: Sequence[Asked], *, dry_run: bool) -> None:
    """Say what there is of the threads, before anything happens to them."""
    from exporter.erase import choose

    chosen = choose(archive, asked)
    found = archive.held(chosen.threads)
    for number, (thread, messages) in enumerate(sorted(found.threads.items())):
        fields = {"source": thread.source, "endpoint": thread.endpoint, "thread": thread.id, "messages": messages}
        if dry_run:
            out.item("thread", fields, f"{thread}: {messages:,} messages" if number < SHOWN else None)
        elif number < SHOWN:
            out.say(f"{thread}: {messages:,} messages")
    if len(found.threads) > SHOWN and not out.as_json:
        out.say(f"... and {len(found.threads) - SHOWN:,} more")
    counts = _counts(found)
    sentence = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in counts.items())
    if dry_run:
        out.summary(counts, f"dry run: {sentence} would go; nothing was changed")
    else:
        out.say(f"to be erased: {sentence}")


def _counts(found: Found) -> dict[str, int]:
    return {
        "threads": len(found.threads),
        "messages": sum(found.threads.values()),
        "records": found.records,
        "files": len(found.blobs),
        "file_bytes": sum(found.blobs.values()),
        "segments_to_rewrite": len(found.segments),
        "bytes_to_rewrite": sum(one.bytes for one in found.segments),
    }


def _ask(threads: int) -> None:
    """Let a person say yes; `UsageError` where there is none."""
    from exporter.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError("nobody is here to say yes: look with --dry-run, then say --yes; nothing was erased")
    said = click.prompt(f"This cannot be undone. Type {threads} to erase so many threads", default="", err=True)
    if said.strip() != str(threads):
        raise UsageError("nothing was erased")
