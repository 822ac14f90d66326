"""`exporter touch`: say that something happened in threads, so that the next backup visits them first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporter.cli._command import archive_option, makes_command, profile_options, source_option
from exporter.cli._numbers import many
from exporter.cli._output import Output

if TYPE_CHECKING:
    from exporter.config import Profiles
    from exporter.model import Registration

EXAMPLES = (
    "exporter touch thread_abc123 conv_abc123",
    "tail -F app.log | exporter touch -         # ids in any text, as in `exporter register`",
    "exporter status --list failed --json | exporter touch -       # after mending what made them fail",
)
AHEAD = timedelta(days=1)
"How far clocks may be apart."


class Time(click.ParamType[datetime]):
    """A time, in UTC where it names no zone; not in the future."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it, or say what is wrong."""
        try:
            time = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value} is no time; write 2026-11-21T05:00", param, ctx)
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        if time > datetime.now(UTC) + AHEAD:
            self.fail(f"{value} is in the future", param, ctx)
        return time


@makes_command(EXAMPLES, exits=(0, 5, 10))
@click.argument("ids", nargs=-1, required=True, metavar="(ID | @FILE | -)...")
@click.option("--at", type=Time(), metavar="TIME", help="When it happened; now unless said, UTC unless it says so.")
@source_option
@profile_options
@archive_option
def command(
    *,
    ids: tuple[str, ...],
    at: datetime | None,
    source: str | None,
    profile: str,
    config: str | None,
    archive: Path,
) -> None:
    """Note that something happened in threads: the next backup visits them first, whenever they were due.

    That goes for threads that rest, never change, fail or were gone, too. It takes no lock and asks no server, so an
    application may call it at every message, also while a backup runs; calls for many ids at once are cheaper. An id
    that nobody registered is registered by the next backup.
    """
    from exporter.archive import read_id
    from exporter.cli._registering import profile_is_said
    from exporter.config import profiles
    from exporter.touching import touch

    read_id(archive)  # a missing archive is said before standard input is waited for
    known = profiles(config)
    threads = _threads(ids, known, profile, source, exactly=profile_is_said() or source is not None)
    done = touch(archive, threads, at=at, profile=known.named(profile))
    waiting = f"; {done.new:,} more that nobody registered: it registers and visits them" if done.new else ""
    fields = {"touched": done.known, "new": done.new}
    come = "comes" if done.known == 1 else "come"
    Output.of().summary(fields, f"{many(done.known, 'registered threads')} {come} first in the next backup{waiting}")


def _threads(
    ids: tuple[str, ...], known: Profiles, profile: str, source: str | None, *, exactly: bool
) -> Iterator[str | Registration]:
    """Yield what the words name: by id alone, or as threads of this source and profile where one was said."""
    from exporter.cli._registering import named
    from exporter.model import THREAD_ID

    alone = [word for word in ids if not exactly and word != "-" and THREAD_ID.fullmatch(word)]
    yield from alone
    rest = [word for word in ids if word not in alone]
    for entry in named(rest, known, profile, source) if rest else ():
        yield entry if exactly else entry.thread.id
