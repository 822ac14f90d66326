"""`make bench`: what a whole backup costs, beside the loop that users write with the SDK, in one run.

Each side runs as its own process against one sandbox process; CPU seconds and peak memory are the system's own
account of that process, the server not included. Quote the ratios: machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KEY = "sk-sandbox-one"
START_SECONDS = 60

SDK_LOOP = """
import json, sys
from openai import OpenAI
client = OpenAI()
with open(sys.argv[1], "w") as out:
    for thread in sys.argv[2:]:
        for message in client.beta.threads.messages.list(thread, limit=100, order="asc"):
            out.write(message.model_dump_json() + "\\n")
"""

UNVERIFIED = """
import sys
import exporter.crawl
from exporter.__main__ import main
from exporter.crawl._verification import Verified
exporter.crawl.verify = lambda *_: Verified("", "", 0, 1)
main(sys.argv[1:])
"""


@dataclass(frozen=True)
class Cost:
    """What one process cost."""

    cpu: float
    "Seconds, user and system."
    peak: float
    "MiB of resident memory."


def main() -> int:
    """Print a row per shape of work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each side, in turn; the median counts")
    parser.add_argument(
        "--long", type=int, default=200_000, help="messages of the one thread that memory is shown with"
    )
    options = parser.parse_args()
    shapes = {"short: 300 threads of 8": (300, 8), "long: 2 threads of 5,000": (2, 5000)}
    print(
        "| work | SDK loop, JSONL only: CPU s | exporter, everything: CPU s | ratio | to no verification | peak MiB |"
    )
    print("|---|---|---|---|---|---|")
    for name, (threads, messages) in shapes.items():
        print(row(name, threads, messages, options.runs), flush=True)
    print(memory_row(options.long), flush=True)
    return 0


def row(name: str, threads: int, messages: int, runs: int) -> str:
    """Run both sides in turn on one server."""
    ids = [f"thread_bench{i}" for i in range(threads)]
    theirs: list[Cost] = []
    ours: list[Cost] = []
    bare: list[Cost] = []
    with serving(ids, messages) as url, tempfile.TemporaryDirectory() as folder:
        for number in range(runs):
            theirs.append(cost(url, sys.executable, "-c", SDK_LOOP, f"{folder}/{number}.jsonl", *ids))
            ours.append(backup(url, Path(folder) / f"archive{number}", ids))
            bare.append(backup(url, Path(folder) / f"archive{number}", ids, "-c", UNVERIFIED))
    sdk = statistics.median(c.cpu for c in theirs)
    whole = statistics.median(c.cpu for c in ours)
    trusting = statistics.median(c.cpu for c in bare)
    peak = max(c.peak for c in ours)
    return f"| {name} | {sdk:.2f} | {whole:.2f} | {whole / sdk:.2f} | {whole / trusting:.2f} | {peak:.0f} |"


def memory_row(messages: int) -> str:
    """Back up one very long thread."""
    with serving(["thread_bench0"], messages) as url, tempfile.TemporaryDirectory() as folder:
        one = backup(url, Path(folder) / "archive", ["thread_bench0"])
    return f"| one thread of {messages:,} | | {one.cpu:.2f} | | | {one.peak:.0f} |"


def backup(url: str, archive: Path, ids: list[str], *program: str) -> Cost:
    """Back up as a user does, or with another program."""
    file = archive.with_suffix(".ids")
    file.write_text("\n".join(ids), encoding="utf-8")
    program = program or ("-m", "exporter")
    done = cost(url, sys.executable, *program, "backup", "-a", str(archive), "--no-runs", f"@{file}")
    shutil.rmtree(archive)
    return done


def cost(url: str, *command: str) -> Cost:
    """Run a command to its end; SystemExit with its own words if it fails."""
    environment = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": KEY, "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryFile() as said:
        pid = os.posix_spawn(
            command[0], command, environment, file_actions=[(os.POSIX_SPAWN_DUP2, said.fileno(), fd) for fd in (1, 2)]
        )
        _, status, usage = os.wait4(pid, 0)
        if status:
            said.seek(0)
            raise SystemExit(f"{' '.join(command[:6])} ended with {status}:\n{said.read().decode()[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


@contextlib.contextmanager
def serving(ids: list[str], messages: int) -> Iterator[str]:
    """Run a sandbox process with these threads."""
    generated = [f"--generated={thread}={messages}" for thread in ids]
    command = [sys.executable, "-m", "exporter.sandbox", "--threads=0", "--conversations=0", *generated]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(START_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
