"""Puts units where systemd looks for them, and starts the timer."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import UsageError

if TYPE_CHECKING:
    from exporter.schedule import Unit

READABLE = 0o644
SECONDS = 60


def install(folder: Path, units: Iterable[Unit]) -> Iterator[Path]:
    """Write units into a folder; a file there that we did not make is left alone, with `UsageError`."""
    from exporter.files import make_folder, replacing
    from exporter.schedule import MADE

    paths = {folder / unit.name: unit for unit in units}
    for path in paths:
        if path.exists() and MADE not in path.read_text("utf-8", "replace"):
            raise UsageError(f"{path}: there is a file that is not ours; move it, or choose another --name")
    make_folder(folder)
    for path, unit in paths.items():
        with replacing(path) as file:
            os.fchmod(file.fileno(), READABLE)  # no secret is in it, and systemd warns of files it alone may read
            file.write(unit.text.encode())
        yield path


def start(name: str, *, own: bool) -> str | None:
    """Let systemd read the units and start the timer; returns what to do by hand where it does not."""
    systemctl = ["systemctl", *(["--user"] if own else [])]
    commands = ([*systemctl, "daemon-reload"], [*systemctl, "enable", "--now", f"{name}.timer"])
    by_hand = " && ".join(map(shlex.join, commands))
    for command in commands:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=SECONDS)  # noqa: S603, PLW1510
        except (OSError, subprocess.TimeoutExpired):
            return f"the units are written, but systemd did not answer; start it by hand: {by_hand}"
        if done.returncode:
            return f"the units are written, but systemd refused to start them; see above, then: {by_hand}"
    return None
