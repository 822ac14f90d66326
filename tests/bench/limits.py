"""A server that allows so many requests a second and does not say so; and what a command takes before it begins.

`python -m tests.bench.limits` prints both.
"""

from __future__ import annotations

import argparse
import compileall
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import exporter
from tests.bench.loops import name
from tests.bench.measure import cost, responding, spread

RUNS = {20: 200, 100: 100, 300: 60}
"Requests a second that servers allow, and the seconds of each run: a slow server takes longer to be found out."
SEARCH = 0.25
"Part of a run in which the limit may still be looked for; what comes after it is sustained."
STEP = 0.25
"Seconds between two looks at the server's count."
LATENCY = 0.05
HELP, ONE_THREAD = 0.15, 1.0
"Seconds that `--help`, and the backup of one thread, may take."
REACHED, REFUSED = 0.95, 0.01
"Of what is allowed, how much is to be used; of all requests, how many may be refused."


@dataclass
class Watch:
    """What a server counted, looked at again and again while a backup runs."""

    url: str
    looks: list[tuple[float, int, int]] = field(default_factory=list)
    "Seconds, requests, refused."
    _over: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Read the count once."""
        with urllib.request.urlopen(f"{self.url}/stats", timeout=10) as answer:
            told = json.load(answer)
        self.looks.append((time.monotonic(), told["requests"], told["refused"]))

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(STEP):
            self.look()

    def asked(self) -> list[tuple[float, int, int]]:
        """The looks between the first and the last request."""
        first, last = self.looks[0][1], self.looks[-1][1]
        return [look for look in self.looks if first < look[1] < last]

    def sustained(self) -> tuple[float, float]:
        """Answers a second once the limit was found, and which part of the requests was refused then."""
        busy = self.asked()
        begin = busy[0][0] + SEARCH * (busy[-1][0] - busy[0][0])
        (at, requests, refused), (end, more, worse) = next(look for look in busy if look[0] >= begin), busy[-1]
        return (more - requests - (worse - refused)) / (end - at), (worse - refused) / (more - requests)

    @property
    def seconds(self) -> float:
        """How long there were requests."""
        busy = self.asked()
        return busy[-1][0] - busy[0][0]

    def whole(self) -> float:
        """Of all requests, how many were refused."""
        return self.looks[-1][2] / self.looks[-1][1]


def limits(share: float = 1.0) -> Iterator[str]:
    """Back up from servers that refuse what is more than their rate; yield lines of Markdown."""
    yield "\n## Limits that are not told\n"
    yield (
        f"The server answers 429 above its rate, and says nothing of it in other answers; {LATENCY * 1000:.0f} ms, "
        f"64 in flight at most. Sustained is what the server counted after the first {SEARCH:.0%} of each run's time.\n"
    )
    yield (
        "| requests/s allowed | seconds | sustained | of what is allowed | goal, at least "
        "| refused then | goal, at most | refused in all |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for rate, seconds in RUNS.items():
        watch = _limited(rate, int(rate * seconds * share / 2))
        found, refused = watch.sustained()
        yield (
            f"| {rate} | {watch.seconds:.0f} | {found:.1f} | {found / rate:.3f} | {REACHED} "
            f"| {refused:.2%} | {REFUSED:.0%} | {watch.whole():.2%} |"
        )


def _limited(rate: int, threads: int) -> Watch:
    more = (f"--latency={LATENCY}", f"--rate={rate}")
    with responding(8, *more) as url, tempfile.TemporaryDirectory() as folder:
        ids = Path(folder) / "ids"
        ids.write_text("\n".join(map(name, range(threads))), encoding="utf-8")
        command = ("-m", "exporter", "backup", "-a", f"{folder}/archive", "--no-runs", "--jobs=64", f"@{ids}")
        watch = Watch(url)
        watch.look()
        with watch:
            cost(sys.executable, *command, environment={"OPENAI_BASE_URL": url})
        watch.look()
        return watch


def starts(runs: int) -> Iterator[str]:
    """Measure how long it takes until a command has begun; yield lines of Markdown."""
    command = str(Path(sys.executable).with_name("exporter"))
    compileall.compile_dir(str(Path(exporter.__file__).parent), quiet=2)  # as installing does
    yield "\n## Start\n"
    yield f"Wall seconds, median of {2 * runs} (least-most).\n"
    yield "| command | s | goal, at most |"
    yield "|---|---|---|"
    yield f"| `exporter --help` | {spread([_wall(command, '--help') for _ in range(2 * runs)])} | {HELP} |"
    with responding(8) as url, tempfile.TemporaryDirectory() as folder:
        walls = [_one(command, url, Path(folder) / "archive") for _ in range(2 * runs)]
        what = "`exporter backup` of one thread, a new archive, a server without latency"
        yield f"| {what} | {spread(walls)} | {ONE_THREAD} |"
    bare = statistics.median(_wall(sys.executable, "-c", "pass") for _ in range(2 * runs))
    yield f"\nPython alone begins and ends in {bare:.2f} s."


def _one(command: str, url: str, archive: Path) -> float:
    try:
        return cost(command, "backup", "-a", str(archive), name(0), environment={"OPENAI_BASE_URL": url}).wall
    finally:
        shutil.rmtree(archive, ignore_errors=True)


def _wall(*command: str) -> float:
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.limits", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the time that runs against such a server take")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    for lines in (starts(options.runs), limits(options.share)):
        for line in lines:
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
