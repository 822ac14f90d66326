"""`exporter register`: note threads, and whose they are, without visiting them."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import click

from exporter.cli._command import archive_option, makes_command, profile_options, source_option
from exporter.cli._numbers import many
from exporter.cli._output import Output

EXAMPLES = (
    "exporter register thread_abc123 --user ann --customer acme --tag vip",
    "exporter register @threads.csv             # columns: thread_id, user, customer, title, tags",
    "grep -h 'created thread' app*.log | exporter register -",
)


@makes_command(EXAMPLES, exits=(0, 5, 10, 11))
@click.argument("ids", nargs=-1, required=True, metavar="(ID | @FILE | -)...")
@click.option("--user", help="Whose threads these are.")
@click.option("--customer", help="The organization they belong to.")
@click.option("--title", help="What they are called.")
@click.option("--tag", "tags", multiple=True, help="A word to find them by; may be repeated.")
@click.option("--again", is_flag=True, help="Also threads that were erased from this archive: keep them again.")
@source_option
@profile_options
@archive_option
def command(
    *,
    ids: tuple[str, ...],
    user: str | None,
    customer: str | None,
    title: str | None,
    tags: tuple[str, ...],
    again: bool,
    source: str | None,
    profile: str,
    config: str | None,
    archive: Path,
) -> None:
    """Add threads to the registry: by id, or with the ids found in a file or on standard input.

    A file may be CSV with a header, JSON lines, or any text with ids in it, such as logs. What a file says of a
    thread's user, customer, title and tags counts more than the options. Registering again updates; a thread keeps
    its profile unless --profile is given. A thread that was erased from this archive stays out without --again.
    """
    from exporter.archive import Archive
    from exporter.cli._registering import named, profile_is_said
    from exporter.config import profiles
    from exporter.registry import register

    entries = named(ids, profiles(config), profile, source, user=user, customer=customer, title=title, tags=tags)
    first = next(entries)  # a mistake in the first line makes no archive
    Archive.create(archive)
    with Archive.write(archive) as writing:
        done = register(writing, chain([first], entries), move=profile_is_said(), again=again)
        total = sum(writing.catalog.count().values())
    fields = {"new": done.new, "changed": done.changed, "unchanged": done.unchanged, "erased": done.erased}
    erased = f"; {done.erased:,} were erased and stay out (--again keeps them again)" if done.erased else ""
    Output.of().summary(
        {**fields, "registered": total},
        f"{done.new:,} new, {done.changed:,} changed, {done.unchanged:,} as before{erased}; "
        f"{many(total, 'threads')} registered",
    )
