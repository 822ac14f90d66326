"""`exporter backup`: the product. Register what is named, visit, archive, publish, verify, report."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporter.cli._command import AT_RISK, EXITS, archive_option, makes_command, profile_options, source_option
from exporter.cli._logging import Severity
from exporter.cli._monitoring import Watch, tells_machines
from exporter.cli._numbers import many
from exporter.cli._output import Output, redacted
from exporter.model import printable
from exporter.monitoring import BUDGET

if TYPE_CHECKING:
    from exporter.config import Profiles
    from exporter.crawl import Options, Report
    from exporter.model import Registration, ThreadRef

EXAMPLES = (
    "OPENAI_API_KEY=... exporter backup thread_abc123 conv_abc123",
    "exporter backup @threads.csv -a /backups/acme",
    "exporter backup                            # every night: the threads that are due, and of them what is new",
)


PASSING = frozenset({3, 14, 75, 130, 143})
"Exit codes after which the same command goes on, without anybody mending anything."


class Positive(click.FloatRange):
    """A number above zero; `nan` is none."""

    def __init__(self) -> None:
        super().__init__(0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it, or say what is wrong."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a number of requests or seconds", param, ctx)
        return number


def _options(function: Any) -> Any:
    """Add what tunes the crawl."""
    for option in reversed(
        (
            click.option("--all", "everything", is_flag=True, help="Visit all threads, not only those that are due."),
            click.option("--full", is_flag=True, help="Walk every list from its beginning: finds edits, deletions."),
            click.option("--no-runs", is_flag=True, help="Leave out runs and their steps."),
            click.option("--no-files", is_flag=True, help="Leave out the files that messages point to."),
            click.option(
                "--max-file-bytes",
                type=click.IntRange(0),
                default=5 * 2**30,
                show_default="5 GiB",
                help="Fetch no larger file.",
            ),
            click.option("--max-requests", type=click.IntRange(1), help="Stop after so many requests."),
            click.option("--max-duration", type=Positive(), help="Stop after so many seconds."),
            click.option("--rate", type=Positive(), help="Requests per second, at most."),
            click.option("--jobs", type=click.IntRange(1, 256), default=16, show_default=True, help="Threads at once."),
            click.option("--accept-gone", is_flag=True, help="Believe it when many threads vanished at once."),
            click.option("--encrypt", is_flag=True, help="Make a new archive an encrypted one (docs/encryption.md)."),
            click.option("--dry-run", is_flag=True, help="Only list what would be visited."),
        )
    ):
        function = option(function)
    return function


@makes_command(EXAMPLES, exits=tuple(code for code in EXITS if code != AT_RISK))
@click.argument("ids", nargs=-1, metavar="[ID | @FILE | -]...")
@_options
@source_option
@profile_options
@archive_option
@tells_machines
def command(
    *,
    ids: tuple[str, ...],
    archive: Path,
    profile: str,
    config: str | None,
    source: str | None,
    dry_run: bool,
    encrypt: bool,
    everything: bool,
    no_runs: bool,
    no_files: bool,
    **tuning: Any,
) -> int:
    """Back up conversations: register the ids that are named, then visit the registered threads that are due.

    Ids come as arguments, in files (CSV, JSON lines, any text) or on standard input; those that are arguments are
    visited at once. A thread is due soon where much happens in it, ever more rarely where it is quiet, and always
    before its server may forget it; --all visits all. --full walks all from their beginning, or, where some are
    arguments, those. Only what is new since the last visit is fetched, so the same command starts, resumes and repeats
    every night. It is archived page by page; Ctrl-C, a crash or a full disk lose nothing of what is archived.
    """
    from exporter.archive import Archive, refuse_lost
    from exporter.cli._registering import named
    from exporter.config import profiles
    from exporter.crawl import Options
    from exporter.errors import NoArchive
    from exporter.transport import check

    known = profiles(config)
    entries = named(ids, known, profile, source) if ids else iter(())
    words = [word for word in ids if word != "-" and not word.startswith("@")]
    only = [entry.thread for entry in named(words, known, profile, source)] if words else []
    everything = everything or (tuning["full"] and not only)
    run = _Run(known, only, everything=everything)
    if dry_run:
        return _plan(archive, run, entries, full=tuning["full"])
    if ids:
        first = next(entries)  # a mistake in the ids, the address or the key makes no archive
        check(known.named(profile))
        Archive.create(archive, encrypted=encrypt)
        entries = chain([first], entries)
    elif not (archive / "archive.json").exists():
        refuse_lost(archive)
        raise NoArchive(f"{archive}: no archive here; name the threads to begin with, or another folder with -a")
    elif encrypt:
        Archive.create(archive, encrypted=True)  # refuses one that is not
    return _run(archive, run, entries, Options(runs=not no_runs, files=not no_files, **tuning))


@dataclass(frozen=True, slots=True)
class _Run:
    """Whom to visit, and by which profiles."""

    known: Profiles
    only: Sequence[ThreadRef]
    everything: bool


def _run(path: Path, run: _Run, entries: Iterator[Registration], options: Options) -> int:
    from exporter import heap
    from exporter.archive import Archive
    from exporter.cli._progress import Progress
    from exporter.cli._registering import profile_is_said
    from exporter.cli._signals import signals
    from exporter.crawl import Stop, backup
    from exporter.errors import UsageError
    from exporter.registry import register, register_touched

    heap.share()
    out, stop = Output.of(), Stop()
    with Archive.write(path) as archive, signals(stop):
        if left_out := register(archive, entries, move=profile_is_said()).erased:
            again = "`exporter register --again` keeps them again"
            out.say(f"exporter: {left_out:,} of the named threads were erased from this archive and stay out; {again}")
        register_touched(archive)
        if next(archive.catalog.known(), None) is None:
            raise UsageError(f"{path}: no threads are registered; name some: exporter backup thread_abc123")
        with Progress(out) as progress:
            report = backup(
                archive,
                run.known,
                options,
                only=run.only,
                everything=run.everything,
                policies=run.known.policies,
                on_reschedule=progress.reschedule,
                on_plan=progress.plan,
                on_page=progress.page,
                on_outcome=progress.outcome,
                on_link=progress.link,
                stop=stop,
            )
        Watch.of().note(archive, report)
    with suppress(BrokenPipeError):  # the exit code is what counts
        _tell(out, path, report)
        sys.stdout.flush()
    return report.exit_code


def _tell(out: Output, path: Path, report: Report) -> None:
    """End with one clear sentence, or with one line per reason for an early end."""
    planned = report.exit_code == BUDGET and len(report.stopped) == 1
    for why in report.stopped:
        text = f"exporter: {redacted(printable(why))}"
        out.say(text, event="budget") if planned else out.complain(text, event="stopped")
    for remark in report.remarks:
        out.say(f"exporter: {redacted(printable(remark))}")
    for one in report.findings:
        out.complain(f"exporter: damage: {printable(f'{one.where}: {one.what}; {one.help}')}")
    bad = report.failed + report.partial
    broken = f"{bad:,} of {many(report.registered, 'threads')} {'is' if bad == 1 else 'are'} not whole"
    linked = f" ({report.linked:,} of them found through others)" if report.linked else ""
    files = f", {many(report.blobs, 'files')}" if report.blobs else ""
    objects, threads = many(report.records, "new objects"), many(report.visited, "threads")
    got = f"{objects} of {threads}{linked}{files}, {many(report.requests, 'requests')}"
    if report.findings:
        sentence = f"DAMAGE: {len(report.findings):,} found in {path}; what was fetched is archived: {got}"
    elif report.stopped:
        again = "run the same command to go on" if report.exit_code in PASSING else "the reason is said above"
        sentence = f"NOT COMPLETE: {got}; {again}" if report.visited else ""
    elif bad and report.exit_code:
        sentence = f"NOT COMPLETE: {broken}; {got}; see exporter status"
    elif bad:
        sentence = f"what was due is archived: {got}; of nights before, {broken}; see exporter status"
    elif not report.visited:
        sentence = f"nothing is due: {report.registered:,} registered, all archived in {path}; --all visits them now"
    else:
        gone = f", {report.gone:,} gone from the server" if report.gone else ""
        sentence = f"complete: {got}; {report.registered:,} registered{gone}; archived in {path}"
    Watch.of().sentence = sentence
    out.item("summary", report.to_json())
    numbers = {name: value for name, value in report.to_json().items() if isinstance(value, int)}
    severity: Severity = "warning" if report.exit_code and not planned else "info"
    tell = out.say if sentence else out.log
    tell(sentence or "nothing was visited", severity=severity, event="summary", **numbers)


def _plan(path: Path, run: _Run, entries: Iterator[Registration], *, full: bool) -> int:
    """List what would be visited; nothing is written and no server asked."""
    from exporter.archive import Archive
    from exporter.crawl import plan

    out = Output.of()
    threads: dict[ThreadRef, str] = {}
    if (path / "archive.json").exists():
        with Archive.open(path) as archive:
            due = plan(archive, run.only, everything=run.everything, full=full, rhythm=run.known.policies.rhythm)
            threads = {known.thread: known.state for known in due}
            entries = (entry for entry in entries if archive.catalog.number_of(entry.thread) is None)
            threads |= {entry.thread: "new" for entry in entries}
    threads |= {entry.thread: "new" for entry in entries}
    for thread, state in threads.items():
        fields = {"source": thread.source, "endpoint": thread.endpoint, "thread": thread.id, "state": state}
        out.item("thread", fields, f"{thread} ({state})")
    out.summary({"threads": len(threads)}, f"dry run: {many(len(threads), 'threads')} would be visited")
    return 0
