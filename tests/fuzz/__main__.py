"""All parsers for so many seconds together, each in a process of its own: `python -m tests.fuzz --seconds 600`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import time
import traceback

from tests.fuzz import fuzz, names

MEMORY = 1024
"MiB that a process may come to; most of it is Arrow."
ROUND = 400
"Examples at a time."


def one(name: str, seconds: float) -> None:
    """Fuzz one parser; ends with 1 where something was found."""
    until, count = time.process_time() + seconds, [0]
    try:
        while time.process_time() < until:
            fuzz(name, ROUND, again=False, count=lambda: count.__setitem__(0, count[0] + 1))
    except BaseException:  # noqa: BLE001 - a hang is one, too
        traceback.print_exc(file=sys.stdout)
        print(f"{name}: FOUND after {count[0]:,} examples", flush=True)
        sys.exit(1)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{name}: {count[0]:,} examples, {memory:,} MiB", flush=True)
    sys.exit(memory > MEMORY)


def main() -> int:
    """Run all, or those that are named."""
    parser = argparse.ArgumentParser(description="feed every parser of outside bytes with what may come")
    parser.add_argument("names", nargs="*", default=names())
    parser.add_argument("--seconds", type=float, default=600.0, help="of CPU, for all together")
    said = parser.parse_args()
    share = said.seconds / len(said.names)
    context = multiprocessing.get_context("spawn")
    bad = []
    for name in said.names:
        process = context.Process(target=one, args=(name, share))
        process.start()
        process.join(share * 20 + 300)
        if process.is_alive():
            process.kill()
        if process.exitcode != 0:
            bad.append(name)
    print(f"{len(said.names)} parsers, {len(bad)} with findings: {', '.join(bad)}" if bad else "no findings")
    return 1 if bad else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    raise SystemExit(main())
