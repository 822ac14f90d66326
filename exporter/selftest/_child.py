"""A backup in a process of its own, which may die: what it reported archived stands in a file that outlives it."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import resource
import sys
import traceback
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

import aiohttp
import pyarrow as pa
import pyarrow.parquet
import sqlalchemy.dialects.sqlite
import stamina

import exporter.crawl
import exporter.tables
from exporter import model
from exporter.archive import Archive
from exporter.crawl import Options, backup
from exporter.erase import Asked, choose, erase, finish
from exporter.errors import ExporterError
from exporter.model import Page, Profile, Registration, Secret, ThreadRef
from exporter.rebuild import rebuild
from exporter.registry import register
from exporter.selftest._disk import DIED, Disk, Fault
from exporter.selftest._power import REAL, Unsynced

pa.array(["imports pandas where there is one"])
WARM = (aiohttp, pa.parquet, sqlalchemy.dialects.sqlite, exporter.crawl, exporter.tables)
"Imported before a process divides, so that each of its children begins at once."
PATIENCE = 120.0
"Seconds after which a process that has not ended hangs."


@dataclass(frozen=True, slots=True)
class Job:
    """A backup: of what, from where, how."""

    archive: Path
    notes: Path
    "A folder beside the archive: what was reported archived, how it ended, what is not sure on the disk."
    url: str
    key: str
    threads: tuple[ThreadRef, ...] = ()
    "To register first."
    options: dict[str, Any] = field(default_factory=dict)
    everything: bool = True
    days: float = 0.0
    "How far this process's clock goes wrong."
    limit: int | None = None
    "Bytes beyond which the system refuses to let any file grow, as on a full disk."
    flushes: bool = False
    "Whether what is flushed really goes to the disk."
    rebuild: bool = False
    "Whether to make catalog and tables again instead."
    opens: bool = False
    "Whether to do no more than open the archive, which finishes what was interrupted."
    erases: str | None = None
    "The id of a thread to erase instead of backing up."
    again: bool = False
    "Whether threads that were erased are taken back."


@dataclass(frozen=True, slots=True)
class Done:
    """How it ended."""

    died: bool
    "Whether it was made to die; else it came to an end by itself."
    exit_code: int = 0
    "What the command would have ended with."
    error: str = ""
    "What it would have said; a traceback where nothing of ours was raised."
    struck: str = ""
    "The kind of the step where something went wrong."
    steps: dict[str, int] = field(default_factory=dict)
    memory: float = 0.0
    "How many megabytes the process grew by, at its height."


def run(job: Job, fault: Fault = Fault()) -> Done:  # noqa: B008 - it is frozen
    """Run a backup in a process of its own; one that hangs is killed, and is an error."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    end = job.notes / "end.json"
    job.notes.mkdir(parents=True, exist_ok=True)
    end.unlink(missing_ok=True)
    process = context.Process(target=_work, args=(job, fault), daemon=True)
    process.start()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
        return Done(died=False, exit_code=1, error=f"it still ran after {PATIENCE:g} seconds")
    if not end.exists():
        return Done(died=False, exit_code=1, error=f"the process ended with {process.exitcode} and said nothing")
    return Done(**json.loads(end.read_text()))


def acknowledged(notes: Path) -> list[dict[str, Any]]:
    """Return what was reported archived, page by page, by all backups that noted here."""
    file = notes / "acknowledged.jsonl"
    return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def _work(job: Job, fault: Fault) -> None:
    stamina.set_testing(True, attempts=3)  # the same attempts, without the waiting
    if job.days:
        vars(model)["datetime"] = _shifted(timedelta(days=job.days))
    _limit(job.limit)
    before = _height()
    unsynced = Unsynced.load(job.notes / "unsynced", job.notes / "stash")
    disk = Disk(job.archive, fault, unsynced, lambda: end(DIED), flushes=job.flushes)

    def end(code: int, exit_code: int = 0, error: str = "") -> None:
        _limit(None)
        unsynced.save(job.notes / "unsynced")
        steps = {str(kind): count for kind, count in disk.steps.items()}
        told = Done(code == DIED, exit_code, error, disk.struck or "", steps, _height() - before)
        _put(job.notes / "end.json", json.dumps({name: getattr(told, name) for name in Done.__slots__}))
        os._exit(code)

    try:
        disk.install()
        end(0, _backup(job))
    except ExporterError as error:
        end(0, error.exit_code, str(error))
    except BaseException:  # noqa: BLE001 - it is told to who started us
        end(1, 1, traceback.format_exc())


def _backup(job: Job) -> int:
    if job.rebuild:
        rebuild(job.archive)
        return 0
    if job.opens:
        Archive.write(job.archive).close()
        return 0
    if job.erases:
        with Archive.write(job.archive) as archive:
            threads = choose(archive, [asked := Asked("thread", job.erases)]).threads
            if threads:
                erase(archive, threads, [asked])
            else:
                finish(archive)
        return 0
    Archive.create(job.archive)
    with _acknowledging(job) as on_page, Archive.write(job.archive) as archive:
        register(archive, map(Registration, job.threads), again=job.again)
        out = set() if job.again else archive.erased(job.threads)
        on_page.registered(tuple(one for one in job.threads if one not in out))
        profiles = {"default": Profile(base_url=job.url, key=Secret(job.key))}
        options = Options(**{"jobs": 4, **job.options})
        return backup(archive, profiles, options, everything=job.everything, on_page=on_page).exit_code


class _acknowledging:  # noqa: N801 - a context manager
    """Writes down what was reported archived, past the disk that fails."""

    def __init__(self, job: Job) -> None:
        self._limit = job.limit
        file = job.notes / "acknowledged.jsonl"
        self._fd = int(REAL.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def __call__(self, page: Page) -> None:
        if page.kind == "visit":
            return
        items = [[item.id, hashlib.sha256(item.body).hexdigest()] for item in page.items]
        fields = {"thread": page.thread.id, "kind": page.kind, "list": page.list, "items": items}
        self._write(fields)

    def registered(self, threads: tuple[ThreadRef, ...]) -> None:
        """Write down which threads are in the registry."""
        for thread in threads:
            self._write({"thread": thread.id, "kind": "registration"})

    def _write(self, fields: dict[str, Any]) -> None:
        _limit(None)
        REAL.write(self._fd, json.dumps(fields).encode() + b"\n")
        _limit(self._limit)


def _put(path: Path, text: str) -> None:
    fd = REAL.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    REAL.write(fd, text.encode())
    os.close(fd)


def _limit(size: int | None) -> None:
    """Have the system refuse to let any file grow beyond so many bytes; None is as large as it lets us."""
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (most if size is None else size, most))


def _height() -> float:
    """Return how many megabytes this process had at its height."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _shifted(by: timedelta) -> type[datetime]:
    """Return a clock that is wrong."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + by

    return Wrong
