"""A backup every night, as a timer of systemd, a line for cron or a CronJob of Kubernetes: text, made from a `Job`.

Pure: nothing here is installed or run. A key is never part of a text; it says in which file or secret the key is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path

from exporter.errors import UsageError
from exporter.model import printable

MADE = "Made by `exporter schedule`; docs/nightly.md explains each line."
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?")
"What systemd, cron and Kubernetes all take as a name."
LONGEST = 12 * 3600


@dataclass(frozen=True, slots=True)
class Job:
    """What runs every night. All paths are absolute."""

    command: tuple[str, ...]
    "How `exporter` is started, by its full path."
    archive: Path
    at: time
    jitter: int
    "Seconds; each night begins up to so much later, so that not everybody asks a server at once."
    words: tuple[str, ...] = ()
    "Further options of `exporter backup`."
    config: Path | None = None
    key_file: Path | None = None
    "The file that has the key; None: it is in an environment file, or the configuration names its place."
    name: str = "exporter-backup"
    user: str | None = None
    "Who runs it; None: whoever's own timer or crontab it is."
    writes: tuple[Path, ...] = ()
    "Folders beside the archive that the options make it write to."
    image: str = ""
    "Of containers; Kubernetes only."

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise UsageError(f"{printable(self.name)!r} is no name for a job: small letters, digits and -, at most 52")
        if not 0 <= self.jitter <= LONGEST:
            raise UsageError("a jitter is at most 12 hours")
        for text in (*self.command, *self.words, *map(str, self.paths), self.user or "", self.image):
            if not text.isprintable():
                raise UsageError(f"{printable(text)!r}: control characters cannot be part of a job; rename it")

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every path of the job, the archive first."""
        return (self.archive, *self.writes, *(path for path in (self.config, self.key_file) if path))

    def arguments(self, *before: str) -> tuple[str, ...]:
        """The whole command line; `before` are options of `exporter` itself."""
        config = (f"--config={self.config}",) if self.config else ()
        return (*self.command, *before, "backup", f"--archive={self.archive}", *config, *self.words)


@dataclass(frozen=True, slots=True)
class Unit:
    """One file to install."""

    name: str
    text: str


def units(form: str, job: Job) -> list[Unit]:
    """Return the files of one form of schedule: `systemd`, `cron` or `kubernetes`."""
    return FORMS[form](job)


def _systemd(job: Job) -> list[Unit]:
    from exporter.schedule._systemd import service, timer

    return [Unit(f"{job.name}.service", service(job)), Unit(f"{job.name}.timer", timer(job))]


def _cron(job: Job) -> list[Unit]:
    from exporter.schedule._cron import table

    return [Unit(job.name, table(job))]


def _kubernetes(job: Job) -> list[Unit]:
    from exporter.schedule._kubernetes import manifest

    return [Unit(f"{job.name}.yaml", manifest(job))]


FORMS: Mapping[str, Callable[[Job], list[Unit]]] = {"systemd": _systemd, "cron": _cron, "kubernetes": _kubernetes}

__all__ = ["FORMS", "MADE", "Job", "Unit", "units"]
