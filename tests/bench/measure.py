"""What a process costs, by the system's own account; and the server it talks to, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.loops import KEY

HERE = Path(__file__).parent
START_SECONDS = 60
ASIDE = {"PYTHONPATH": str(HERE.parents[1]), "RUNTIME__DLTHUB_TELEMETRY": "false"}


@dataclass(frozen=True)
class Cost:
    """What one process cost."""

    cpu: float
    "Seconds, user and system."
    wall: float
    peak: float
    "MiB of resident memory."


def cost(*command: str, environment: dict[str, str] | None = None) -> Cost:
    """Run a command to its end; SystemExit with its own words if it fails."""
    inherited = {**os.environ, "OPENAI_API_KEY": KEY, "PYTHONWARNINGS": "ignore", **ASIDE}
    with tempfile.TemporaryFile() as said:
        actions = [(os.POSIX_SPAWN_DUP2, said.fileno(), fd) for fd in (1, 2)]
        began = time.monotonic()
        pid = os.posix_spawn(command[0], command, {**inherited, **(environment or {})}, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        wall = time.monotonic() - began
        if status:
            said.seek(0)
            raise SystemExit(f"{' '.join(command[:6])} ended with {status}:\n{said.read().decode()[-3000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


@contextlib.contextmanager
def responding(messages: int, *more: str) -> Iterator[str]:
    """Run the responder, with threads of so many messages."""
    command = [sys.executable, str(HERE / "responder.py"), f"--messages={messages}", *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def spread(values: Sequence[float]) -> str:
    """Return the median with the least and the most."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"
