"""Whole backups beside what users write instead, all in turn against one server: CPU seconds and their ratios.

What a program costs before its first request (imports, above all) is measured in the same run, with one thread of one
message, and taken off: a nightly job over millions of threads pays it once.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.loops import WAYS, name
from tests.bench.measure import Cost, cost, responding, spread

PATCHED = """
import sys
import exporter.crawl
from exporter.__main__ import main
from exporter.crawl._verification import Verified
exporter.crawl.verify = lambda *_: Verified("", "", 0, 1)
if sys.argv[1] == "jsonl":
    exporter.crawl._publish = lambda *_, **__: 0
main(sys.argv[2:])
"""
OURS = {"everything": "", "JSONL + Parquet": "tables", "JSONL alone": "jsonl"}
TITLES = {
    "sdk_sync": "SDK typed, sync loop",
    "sdk_async": "AsyncOpenAI typed, 64 tasks",
    "sdk_raw": "SDK raw + orjson",
    "bytes_only": "bytes only, our transport",
    "dlt": "dlt rest_api to Parquet",
}
GOALS = (
    ("everything", "sdk_sync", 1 / 10, 1 / 6.5),
    ("everything", "sdk_async", 1 / 14, 1 / 7),
    ("everything", "dlt", 1 / 12, 1 / 8),
    ("JSONL alone", "sdk_sync", 1 / 12, 1 / 20),
    ("JSONL alone", "bytes_only", 1.25, 2.0),
    ("JSONL + Parquet", "bytes_only", 1.6, 6.0),
)
FLOOR_MORE = 8
"How much more the loop does that only takes bytes: else its work cannot be told from how its start varies."


@dataclass(frozen=True)
class Shape:
    """How much work of which kind."""

    title: str
    threads: int
    messages: int
    dlt_threads: int
    "dlt makes a resource of each thread, so it is shown fewer and reckoned up."


class Backups:
    """All programs on one shape of work."""

    def __init__(self, shape: Shape, runs: int, dlt: str | None) -> None:
        self._shape, self._runs = shape, runs
        self._python = {"dlt": dlt} if dlt else {}
        self.ways = [*OURS, *(way for way in WAYS if way != "dlt" or dlt)]
        self.costs: dict[str, list[float]] = {}
        "CPU seconds per 100,000 messages, beyond the program's start."
        self.walls: dict[str, float] = {}
        self.starts: dict[str, float] = {}
        self.peaks: dict[str, float] = {}

    def measure(self) -> None:
        """Run every program, one after the other, again and again."""
        shape = self._shape
        costs: defaultdict[str, list[Cost]] = defaultdict(list)
        starts: defaultdict[str, list[float]] = defaultdict(list)
        with responding(1) as one, responding(shape.messages) as url, tempfile.TemporaryDirectory() as folder:
            for _ in range(self._runs):
                for way in self.ways:
                    starts[way].append(self._run(way, one, Path(folder), 1, 1).cpu)
                    costs[way].append(self._run(way, url, Path(folder), self._threads(way), shape.messages))
        for way, found in costs.items():
            start = statistics.median(starts[way])
            messages = self._threads(way) * shape.messages
            self.starts[way] = start
            self.costs[way] = [(one.cpu - start) * 100_000 / messages for one in found]
            self.walls[way] = messages / statistics.median(one.wall for one in found)
            self.peaks[way] = max(one.peak for one in found)

    def _threads(self, way: str) -> int:
        if way == "dlt":
            return self._shape.dlt_threads
        return self._shape.threads * (FLOOR_MORE if way == "bytes_only" else 1)

    def _run(self, way: str, url: str, folder: Path, threads: int, messages: int) -> Cost:
        out = folder / "out"
        try:
            if way not in OURS:
                program: tuple[str, ...] = (
                    self._python.get(way, sys.executable),
                    str(Path(__file__).parent / "loops.py"),
                )
                return cost(*program, way, url, str(out), str(threads), str(messages))
            ids = folder / "ids"
            ids.write_text("\n".join(map(name, range(threads))), encoding="utf-8")
            program = ("-c", PATCHED, OURS[way]) if OURS[way] else ("-m", "exporter")
            backup = ("backup", "-a", str(out), "--no-runs", "--jobs=64", f"@{ids}")
            return cost(sys.executable, *program, *backup, environment={"OPENAI_BASE_URL": url})
        finally:
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    def rows(self) -> Iterator[str]:
        """Print what each program cost."""
        titles = {way: f"**exporter**, {way}" for way in OURS} | TITLES
        yield "| program | CPU s per 100,000 messages | µs per thread | start, CPU s | messages/s here | peak MiB |"
        yield "|---|---|---|---|---|---|"
        for way in self.ways:
            each = statistics.median(self.costs[way]) * 10 * self._shape.messages
            yield (
                f"| {titles[way]} | {spread(self.costs[way])} | {each:,.0f} | {self.starts[way]:.2f} "
                f"| {self.walls[way]:,.0f} | {self.peaks[way]:.0f} |"
            )

    def goals(self, *, short: bool) -> Iterator[tuple[str, float, float]]:
        """Name each comparison of the goals, its ratio, and the goal."""
        for ours, theirs, goal_short, goal_long in GOALS:
            if theirs in self.costs:
                ratio = statistics.median(self.costs[ours]) / statistics.median(self.costs[theirs])
                yield f"{ours} / {TITLES[theirs]}", ratio, goal_short if short else goal_long
