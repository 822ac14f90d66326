"""Backups against a server that takes its time: how near they come to what its latency allows.

`python -m tests.bench.waiting` prints the table. What a run takes with a few threads is taken off, so that starting and
ending, which a nightly job pays once, do not count.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.loops import name
from tests.bench.measure import Cost, cost, responding

LATENCY = 0.05
FEW = 64
"Threads of the run that is taken off."


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
    parser.add_argument("--threads", type=int, default=3_000)
    for line in waiting(parser.parse_args().threads):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
