"""One parser for so many seconds, in a process of its own."""

from __future__ import annotations

import resource
import sys
import time
import traceback

from tests.fuzz import fuzz

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
