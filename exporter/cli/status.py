"""`exporter status`: what the archive holds, what it does not, and what may be lost soon."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporter.cli._command import AT_RISK, archive_option, makes_command
from exporter.cli._numbers import many
from exporter.cli._output import Output
from exporter.cli._prospects import Prospects, minute, name
from exporter.model import now, printable

if TYPE_CHECKING:
    from exporter.archive import Archive

STATES = {"complete": "complete", "partial": "partial", "gone": "gone", "failed": "failed", "new": "never visited"}
SHOWN = 5
"Ids per state for people; --json has all."
LISTS = ("failed", "partial", "gone", "new", "at-risk", "quarantined")
EXAMPLES = (
    "exporter status",
    "exporter status --days 14 --list at-risk",
    "exporter status --json | jq 'select(.message_type == \"thread\")'",
)


@makes_command(EXAMPLES, exits=(0, 4, 5, 10))
@click.option("--days", type=click.FloatRange(0, 3650), default=7, show_default=True, help="At risk is within these.")
@click.option("--list", "listed", type=click.Choice(LISTS), help="Only name these threads, all of them, one a line.")
@click.option("--config", metavar="FILE", help="Profiles.  [env var: EXPORTER_CONFIG; default: ./exporter.toml]")
@archive_option
def command(archive: Path, days: float, listed: str | None, config: str | None) -> int:
    """Report the last run, how complete the archive is, and what is at risk: every thread is in exactly one state.

    registered = complete + partial + gone + failed + never visited. Names the threads behind each number that is no
    good news; with --json all of them, and every known gap.

    At risk is a thread that may lose something within --days and was not visited as it should have been: then the
    exit code is 4. Quarantined is one that failed night after night, for a week or more: a person has to look.
    """
    from exporter.archive import Archive
    from exporter.config import profiles
    from exporter.outlook import count_at_risk

    out, policies = Output.of(), profiles(config).policies
    with Archive.open(archive) as reading:
        ahead = Prospects(out, reading, policies, now(), days)
        risky = count_at_risk(reading.catalog, ahead.at, days)
        code = AT_RISK if risky else 0
        if listed:
            count = ahead.list(listed)
            out.summary({"threads": count, "at_risk": risky, "exit_code": code}, f"{many(count, 'threads')}: {listed}")
            return code
        fields, verdict = _whole(out, reading)
        ahead.risky(risky)
        fields |= {"at_risk": risky, "days": days, "quarantined": ahead.quarantined(), **ahead.notes()}
    out.summary({**fields, "exit_code": code}, _risk(risky, days) + verdict)
    return code


def _whole(out: Output, archive: Archive) -> tuple[dict[str, Any], str]:
    """Tell of the last run, the equation and what is missing; return the summary of it, as JSON and as a sentence."""
    counts, report = archive.catalog.count(), archive.last_report()
    out.item("run", report or {}, _run(report))
    out.item("equation", _equation(counts), _sentence(counts))
    for state in ("partial", "gone", "failed", "new"):
        _threads(out, archive, state, counts.get(state, 0))
    gaps = 0
    for gap in _gaps(archive):
        gaps += 1
        where = f"{gap['source']}/{gap['thread']} {gap['list']} after {gap['after'] or 'the beginning'}"
        out.item("gap", gap, printable(f"gap: {where}: {gap['code']}: {gap['detail']}"))
    fields = {**_equation(counts), "gaps": gaps, "last_run": report and report.get("run")}
    return fields, _verdict(counts, gaps, (report or {}).get("exit_code", 0))


def _equation(counts: dict[str, int]) -> dict[str, int]:
    numbers = {title.replace(" ", "_"): counts.get(state, 0) for state, title in STATES.items()}
    return {"registered": sum(counts.values()), **numbers}


def _sentence(counts: dict[str, int]) -> str:
    parts = (f"{counts.get(state, 0):,} {title}" for state, title in STATES.items())
    return f"{sum(counts.values()):,} registered = {' + '.join(parts)}"


def _run(report: dict[str, Any] | None) -> str:
    if report is None:
        return "no backup has finished yet"
    ended = minute(report.get("finished_at"), 19)
    counted = f"{many(report.get('records', 0), 'new objects')}, {many(report.get('requests', 0), 'requests')}"
    stopped = "".join(f"\n  {printable(str(why))}" for why in report.get("stopped", ()))
    return f"last run: {ended} UTC, exit code {report.get('exit_code')}, {counted}{stopped}"


def _threads(out: Output, archive: Archive, state: str, count: int) -> None:
    if not count:
        return
    known = archive.catalog.known(state=state)
    for one in known if out.as_json else islice(known, SHOWN):
        name(out, one, f"  {STATES[state]}: ")
    if count > SHOWN and not out.as_json:
        out.text(f"  ... and {count - SHOWN:,} more: exporter status --list {state}")


def _gaps(archive: Archive) -> Iterator[dict[str, Any]]:
    """The open gaps: a thread's newest visit tells all of them."""
    import orjson

    for known in archive.catalog.known(state="partial"):
        newest = None
        for newest in archive.records(known.thread, "visit"):  # noqa: B007 - the last one is wanted
            pass
        for gap in orjson.loads(newest.body)["gaps"] if newest else ():
            yield {"source": known.thread.source, "endpoint": known.thread.endpoint, "thread": known.thread.id, **gap}


def _risk(count: int, days: float) -> str:
    what = f"{many(count, 'threads')} may lose something within {days:g} days; `exporter backup` now. "
    return f"AT RISK: {what}" if count else ""


def _verdict(counts: dict[str, int], gaps: int, code: int) -> str:
    missing = sum(counts.get(state, 0) for state in ("partial", "failed", "new"))
    if not counts:
        return "no threads are registered yet"
    if missing:
        return f"NOT COMPLETE: {many(missing, 'threads')} to go, {many(gaps, 'gaps')}"
    if code:
        return f"NOT UP TO DATE: the last run ended early with exit code {code}; what came before it is complete"
    return "complete: nothing is missing"
