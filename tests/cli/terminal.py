"""A command in a process of its own, whose stdout is a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def on_a_terminal(*words: str, environ: Mapping[str, str], columns: int, cwd: Path | None = None) -> str:
    """Run a command on a terminal of this width; return all that it wrote there. It writes nothing elsewhere."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", "-q", *words],
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**_clean(), **environ, "COLUMNS": str(columns)},
        cwd=cwd,
    )
    os.close(theirs)
    try:
        got = _all(ours)
    finally:
        assert process.communicate(timeout=60)[1] == b""
    return got


def beside_a_terminal(*words: str, environ: Mapping[str, str], columns: int = 100) -> tuple[str, str, int]:
    """Run a command whose stderr is a terminal and whose stdout is none; return what it wrote to both, and its end."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", *words],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**_clean(), **environ, "COLUMNS": str(columns), "TERM": "xterm"},
    )
    os.close(theirs)
    try:
        got = _all(ours)
    finally:
        out, _ = process.communicate(timeout=60)
    return out.decode(), got, process.returncode


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM", "LINES")}


def _all(ours: int) -> str:
    """Return what is written to a terminal until its other end is closed; close this one."""
    got = b""
    try:
        while block := _read(ours):
            got += block
    finally:
        os.close(ours)
    return got.decode().replace("\r\n", "\n")


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except OSError:  # how Linux says that the other end is closed
        return b""
