"""`exporter check`: prove that the archive is whole, mend what can be made again, ask the server for a sample."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporter.cli._command import archive_option, makes_command
from exporter.cli._confirming import confirm
from exporter.cli._numbers import many
from exporter.cli._output import Output, redacted
from exporter.cli.backup import Positive
from exporter.errors import Damaged
from exporter.model import now, printable

if TYPE_CHECKING:
    from exporter.archive._parts import Part
    from exporter.check._server import Asked
    from exporter.model import Finding

EXAMPLES = (
    "exporter check",
    "exporter check --rebuild --json",
    "exporter check --repair",
    "exporter check --accept-loss ./lost-2026-11-21",
    "exporter check --subset 3/30",
    "OPENAI_API_KEY=... exporter check --server 20 --rate 2",
)


def _part(ctx: click.Context, param: click.Parameter, value: str | None) -> Part | None:
    """Read `3/30`, or say what is wrong."""
    from exporter.archive._parts import Part

    if value is None:
        return None
    number, _, of = value.partition("/")
    try:
        return Part(int(number), int(of))
    except ValueError:
        raise click.BadParameter(f"{value} is no part of anything; 3/30 is the third of thirty", ctx, param) from None


def _options(function: Any) -> Any:
    """Add what says what to look at, and how to ask a server."""
    config = "Profiles.  [env var: EXPORTER_CONFIG; default: ./exporter.toml]"
    of = "Read only the K-th of N parts, as each backup does with one of 30."
    accept = "Go on without what is damaged; the new DIRECTORY gets what tells what was lost."
    repair = "Mend what can be made again, never segments, manifests or contents; then check again."
    for option in reversed(
        (
            click.option("--rebuild", is_flag=True, help="Also make tables and catalog again, beside, and compare."),
            click.option("--repair", is_flag=True, help=repair),
            click.option("--accept-loss", metavar="DIRECTORY", type=click.Path(path_type=Path), help=accept),
            click.option("--yes", is_flag=True, help="With --accept-loss: do not ask."),
            click.option("--subset", metavar="K/N", callback=_part, help=of),
            click.option("--server", metavar="N", type=click.IntRange(1), help="Fetch N threads anew, and compare."),
            click.option("--seed", type=click.IntRange(0), help="Which threads: a number that --server printed."),
            click.option("--rate", type=Positive(), help="With --server: requests per second, at most."),
            click.option("--max-requests", type=click.IntRange(1), help="With --server: stop after so many requests."),
            click.option("--config", metavar="FILE", help=config),
        )
    ):
        function = option(function)
    return function


@makes_command(EXAMPLES, exits=(0, 3, 5, 10, 11, 12, 13, 14, 75))
@_options
@archive_option
def command(
    *,
    archive: Path,
    rebuild: bool,
    repair: bool,
    accept_loss: Path | None,
    yes: bool,
    subset: Part | None,
    server: int | None,
    seed: int | None,
    rate: float | None,
    max_requests: int | None,
    config: str | None,
) -> int:
    """Read every byte of the archive and compare it with what was committed.

    Finds changed, missing and alien files, broken pages, holes in the commit log, tables that differ from the
    records, objects with two rows, times that cannot be true; names the file, and what to do. Where a segment is
    damaged, it names the threads that lose by it, and what of each. docs/check.md explains every finding.

    Changes nothing, but notes in the catalog when all was whole. --repair does what --rebuild does, makes catalog and
    tables again where they are wrong, and checks again: what is left then, only a copy mends, or the server.

    --accept-loss is for damage that no copy mends: what can be read of damaged segments takes their place, for good,
    lost contents of files are given up, and backups publish tables again. DIRECTORY, new and outside the archive, gets
    the damaged files, the catalog as it was, and the rows that only tables still had. The next backup asks servers for
    the threads that lost something.

    --server walks N threads of the archive, picked at random, from their beginning on their server, and compares every
    object; nothing is archived. It is damage (exit code 5) if the server has what the archive should have and has
    not; changes, deletions and what is newer than the last visit are none. 3: some threads could not be read.
    """
    if sum((rebuild or repair, accept_loss is not None, subset is not None, server is not None)) > 1:
        words = "--rebuild, --repair, --accept-loss, --subset and --server"
        raise click.UsageError(f"{words} are different checks; leave all but one out")
    if yes and accept_loss is None:
        raise click.UsageError("--yes is for --accept-loss")
    if server is None and not (seed is None and rate is None and max_requests is None):
        raise click.UsageError("--seed, --rate and --max-requests are for --server")
    if server is not None:
        return _ask(archive, server, seed, config, {"rate": rate, "max_requests": max_requests})
    if repair:
        return _repair(archive, config)
    if accept_loss is not None:
        return _accept(archive, config, accept_loss, yes=yes)
    return _check(archive, rebuild=rebuild, subset=subset)


def _check(archive: Path, *, rebuild: bool, subset: Part | None) -> int:
    from exporter.archive import note_hints
    from exporter.check import check

    counts = _told(check(archive, rebuild=rebuild, subset=subset))
    if not counts["damage"] and subset is None:
        note_hints(archive, {"last_check": json.dumps({"at": f"{now():%Y-%m-%dT%H:%M:%SZ}", "rebuild": rebuild})})
    good = f"{archive} is whole" if subset is None else f"part {subset.number} of {subset.of} of {archive} is whole"
    return _end(archive, counts, good)


def _advise(counts: Counter[str]) -> None:
    """Say how to go on where nobody has a copy."""
    from exporter.check import ACCEPTED

    if any(counts[code] for code in ACCEPTED):
        Output.of().say("where no copy is left: `exporter check --accept-loss DIRECTORY` goes on without what is lost")


def _told(findings: Iterable[Finding]) -> Counter[str]:
    """Tell what is found, as it is found; return how much of each severity, and of each code."""
    out, counts = Output.of(), Counter[str](damage=0, note=0)
    for one in findings:
        counts[one.severity] += 1
        counts[one.code] += 1
        out.item("finding", asdict(one), redacted(printable(f"{one.severity}: {one.where}: {one.what}; {one.help}")))
    return counts


def _end(archive: Path, counts: Counter[str], good: str, **more: Any) -> int:
    code = Damaged.exit_code if counts["damage"] else 0
    fields = {"damage": counts["damage"], "notes": counts["note"], **more, "exit_code": code}
    Output.of().summary(fields, f"DAMAGE: {counts['damage']:,} found in {archive}" if code else good)
    _advise(counts)
    return code


def _repair(archive: Path, config: str | None) -> int:
    from exporter.check import COPY, check, repair
    from exporter.config import profiles

    policies, out = profiles(config).policies, Output.of()
    found = list(check(archive, rebuild=True))
    _told(found)
    mended = 0
    for one in repair(archive, found, policies):
        mended += one.done
        verb = "mended" if one.done else "not mended"
        out.item("mended", asdict(one), printable(f"{verb}: {one.where}: {one.what}"))
    left = list(check(archive, rebuild=True))
    copies = sum(one.code in COPY and one.severity == "damage" for one in left)
    out.say(f"checked again after {mended:,} repairs")
    counts = _told(left)
    if copies:
        out.complain(f"exporter: {copies:,} of these cannot be made again: only a copy of the archive mends them")
    return _end(archive, counts, f"{archive} is whole", mended=mended, only_a_copy=copies)


def _accept(archive: Path, config: str | None, aside: Path, *, yes: bool) -> int:
    from exporter.check import accept, check
    from exporter.config import profiles

    policies, out = profiles(config).policies, Output.of()
    found = list(check(archive))
    _told(found)
    files = sum(one.code.startswith(("segment_", "content_")) and one.severity == "damage" for one in found)
    if files and not yes:
        confirm(files, "go on without what cannot be read of so many files", nothing="nothing was changed")
    done = accept(archive, found, aside, policies)
    if done is None:
        out.say("no segment and no content is damaged: there is nothing to go on without")
    else:
        given = done.given
        rows = ", ".join(f"{count:,} rows of {table}" for table, count in done.rows.items()) or "no row of any table"
        said = (
            f"{many(given.pages, 'pages')} and {many(len(given.contents), 'contents')} of files are given up, "
            f"{given.kept_pages:,} pages of the same segments were kept; {rows} had no other source; "
            f"what tells of it lies in {aside}; "
            f"the next backup walks {many(done.threads, 'threads')} from their beginning"
        )
        fields = {**asdict(given), "rows": done.rows, "threads": done.threads, "folder": str(aside)}
        out.item("accepted", fields, printable(said))
    return _end(archive, _told(check(archive, rebuild=True)), f"{archive} is whole")


def _ask(archive: Path, count: int, seed: int | None, config: str | None, tuning: dict[str, Any]) -> int:
    from exporter.check._server import ask_server
    from exporter.config import profiles
    from exporter.crawl import Options

    out, counts = Output.of(), Counter[str]()

    def begun(asked: Asked, size: int) -> None:
        out.say(f"walking {size:,} threads on their servers; --seed {asked.seed} picks the same again")

    def found(one: Finding) -> None:
        counts[one.severity] += 1
        out.item("finding", asdict(one), redacted(printable(f"{one.severity}: {one.where}: {one.what}; {one.help}")))

    known, options = profiles(config), Options(jobs=1, **tuning)
    asked = ask_server(archive, known, count, options, seed=seed, on_finding=found, on_sample=begun)
    for error in asked.stopped:
        out.complain(f"exporter: {redacted(printable(str(error)))}")
    read = f"{asked.objects:,} objects of {asked.threads:,} threads compared, {asked.requests:,} requests"
    sentences = {0: f"the archive has what the server has: {read}", 5: f"DAMAGE: {asked.damage:,} found; {read}"}
    numbers = {name: getattr(asked, name) for name in ("seed", "threads", "unread", "objects", "requests", "damage")}
    fields = {**numbers, "notes": counts["note"], "exit_code": asked.exit_code}
    sentence = sentences.get(asked.exit_code, f"NOT COMPLETE: {asked.unread:,} threads were not read; {read}")
    out.summary(fields, sentence)
    return asked.exit_code
