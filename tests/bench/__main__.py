"""`make bench`: what a backup costs, beside what users write instead, in one run; and what storing costs.

Every program is a process of its own, in turn, against one static server; CPU seconds and peak memory are the system's
account of that process. Quote the ratios: machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.backups import Backups, Shape
from tests.bench.limits import limits, starts
from tests.bench.storing import storing
from tests.bench.waiting import both_ends, waiting

SHORT = "short: threads of 8 messages"
LONG = "long: threads of 10,000 messages"
FULL = (Shape(SHORT, 1_000, 8, 100), Shape(LONG, 8, 10_000, 1))
QUICK = (Shape(SHORT, 400, 8, 50), Shape(LONG, 1, 10_000, 1))
BY_HAND = "## Where the rest goes\n"
"What stands from here on in the page was written by a person, and stays."
PACKAGES = ("openai", "aiohttp", "pyarrow", "msgspec", "orjson")


def main() -> int:
    """Measure, print, and write the page that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each program, in turn; the median counts")
    parser.add_argument("--quick", action="store_true", help="one run of little work: the ratios in a minute")
    parser.add_argument("--dlt", metavar="PYTHON", help="the interpreter of an environment that has dlt[parquet]")
    parser.add_argument("--waiting", type=int, default=3_000, help="threads of the server that takes its time")
    parser.add_argument("--month", type=int, default=500_000, help="messages of the month that is published")
    parser.add_argument("--rebuild", type=int, default=5_000_000, help="messages of the archive that is rebuilt")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page as Markdown too")
    options = parser.parse_args()
    dlt = options.dlt or (sys.executable if importlib.util.find_spec("dlt") else None)
    lines: list[str] = []
    for line in _page(options, None if options.quick else dlt):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        before = options.write.read_text(encoding="utf-8") if options.write.exists() else ""
        _, mark, by_hand = before.partition(BY_HAND)
        options.write.write_text("\n".join(lines) + f"\n\n{mark}{by_hand}", encoding="utf-8")
    return 0


def _page(options: argparse.Namespace, dlt: str | None) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield f"{datetime.now(UTC):%Y-%m-%d}, `make bench`. {_machine()}"
    yield "CPU seconds of each process by the system's account, median of the runs (least-most); the server is not"
    yield "included, nor is what a program costs before its first request, which the column `start` tells."
    yield "Compare ratios: every program ran in turn on the same machine, which others may have shared."
    for shape in QUICK if options.quick else FULL:
        work = Backups(shape, 1 if options.quick else options.runs, dlt)
        work.measure()
        yield f"\n## {shape.title[0].upper()}{shape.title[1:]}\n"
        yield f"{shape.threads:,} threads.\n"
        yield from work.rows()
        yield "\n| against | ratio | goal, at most | |"
        yield "|---|---|---|---|"
        for what, ratio, goal in work.goals(short=shape.messages < 100):
            told = "not to be told" if ratio <= 0 else "met" if ratio <= goal else "missed"
            yield f"| {what} | {_ratio(ratio)} | {_ratio(goal)} | {told} |"
    if not options.quick:
        yield from waiting(options.waiting)
        yield from both_ends(options.runs)
        yield from limits()
        yield from starts(options.runs)
        yield from storing(options.month, options.rebuild)


def _ratio(value: float) -> str:
    """Say how many times as much; where a start varied more than the work takes, nothing can be said."""
    if value <= 0:
        return "-"
    return f"1/{1 / value:.1f}" if value < 1 else f"{value:.2f}"


def _machine() -> str:
    found = (f"{name} {importlib.metadata.version(name)}" for name in PACKAGES if importlib.util.find_spec(name))
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{platform.python_implementation()} {platform.python_version()}; {', '.join(found)}."
    )


if __name__ == "__main__":
    sys.exit(main())
