"""One writer at a time: a file lock that the system drops when its holder dies, and a note of who holds it."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from exporter.archive._lines import dump, load, stamp
from exporter.errors import ArchiveError, Locked
from exporter.files import make_folder, replacing, translated
from exporter.model import now, printable


class Lock:
    """The writer's lock of an archive."""

    def __init__(self, path: Path) -> None:
        import filelock

        folder = make_folder(path / ".exporter")
        self._archive = path
        self._holder = folder / "holder.json"
        self._lock = filelock.FileLock(folder / "lock", mode=0o600, timeout=0, thread_local=False)
        self._refused = filelock.Timeout

    def acquire(self) -> None:
        """Take the lock; `Locked` at once if somebody has it, saying who."""
        with translated(self._holder):
            try:
                self._lock.acquire()
            except self._refused:  # which is an OSError, too
                raise Locked(f"{self._archive}: {self.who()} is writing; wait for it, or stop it") from None
            except (NotImplementedError, RuntimeError) as error:
                raise Locked(f"{self._archive}: {error}") from error
        try:
            self._sign()
        except BaseException:
            self._lock.release()
            raise

    def _sign(self) -> None:
        with replacing(self._holder) as file:
            command = " ".join(["exporter", *sys.argv[1:2]])
            about = {"pid": os.getpid(), "host": socket.gethostname(), "since": stamp(now()), "command": command}
            file.write(dump(about) + b"\n")

    def release(self) -> None:
        """Give the lock back; a note that a disk refuses to remove holds nobody up."""
        try:
            with contextlib.suppress(OSError):  # it would hide what went wrong before
                self._holder.unlink(missing_ok=True)
        finally:
            self._lock.release()

    def who(self) -> str:
        """Name the holder, as far as its note tells."""
        about: object = None
        with contextlib.suppress(OSError, ValueError):
            about = load(self._holder.read_bytes())
        if not isinstance(about, dict) or not about:
            return "another process"
        said = (
            f"`{about.get('command')}` (process {about.get('pid')} on {about.get('host')}, since {about.get('since')})"
        )
        return printable(said)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def who_writes(path: Path) -> str | None:
    """Name the process that is writing to an archive; None for nobody, whatever note a dead one left."""
    if not (path / ".exporter" / "holder.json").exists():
        return None
    lock = Lock(path)
    try:
        lock.acquire()
    except Locked:
        return lock.who()
    except ArchiveError:  # a folder that cannot be written: a copy, with the note in it
        return None
    lock.release()
    return None
