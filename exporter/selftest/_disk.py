"""A disk that fails when it is told to: between a process and the calls by which it changes files.

Each call that makes, writes, flushes, names or removes a file below the archive is a step, and so is each statement
and commit of the catalog. At the step that a `Fault` names the process dies, the write is torn, the power goes, or
the disk is full, refuses or cannot be written any more. Only Python's calls are seen; what SQLite and Arrow write by
themselves goes straight to the disk. Flushing is noted and, unless it is asked for, not done: no death of a process
and no power failure that is played here can tell, and a disk takes its time.
"""

from __future__ import annotations

import errno
import io
import os
import random
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from exporter.archive import TABLES
from exporter.selftest._power import REAL, Named, Unsynced

How = Literal["kill", "torn", "power", "full", "io", "readonly"]
Kind = Literal["journal", "segment", "manifest", "table", "catalog", "blob", "other"]
DIED = 77
"How a process ends that is made to die."
ERRORS = {"full": errno.ENOSPC, "io": errno.EIO, "readonly": errno.EROFS}
SQLITE = {
    "full": "database or disk is full",
    "io": "disk I/O error",
    "readonly": "attempt to write a readonly database",
}
GONE = 0.2
"How often the catalog is gone as well when the power goes: what it had committed was fsynced, but it is derived."
CHANGES = ("INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REPLACE")

