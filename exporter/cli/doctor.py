"""`exporter doctor`: what stands between you and a backup."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output

if TYPE_CHECKING:
    from exporter.doctor import Look

EXAMPLES = (
    "exporter doctor",
    "exporter doctor thread_abc123        # which profile sees it, and if none: why",
    "exporter doctor --card               # what was seen of each server, and when",
)


@makes_command(EXAMPLES, exits=(0, 3, 5, 10, 12, 13, 75))
@click.argument("thread_id", required=False, metavar="[ID]")
@click.option("--source", metavar="NAME", help="What ID is, where its prefix does not tell; else all are asked.")
@click.option("--profile", metavar="NAME", help="Look at this profile only; else at all.")
@click.option("--config", metavar="FILE", help="Profiles.  [env var: EXPORTER_CONFIG; default: ./exporter.toml]")
@click.option("--card", is_flag=True, help="Show what earlier looks saw of each server; asks nobody.")
@archive_option
def command(
    *,
    archive: Path,
    thread_id: str | None,
    source: str | None,
    profile: str | None,
    config: str | None,
    card: bool,
) -> int:
    """Look at keys, addresses, APIs, clock, archive and disk, and say what to do; with an ID, look for that thread.

    Asks each server a few harmless questions, six or fewer for each source, and changes nothing. What was seen of a
    server is kept in the archive as its card. Ends with the code of the first thing that prevents a backup; with an
    ID, with 0 where a profile sees that thread and 3 where the servers have none.
    """
    from exporter import doctor
    from exporter.config import profiles

    if card and thread_id is not None:
        raise click.UsageError("--card shows what was seen of servers, and of no thread; leave one of them out")
    if card:
        return _cards(archive)
    known = profiles(config)
    chosen = [known.named(profile)] if profile else list(known.values())
    if thread_id is None:
        return _tell(doctor.everything(chosen, archive))
    return _tell(doctor.thread(chosen, thread_id, archive, source))


def _tell(looks: Iterable[Look]) -> int:
    from exporter.cli._looks import show

    out, code = Output.of(), 0
    for look in show(looks, out):
        code = code or look.exit_code
    out.summary({"exit_code": code}, "all is well" if not code else "see above for what to do")
    return code


def _cards(archive: Path) -> int:
    from exporter import doctor
    from exporter.cli._looks import show_cards

    out = Output.of()
    count = show_cards(doctor.kept(archive), out)
    out.summary({"cards": count}, f"{count:,} cards" if count else "no cards: `exporter doctor` makes them")
    return 0
