"""`exporter plan`: what tonight and the coming nights ask for, and who will miss a deadline."""

from __future__ import annotations

import math
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporter.cli._command import AT_RISK, archive_option, makes_command
from exporter.cli._numbers import many
from exporter.cli._output import Output
from exporter.cli.backup import Positive
from exporter.model import now, printable

if TYPE_CHECKING:
    from exporter.archive import Archive
    from exporter.outlook import Budget, Speed, Tonight, TooLate
    from exporter.retention import Policies

SHOWN = 10
"Threads that are named for people; --json has all."
EXAMPLES = ("exporter plan", "exporter plan --max-requests 5000 --json | jq 'select(.message_type == \"thread\")'")


@makes_command(EXAMPLES, exits=(0, 4, 5, 10))
@click.option("--nights", type=click.IntRange(1, 366), default=7, show_default=True, help="How many to look ahead.")
@click.option("--max-requests", type=click.IntRange(1), help="As for the backup: requests of a night.")
@click.option("--max-duration", type=Positive(), help="As for the backup: seconds of a night.")
@click.option("--rate", type=Positive(), help="As for the backup: requests per second, at most.")
@click.option("--config", metavar="FILE", help="Profiles.  [env var: EXPORTER_CONFIG; default: ./exporter.toml]")
@archive_option
def command(
    *,
    archive: Path,
    nights: int,
    max_requests: int | None,
    max_duration: float | None,
    rate: float | None,
    config: str | None,
) -> int:
    """Tell what the next backup would do, without asking any server: visits, requests, minutes, and the nights after.

    It visits what was touched, then what has its deadline near, then what is new, then those that are likeliest to
    have news, as many as make an even night; the others wait. Requests and minutes are reckoned from the last runs.
    Threads whose deadline cannot be kept within the budget that is given are named: exit code 4.
    """
    from exporter.archive import Archive
    from exporter.config import profiles
    from exporter.outlook import Budget, TooLate, observed, tonight

    out, at, policies = Output.of(), now(), profiles(config).policies
    budget = Budget(max_requests, max_duration, rate)
    with Archive.open(archive) as reading:
        chosen, speed = tonight(reading.catalog, at, policies.rhythm), observed(reading)
        _tonight(out, reading, chosen, speed, budget)
        _nights(out, reading, at, nights)
        days = max(nights, policies.rhythm.margin.days + 1)
        late = TooLate(reading.catalog, at, days, budget.capacity(speed, len(chosen.touched)))
        count = _late(out, late, policies, at)
        _remarks(out, reading, policies)
    code = AT_RISK if count else 0
    fields = {"visits": chosen.visits, "too_late": count, "nights": nights, "exit_code": code}
    out.summary(fields, _verdict(count, days))
    return code


def _tonight(out: Output, archive: Archive, chosen: Tonight, speed: Speed, budget: Budget) -> None:
    """Say what tonight brings; where a budget is too small for all, how far it goes."""
    joining = archive.catalog.count_waiting()
    able = budget.capacity(speed)
    requests = speed.requests(chosen, joining)
    visits = chosen.visits + joining
    fits = visits if requests <= able.night else math.floor(visits * able.night / requests)
    minutes = min(requests, able.night) / able.rate / 60
    fields = {
        "visits": visits,
        "touched": len(chosen.touched),
        "urgent": len(chosen.urgent),
        "new": len(chosen.new) + joining,
        "likeliest": len(chosen.likeliest),
        "waiting": chosen.waiting,
        "usual": round(chosen.usual, 1),
        "requests": requests,
        "requests_per_visit": round(speed.each, 2),
        "requests_per_second": round(able.rate, 2),
        "minutes": round(minutes, 1),
        "within_budget": fits,
        "learned_from_runs": speed.runs,
    }
    parts = " + ".join(f"{fields[name]:,} {name}" for name in ("touched", "urgent", "new", "likeliest"))
    learned = f"as in the last {many(speed.runs, 'runs')}" if speed.runs else "a guess: no run was observed yet"
    lines = [
        f"tonight: {many(visits, 'visits')} = {parts}; {chosen.waiting:,} are due and can wait",
        f"  about {many(requests, 'requests')}, {_minutes(minutes)} at {able.rate:.1f} a second ({learned})",
    ]
    if fits < visits:
        lines.append(f"  the budget is enough for about {fits:,} of them; the others come the nights after")
    out.item("tonight", fields, "\n".join(lines))


def _nights(out: Output, archive: Archive, at: datetime, count: int) -> None:
    from exporter.outlook import nights

    if not out.as_json:
        out.text(f"\n{'FROM (UTC)':<18}{'FALL DUE':>12}{'DEADLINES':>12}")
    for night in nights(archive.catalog, at, count):
        fields = {"from": f"{night.begins:%Y-%m-%dT%H:%M:%SZ}", "due": night.due, "deadlines": night.deadlines}
        out.item("night", fields, f"{night.begins:%Y-%m-%d %H:%M}  {night.due:>12,}{night.deadlines:>12,}")


def _late(out: Output, late: TooLate, policies: Policies, at: datetime) -> int:
    """Name the threads that cannot make it; return how many they are."""
    from exporter.cli.threads import about
    from exporter.outlook import why

    count = late.count()
    if count and not out.as_json:
        out.text("\nCANNOT MAKE THEIR DEADLINE:")
    for known in late if out.as_json else islice(late, SHOWN if count else 0):
        reason = why(known, policies, at)
        fields = {**about(known), "deadline_at": known.deadline_at, "why": reason}
        out.item("thread", fields, printable(f"  {(known.deadline_at or '')[:16]}  {known.thread}: {reason}"))
    if count > SHOWN and not out.as_json:
        out.text(f"  ... and {count - SHOWN:,} more: --json names all")
    return count


def _remarks(out: Output, archive: Archive, policies: Policies) -> None:
    worked_out = archive.catalog.fact("policies")
    if worked_out is None and archive.catalog.count():
        out.say("no deadlines are worked out yet but those of threads that a list brought: the next backup does that")
    elif worked_out not in (None, policies.digest()):
        out.say("the policies have changed since the last backup: the next one works all deadlines out again")


def _minutes(minutes: float) -> str:
    if minutes < 1:
        return "less than a minute"
    return many(round(minutes), "minutes") if minutes < 120 else f"{minutes / 60:,.1f} hours"


def _verdict(late: int, days: int) -> str:
    if late:
        return f"AT RISK: {many(late, 'threads')} with a deadline within {days} days cannot be visited in time"
    return f"all threads with a deadline within {days} days can be visited in time"