_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("journal", re.compile(r"journal(/|$)")),
    ("segment", re.compile(r"segments(/|$)|\.exporter/tmp/\d+\.jsonl\.zst")),
    ("manifest", re.compile(r"manifests(/|$)|\.exporter/tmp/\d+\.json$")),
    ("blob", re.compile(r"blobs(/|$)|\.exporter/tmp/blob-")),
    ("table", re.compile(rf"({'|'.join(TABLES)})(/|$)|\.exporter/tmp/[0-9a-f]{{8}}(/|$)")),
    ("catalog", re.compile(r"catalog\.sqlite")),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and at which step."""

    how: How = "kill"
    at: int = 0
    "The n-th step, of the kind that is named if one is; 0 is never."
    kind: Kind | None = None
    seed: int = 0
    "Decides what is left to chance: before or after the step, how much of a write, what the disk had kept."
    lasts: bool = True
    "Whether a disk that is full or refuses stays so."


class Disk:
    """Stands between this process and the files below a folder; there is one in a process, and it stays."""

    def __init__(
        self, root: Path, fault: Fault, unsynced: Unsynced, die: Callable[[], None], *, flushes: bool = False
    ) -> None:
        self.steps: Counter[Kind] = Counter()
        "How many steps there were, of each kind."
        self.struck: Kind | None = None
        "The kind of the step where the fault came."
        self._root, self._fault, self._die = root, fault, die
        self._unsynced, self._flushes = unsynced, flushes
        self._chance = random.Random(f"{fault.seed} {fault.at}")  # noqa: S311 - repeatable, no secret
        self._lock = threading.RLock()
        self._paths: dict[int, Path] = {}
        self._left = fault.at

    def install(self) -> None:
        """Take the place of the system's calls, and listen to what the catalog is told."""
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        for name in ("open", "write", "fsync", "ftruncate", "link", "replace", "unlink", "mkdir", "rmdir", "fdopen"):
            setattr(os, name, getattr(self, f"_{name}"))
        os.rename, os.remove = os.replace, os.unlink
        self._io_open, io.open = io.open, self._opened
        event.listen(Engine, "before_cursor_execute", self._statement)
        event.listen(Engine, "commit", lambda _: self._catalog())
        if not self._flushes:
            event.listen(Engine, "connect", lambda db, _: db.execute("PRAGMA synchronous=OFF"))

    # what a step is, and what goes wrong there

    def _kind(self, path: Path) -> Kind:
        name = path.relative_to(self._root).as_posix()
        return next((kind for kind, pattern in _KINDS if pattern.match(name)), "other")

    def _step(
        self, path: Path, action: Callable[[], Any], tear: Callable[[], Any] | None = None, *, frees: bool = False
    ) -> Any:
        """Do one step, or what goes wrong there; `tear` does a part of it and says how much."""
        with self._lock:
            strikes = self._strikes(self._kind(path))
            if not strikes or (frees and self._fault.how == "full"):
                return action()
            how, half = self._fault.how, self._chance.random() < 0.5
            if how in ERRORS:
                if how == "full" and tear is not None and half:
                    return tear()
                raise OSError(ERRORS[how], os.strerror(ERRORS[how]), str(path))
            try:
                if how == "torn" and tear is not None:
                    tear()
                elif half:
                    action()
            finally:
                self._end()
            return None

    def _strikes(self, kind: Kind) -> bool:
        self.steps[kind] += 1
        if self._fault.kind in (None, kind) and self._left > 0:
            self._left -= 1
            if self._left == 0:
                self.struck = kind
                return True
        return self.struck is not None and self._fault.lasts and self._fault.how in ERRORS

    def _end(self) -> None:
        for name, real in vars(REAL).items():
            setattr(os, name, real)
        if self._fault.how == "power":
            self._unsynced.cut(self._chance)
            for file in self._root.glob("catalog.sqlite*") if self._chance.random() < GONE else ():
                REAL.unlink(file)
        self._die()

    # the calls

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        where = self._where(path, dir_fd)
        if where is None:
            return int(REAL.open(path, flags, mode, dir_fd=dir_fd))
        there = where.exists()
        if (flags & os.O_CREAT and not there) or (flags & os.O_TRUNC and there):
            fd = self._step(where, lambda: self._made(where, flags, mode, there=there))
        else:
            fd = REAL.open(where, flags, mode)
        self._paths[fd] = where
        return int(fd)

    def _made(self, where: Path, flags: int, mode: int, *, there: bool) -> int:
        if there and self._follows(where):
            probe = REAL.open(where, os.O_RDONLY)
            self._unsynced.changing(probe, where)
            os.close(probe)
        fd = int(REAL.open(where, flags, mode))
        if not there and self._follows(where):
            self._unsynced.fresh(fd, where)
        return fd

    def _write(self, fd: int, data: Any) -> int:
        where = self._file(fd)
        if where is None:
            return int(REAL.write(fd, data))
        view = memoryview(data).cast("B")
        part = view[: self._chance.randint(0, max(0, len(view) - 1))]
        return int(self._step(where, lambda: self._written(fd, where, view), lambda: self._written(fd, where, part)))

    def _written(self, fd: int, where: Path, data: Any) -> int:
        if self._follows(where):
            self._unsynced.changing(fd, where)
        return int(REAL.write(fd, data))

    def _fsync(self, fd: int) -> None:
        where = self._file(fd)
        if where is None:
            REAL.fsync(fd)
        else:
            self._step(where, lambda: self._flushed(fd, where))

    def _flushed(self, fd: int, where: Path) -> None:
        if self._flushes:
            REAL.fsync(fd)
        if where.is_dir():
            self._unsynced.folder_synced(where)
        else:
            self._unsynced.synced(fd)

    def _ftruncate(self, fd: int, length: int) -> None:
        where = self._file(fd)
        if where is None:
            REAL.ftruncate(fd, length)
            return

        def cut() -> None:
            self._unsynced.changing(fd, where)
            REAL.ftruncate(fd, length)

        self._step(where, cut)

    def _link(self, src: Any, dst: Any, **how: Any) -> None:
        where = self._where(dst)
        if where is None:
            REAL.link(src, dst, **how)
            return

        def linked() -> None:
            REAL.link(src, where, **how)
            self._unsynced.names.append(Named("made", where))

        self._step(where, linked)

    def _replace(self, src: Any, dst: Any, **how: Any) -> None:
        source, where = self._where(src), self._where(dst)
        if source is None or where is None:
            REAL.replace(src, dst, **how)
            return

        def moved() -> None:
            inode = self._unsynced.keep(where)
            REAL.replace(source, where)
            self._unsynced.names.append(Named("moved", where, inode, source))

        self._step(where, moved)

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        where = self._where(path, dir_fd)
        if where is None:
            REAL.unlink(path, dir_fd=dir_fd)
            return

        def removed() -> None:
            follows = self._follows(where)
            inode = self._unsynced.keep(where) if follows else None
            REAL.unlink(where)
            if follows:
                self._unsynced.names.append(Named("gone", where, inode))

        if where.is_symlink() or where.exists():
            self._step(where, removed, frees=True)
        else:
            REAL.unlink(where)

    def _mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        where = self._where(path, dir_fd)
        if where is None or where == self._root:
            REAL.mkdir(path, mode, dir_fd=dir_fd)
            return

        def made() -> None:
            REAL.mkdir(where, mode)
            self._unsynced.names.append(Named("folder", where))

        self._step(where, made)

    def _rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        where = self._where(path, dir_fd)
        if where is None:
            REAL.rmdir(path, dir_fd=dir_fd)
            return

        def removed() -> None:
            REAL.rmdir(where)
            self._unsynced.names.append(Named("gone_folder", where))

        self._step(where, removed, frees=True)

    # files that Python opens by itself

    def _fdopen(self, fd: int, mode: str = "r", *rest: Any, **how: Any) -> Any:
        if mode != "wb" or self._file(fd) is None:
            return REAL.fdopen(fd, mode, *rest, **how)
        return io.BufferedWriter(_Raw(fd, "wb"))

    def _opened(self, file: Any, mode: str = "r", *rest: Any, **how: Any) -> Any:
        if mode != "r+b" or self._where(file) is None:
            return self._io_open(file, mode, *rest, **how)
        return io.BufferedRandom(_Raw(os.open(file, os.O_RDWR | os.O_CLOEXEC), "r+b"))

    # where a call goes

    def _where(self, path: Any, dir_fd: int | None = None) -> Path | None:
        """Return the path if it is below the folder, else None."""
        if not isinstance(path, str | os.PathLike):
            return None
        if dir_fd is not None:
            folder = self._file(dir_fd)
            return folder / path if folder is not None else None
        where = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
        return where if where == self._root or self._root in where.parents else None

    def _file(self, fd: int) -> Path | None:
        """Return where an open file lies, None where that is elsewhere; numbers are used again for other files."""
        where = self._paths.get(fd)
        if where is None:
            return None
        try:
            now, then = os.fstat(fd), where.lstat()
        except OSError:
            return where if _is_open(fd) else None
        return where if (now.st_dev, now.st_ino) == (then.st_dev, then.st_ino) else None

    @staticmethod
    def _follows(where: Path) -> bool:
        """Whether what becomes of a file matters: the lock and who holds it die with a process anyway."""
        return not where.name.startswith(("catalog.sqlite", "lock", "holder", ".holder"))

    # the catalog

    def _statement(self, _conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(CHANGES):
            self._catalog()

    def _catalog(self) -> None:
        with self._lock:
            if not self._strikes("catalog"):
                return
            if self._fault.how not in ERRORS:
                self._end()
                return
        from sqlalchemy.exc import OperationalError

        raise OperationalError("a change of the catalog", None, sqlite3.OperationalError(SQLITE[self._fault.how]))


class _Raw(io.FileIO):
    """A file whose writes go the way of `os.write`."""

    def write(self, data: Any) -> int:
        """Write."""
        return os.write(self.fileno(), data)

    def truncate(self, size: int | None = None) -> int:
        """Cut."""
        size = self.tell() if size is None else size
        os.ftruncate(self.fileno(), size)
        return size


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
