"""`make bench-scaling`: what a message and a thread cost, from little to much, as a plot.

Many threads of 8 messages, and single threads of ever more messages: each a backup with everything on, in a process of
its own, against the static responder. CPU seconds beyond the program's start. `--most 1000000` goes as far as is asked.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench.loops import name
from tests.bench.measure import cost, responding

SHORT = 8
BOUND = 238
"MiB that memory is promised to stay under: 250 MB."


def main() -> int:
    """Measure both series, print them, and draw them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling", description=__doc__)
    parser.add_argument("--most", type=int, default=100_000, help="threads of the one series, messages of the other")
    parser.add_argument("--write", type=Path, metavar="FILE", help="where the plot goes")
    options = parser.parse_args()
    start = _backup(1, 1)[0]
    print(f"start {start:.2f} CPU s\n\n| threads | messages each | CPU s | µs per message | peak MiB |")
    print("|---|---|---|---|---|", flush=True)
    threads = [_point(count, SHORT, start) for count in _steps(1_000, options.most)]
    messages = [_point(1, count, start) for count in _steps(1_000, options.most)]
    if options.write:
        _draw(options.write, threads, messages)
    return 0


def _steps(first: int, most: int) -> list[int]:
    found = []
    while first <= most:
        found.append(first)
        first *= 10
    return found


def _point(threads: int, messages: int, start: float) -> tuple[int, float, float]:
    """Return how much it was, what a message cost in microseconds, and the memory at most."""
    cpu, peak = _backup(threads, messages)
    count = threads * messages
    each = (cpu - start) / count * 1e6
    print(f"| {threads:,} | {messages:,} | {cpu:.2f} | {each:,.0f} | {peak:.0f} |", flush=True)
    return threads if messages == SHORT else messages, each, peak


def _backup(threads: int, messages: int) -> tuple[float, float]:
    with responding(messages) as url, tempfile.TemporaryDirectory() as folder:
        ids = Path(folder) / "ids"
        ids.write_text("\n".join(map(name, range(threads))), encoding="utf-8")
        command = (sys.executable, "-m", "exporter", "backup", "-a", f"{folder}/archive", "--no-runs", "--jobs=64")
        done = cost(*command, f"@{ids}", environment={"OPENAI_BASE_URL": url})
        shutil.rmtree(f"{folder}/archive")
    return done.cpu, done.peak


def _draw(path: Path, threads: list[tuple[int, float, float]], messages: list[tuple[int, float, float]]) -> None:
    import matplotlib as mpl

    mpl.use("svg" if path.suffix == ".svg" else "agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    series = ((threads, f"number of threads, {SHORT} messages each"), (messages, "messages of one thread"))
    for points, label in series:
        counts, each, peaks = zip(*points, strict=True)
        left.plot(counts, each, marker="o", label=label)
        right.plot(counts, peaks, marker="o", label=label)
    left.set(xscale="log", xlabel="how many", ylabel="CPU per message, µs, beyond the start", ylim=(0, None))
    right.axhline(BOUND, color="grey", linestyle=":", label="250 MB")
    right.set(xscale="log", xlabel="how many", ylabel="peak memory, MiB", ylim=(0, None))
    left.legend(loc="lower left")
    right.legend(loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
