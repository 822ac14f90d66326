"""A page in a real browser: what it became, what the browser complained of, and whom it asked.

Chromium, if this machine has one. All names lead to a listener here, so that nothing leaves the machine, and whatever
a page asks for is seen.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell")
BINARY = next((found for name in NAMES if (found := shutil.which(name))), None)
QUIET = (
    *("--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--disable-default-apps", "--disable-domain-reliability", "--disable-extensions"),
    *("--disable-features=OptimizationHints,MediaRouter,Translate", "--enable-logging=stderr", "--log-level=0"),
    *("--virtual-time-budget=2000", "--dump-dom"),
)
HOSTS = b".example"
"All hosts that hostile transcripts name end so; the browser itself asks others, for the time and for news."
needs_browser = pytest.mark.skipif(BINARY is None, reason="there is no Chromium on this machine")


@dataclass
class Seen:
    """What a browser made of a page."""

    dom: str
    console: list[str]
    asked: list[bytes] = field(default_factory=list)


def load(page: Path) -> Seen:
    """Open a page and let it run for a while."""
    assert BINARY is not None
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as trap, tempfile.TemporaryDirectory() as home:
        threading.Thread(target=_listen, args=(trap, asked), daemon=True).start()
        port = trap.getsockname()[1]
        led = f"--host-resolver-rules=MAP * 127.0.0.1:{port}"
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        words = [BINARY, *QUIET, *root, led, f"--user-data-dir={home}", page.resolve().as_uri()]
        done = subprocess.run(words, capture_output=True, timeout=100, check=True, env=os.environ | {"HOME": home})
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    console = [line for line in lines if ":CONSOLE" in line]
    return Seen(done.stdout.decode(), console, [request for request in asked if HOSTS in request])


def _listen(trap: socket.socket, asked: list[bytes]) -> None:
    while True:
        try:
            connection, _ = trap.accept()
            with connection:
                connection.settimeout(1)
                asked.append(connection.recv(200))
        except OSError:
            if trap.fileno() == -1:
                return
