"""`exporter erase`: take threads, or all of a user or a customer, out of the archive, off their server, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporter.cli._command import archive_option, makes_command, source_option
from exporter.cli._confirming import confirm
from exporter.cli._output import Output
from exporter.cli._upstream import Wish
from exporter.cli.backup import Positive

if TYPE_CHECKING:
    from exporter.archive import Archive, Found
    from exporter.erase import Asked

EXAMPLES = (
    "exporter erase --user ann --dry-run",
    "exporter erase --user ann --yes --reference TICKET-4711",
    "exporter erase thread_abc123 conv_abc123",
    "exporter erase @ids.txt --yes",
    "exporter erase --upstream @ids.txt --dry-run   # on the server; the archive keeps them",
)
SHOWN = 20
"Threads that people are shown before they say yes; `--json` names all."


def _upstream_options(function: Any) -> Any:
    """Add what deletes on servers."""
    for option in reversed(
        (
            click.option("--upstream", is_flag=True, help="Delete on their server instead; the archive keeps them."),
            click.option("--everywhere", is_flag=True, help="Delete them on their server, then erase them here."),
            click.option(
                "--without-files", is_flag=True, help="On servers: also threads with files that could not be archived."
            ),
            click.option("--rate", type=Positive(), help="On servers: requests per second, at most."),
            click.option("--max-requests", type=click.IntRange(1), help="On servers: stop after so many requests."),
            click.option(
                "--config", metavar="FILE", help="Profiles.  [env var: EXPORTER_CONFIG; default: ./exporter.toml]"
            ),
        )
    ):
        function = option(function)
    return function


@makes_command(EXAMPLES, exits=(0, 1, 2, 3, 5, 10, 11, 12, 13, 14, 130))
@click.argument("ids", nargs=-1, metavar="[ID | @FILE | -]...")
@click.option("--user", "users", metavar="NAME", multiple=True, help="All threads of this user; may be repeated.")
@click.option("--customer", "customers", metavar="NAME", multiple=True, help="All threads of this customer.")
@click.option("--dry-run", is_flag=True, help="Only say what there is of them.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@click.option("--reference", metavar="TEXT", help="Stands in the receipt as it is, such as the number of a request.")
@click.option("--finish", is_flag=True, help="Erase nothing new; finish what was interrupted.")
@_upstream_options
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
    upstream: bool,
    everywhere: bool,
    without_files: bool,
    rate: float | None,
    max_requests: int | None,
    config: str | None,
    source: str | None,
    archive: Path,
) -> int:
    """Erase threads from the archive: everywhere, for good, with a receipt.

    What the server sent of them, their rows, files that no other thread refers to, their registrations, users, titles
    and ids go out of every file of the archive's folder; everything of other threads stays byte for byte. No server
    is asked for anything. Erased threads stay out: no backup, discovery or link brings them back until `exporter
    register --again` does. Copies of the folder elsewhere keep what they have.

    The receipt is printed and kept in receipts/; it says when and how much, with hashes of the segments before and
    after, and names nothing of what was erased. An interruption erases all or nothing: the same command again, or
    the next backup, finishes it.

    --upstream deletes threads on their server and erases nothing here. Each is first read from its beginning and
    archived, what is archived is read back from the disk, and the thread is asked for once more; it is deleted only if
    all of it is here, and refused (exit code 3) if not. --everywhere does that, then erases here what was deleted.
    """
    import json

    from exporter.archive import Archive
    from exporter.erase import Asked, choose, erase
    from exporter.erase import finish as finish_tables

    asked = [Asked("thread", name, source) for name in dict.fromkeys(_ids(ids, source))]
    asked += [Asked("user", name) for name in users] + [Asked("customer", name) for name in customers]
    if bool(asked) is finish:
        raise click.UsageError("name threads, --user or --customer; or say --finish and nothing else")
    if upstream and everywhere:
        raise click.UsageError("--upstream keeps them here, --everywhere does not: leave one out")
    if upstream or everywhere:
        wish = Wish(archive, asked, reference, everywhere, rate, max_requests, config, without_files)
        return _on_servers(wish, dry_run=dry_run, yes=yes)
    if without_files or not (rate is None and max_requests is None and config is None):
        words = "--without-files, --rate, --max-requests and --config"
        raise click.UsageError(f"{words} are for --upstream and --everywhere")
    out = Output.of()
    if dry_run:
        with Archive.open(archive) as reading:
            _tell(out, reading, asked, dry_run=True)
        return 0
    with Archive.write(archive) as writing:
        finish_tables(writing)
        chosen = choose(writing, asked)
        if not chosen.threads:
            said = "nothing is left to finish" if finish else "nothing of them is there; what was erased stays out"
            out.summary({"threads": 0}, said)
            return 0
        if not yes:
            _tell(out, writing, asked, dry_run=False)
            _ask(len(chosen.threads), "erase so many threads")
        receipt = erase(writing, chosen.threads, asked, reference)
    out.item("receipt", receipt, json.dumps(receipt, indent=1))
    out.summary(
        {"threads": len(chosen.threads), "messages": receipt["messages"], "manifest": receipt["manifest"]},
        f"erased {len(chosen.threads):,} threads with {receipt['messages']:,} messages; "
        f"the receipt is {archive / 'receipts' / format(receipt['manifest'], '09d')}.json",
    )
    return 0


def _on_servers(wish: Wish, *, dry_run: bool, yes: bool) -> int:
    """Delete on servers, or say what would be deleted."""
    from exporter.archive import Archive
    from exporter.cli._upstream import plan, run

    if dry_run:
        with Archive.open(wish.archive) as reading:
            plan(reading, wish, dry_run=True)
        return 0
    return run(wish, None if yes else _ask)


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


def _ask(threads: int, what: str) -> None:
    confirm(threads, what, first="look with --dry-run, then ", nothing="nothing was erased")
