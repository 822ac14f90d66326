"""`exporter status`: what the archive holds, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.cli._command import archive_option, makes_command
from exporter.cli._output import Output
from exporter.model import printable

if TYPE_CHECKING:
    from exporter.archive import Archive

STATES = {"complete": "complete", "partial": "partial", "gone": "gone", "failed": "failed", "new": "never visited"}
SHOWN = 5
"Ids per state for people; --json has all."
EXAMPLES = ("exporter status", "exporter status --json | jq 'select(.message_type == \"thread\")'")


@makes_command(EXAMPLES, exits=(0, 10))
@archive_option
def command(archive: Path) -> None:
    """Report the last run, and how complete the archive is: every registered thread is in exactly one state.

    registered = complete + partial + gone + failed + never visited. Names the threads behind each number that is no
    good news; with --json all of them, and every known gap.
    """
    from exporter.archive import Archive

    out = Output.of()
    with Archive.open(archive) as reading:
        counts = reading.catalog.count()
        report = reading.last_report()
        out.item("run", report or {}, _run(report))
        out.item("equation", _equation(counts), _sentence(counts))
        for state in ("partial", "gone", "failed", "new"):
            _threads(out, reading, state, counts.get(state, 0))
        gaps = 0
        for gap in _gaps(reading):
            gaps += 1
            where = f"{gap['source']}/{gap['thread']} {gap['list']} after {gap['after'] or 'the beginning'}"
            out.item("gap", gap, printable(f"gap: {where}: {gap['code']}: {gap['detail']}"))
    fields = {**_equation(counts), "gaps": gaps, "last_run": report and report.get("run")}
    out.summary(fields, _verdict(counts, gaps, (report or {}).get("exit_code", 0)))


def _equation(counts: dict[str, int]) -> dict[str, int]:
    numbers = {title.replace(" ", "_"): counts.get(state, 0) for state, title in STATES.items()}
    return {"registered": sum(counts.values()), **numbers}


def _sentence(counts: dict[str, int]) -> str:
    parts = (f"{counts.get(state, 0):,} {title}" for state, title in STATES.items())
    return f"{sum(counts.values()):,} registered = {' + '.join(parts)}"


def _run(report: dict[str, Any] | None) -> str:
    if report is None:
        return "no backup has finished yet"
    ended = str(report.get("finished_at", ""))[:19].replace("T", " ")
    counted = f"{report.get('records', 0):,} new objects, {report.get('requests', 0):,} requests"
    stopped = "".join(f"\n  {printable(str(why))}" for why in report.get("stopped", ()))
    return f"last run: {ended} UTC, exit code {report.get('exit_code')}, {counted}{stopped}"


def _threads(out: Output, archive: Archive, state: str, count: int) -> None:
    from exporter.cli.threads import about

    if not count:
        return
    known = archive.catalog.known(state=state)
    for one in known if out.as_json else islice(known, SHOWN):
        error = f": {one.error}" if one.error else ""
        out.item("thread", about(one), printable(f"  {STATES[state]}: {one.thread}{error}"))
    if count > SHOWN and not out.as_json:
        out.item("more", {}, f"  ... and {count - SHOWN:,} more: exporter threads --state {state}")


def _gaps(archive: Archive) -> Iterator[dict[str, Any]]:
    """The open gaps: a thread's newest visit tells all of them."""
    import orjson

    for known in archive.catalog.known(state="partial"):
        newest = None
        for newest in archive.records(known.thread, "visit"):  # noqa: B007 - the last one is wanted
            pass
        for gap in orjson.loads(newest.body)["gaps"] if newest else ():
            yield {"source": known.thread.source, "endpoint": known.thread.endpoint, "thread": known.thread.id, **gap}


def _verdict(counts: dict[str, int], gaps: int, code: int) -> str:
    missing = sum(counts.get(state, 0) for state in ("partial", "failed", "new"))
    if not counts:
        return "no threads are registered yet"
    if missing:
        return f"NOT COMPLETE: {missing:,} threads to go, {gaps:,} gaps"
    if code:
        return f"NOT UP TO DATE: the last run ended early with exit code {code}; what came before it is complete"
    return "complete: nothing is missing"
