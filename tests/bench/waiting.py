"""Backups against a server that takes its time: how near they come to what its latency allows.

`python -m tests.bench.waiting` prints the table. What a run takes with a few threads is taken off, so that starting and
ending, which a nightly job pays once, do not count.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.backups import PATCHED
from tests.bench.loops import name
from tests.bench.measure import Cost, cost, responding, spread

LATENCY = 0.05
FEW = 64
"Threads of the run that is taken off."
LONG = 10_000
"Messages of the one thread that is walked from both ends."
BOTH, ONE = 16, 1
"Requests in flight that leave room for a second chain, and that do not."
WALK = """
import asyncio, sys
from exporter.model import Page, Profile, Secret, ThreadRef
from exporter.pacing import Pace
from exporter.sources import load
from exporter.transport import HttpTransport

async def main(url, jobs):
    async with HttpTransport(Profile(base_url=url, key=Secret("sk-bench")), Pace(jobs)) as transport:
        thread = ThreadRef("assistants", transport.endpoint, "thread_00000000")
        async for page in load("assistants")(transport, runs=False).pages(thread, {}):
            assert isinstance(page, Page)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""
"Takes every page of a thread, and keeps none."


@dataclass(frozen=True)
class Wait:
    """What so many more threads took, at so many requests in flight."""

    title: str
    goal: str
    jobs: int
    threads: int
    requests: int
    "Of each thread."
    wall: float
    cpu: float

    @property
    def share(self) -> float:
        """How much of the requests that latency allows were made."""
        return self.threads * self.requests * LATENCY / self.jobs / self.wall

    @property
    def row(self) -> str:
        """It as a row of a table."""
        each = self.cpu / self.threads * 1e6
        rate = self.threads * self.requests / self.wall
        return f"| {self.title} | {self.jobs} | {rate:,.0f} | {self.share:.2f} | {self.goal} | {each:,.0f} |"


def waiting(threads: int, messages: int = 8) -> Iterator[str]:
    """Measure first backups at 64 and 256 requests in flight and a night without news; yield lines of Markdown."""
    yield f"\n## Latency of {LATENCY * 1000:.0f} ms\n"
    yield f"{threads:,} threads of {messages} messages; the share is that of `in flight / latency`.\n"
    yield "| work | in flight | requests/s | share | goal | µs of CPU per thread |"
    yield "|---|---|---|---|---|---|"
    with responding(messages, f"--latency={LATENCY}") as url, tempfile.TemporaryDirectory() as folder:
        place = Place(url, Path(folder), threads)
        first = place.added(64, "at least 0.93")
        idle = place.idle(64, "at least 0.91")
        wide = place.added(256, f"at least {first.share / 2:.2f}")
        for one in (first, wide, idle):
            yield one.row
    yield f"\n256 in flight are {wide.share * 4 / first.share:.2f} times as fast as 64 (goal: 2)."
    yield f"A visit without news costs {idle.cpu / threads * 1e6:,.0f} µs of CPU (goal: 300)."


def both_ends(runs: int) -> Iterator[str]:
    """Measure one long thread that is walked from both ends, against one chain of cursors; yield lines of Markdown."""
    yield f"\n### One thread of {LONG:,} messages, from both ends\n"
    yield f"Median of {runs} runs in turn, beyond what a thread of one message takes; `--jobs {ONE}` is one chain.\n"
    yield "| work | one chain, s | both ends, s | ratio (least-most) | goal, at most |"
    yield "|---|---|---|---|---|"
    slow = f"--latency={LATENCY}"
    with responding(1, slow) as short, responding(LONG, slow) as long, tempfile.TemporaryDirectory() as folder:
        for title, program in (("the walk alone", ""), ("JSONL alone", "jsonl"), ("everything", "everything")):
            seconds: dict[int, list[float]] = {ONE: [], BOTH: []}
            for _ in range(runs):
                for jobs, found in seconds.items():
                    walls = [_one_thread(program, url, jobs, Path(folder) / "archive") for url in (short, long)]
                    found.append(walls[1] - walls[0])
            ratios = [both / one for one, both in zip(seconds[ONE], seconds[BOTH], strict=True)]
            one, both = (statistics.median(found) for found in seconds.values())
            yield f"| {title} | {one:.2f} | {both:.2f} | {spread(ratios)} | {'' if program else '0.52'} |"


def _one_thread(program: str, url: str, jobs: int, archive: Path) -> float:
    """Return the seconds that a program takes for one thread."""
    command = ["-c", WALK, url, str(jobs)]
    if program:
        begin = ["-c", PATCHED, program] if program == "jsonl" else ["-m", "exporter"]
        command = [*begin, "backup", "-a", str(archive), "--no-runs", f"--jobs={jobs}", name(0)]
    try:
        return cost(sys.executable, *command, environment={"OPENAI_BASE_URL": url}).wall
    finally:
        shutil.rmtree(archive, ignore_errors=True)


@dataclass(frozen=True)
class Place:
    """Where it is measured, and with how many threads."""

    url: str
    folder: Path
    threads: int

    def added(self, jobs: int, goal: str) -> Wait:
        """Back up all for the first time; `all` stays."""
        shutil.rmtree(self.folder / "all", ignore_errors=True)
        few, many = self._first("few", jobs, FEW), self._first("all", jobs, FEW + self.threads)
        shutil.rmtree(self.folder / "few")
        return self._wait("first backup, everything", goal, jobs, 2, few, many)

    def idle(self, jobs: int, goal: str) -> Wait:
        """Visit all again."""
        self._first("few", jobs, FEW)
        few, many = (self._run(archive, jobs, "--all") for archive in ("few", "all"))
        shutil.rmtree(self.folder / "few")
        return self._wait("night without news", goal, jobs, 1, few, many)

    def _wait(self, title: str, goal: str, jobs: int, requests: int, *costs: Cost) -> Wait:
        few, many = costs
        return Wait(title, goal, jobs, self.threads, requests, many.wall - few.wall, many.cpu - few.cpu)

    def _first(self, archive: str, jobs: int, threads: int) -> Cost:
        ids = self.folder / "ids"
        ids.write_text("\n".join(map(name, range(threads))), encoding="utf-8")
        return self._run(archive, jobs, f"@{ids}")

    def _run(self, archive: str, jobs: int, what: str) -> Cost:
        command = ("-m", "exporter", "backup", "-a", str(self.folder / archive), "--no-runs", f"--jobs={jobs}", what)
        return cost(sys.executable, *command, environment={"OPENAI_BASE_URL": self.url})


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.waiting", description=__doc__)
    parser.add_argument("--threads", type=int, default=3_000, help="0: only the long one")
    parser.add_argument("--runs", type=int, default=3, help="of the long thread")
    options = parser.parse_args()
    for lines in (waiting(options.threads) if options.threads else (), both_ends(options.runs)):
        for line in lines:
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
