"""What a disk may still have when the power goes: nothing is sure but what was fsynced.

Contents that were not fsynced may be there, lost, cut short, or have holes where pages never left memory. Names that
were made, moved or removed since their folder was fsynced may be as before; within one folder they come in their
order, a move is one thing, and folders know nothing of each other. That is all that POSIX promises, and less than
most file systems do.
"""

from __future__ import annotations

import os
import pickle
import random
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

REAL = SimpleNamespace(
    **{
        name: getattr(os, name)
        for name in ("open", "write", "fsync", "ftruncate", "link", "replace", "unlink", "mkdir", "rmdir", "fdopen")
    }
)
"The system's own calls, whatever stands in their place later."
SECTOR = 512


@dataclass(frozen=True, slots=True)
class Named:
    """A name that was made, moved or removed, and is not sure yet."""

    what: str
    "`made`, `folder`, `moved`, `gone` or `gone_folder`."
    path: Path
    inode: int | None = None
    "What had the name before."
    source: Path | None = None
    "Of a move, where it came from."

    @property
    def folders(self) -> set[Path]:
        """The folders that hold these names."""
        return {self.path.parent} | ({self.source.parent} if self.source else set())


@dataclass
class Unsynced:
    """What below a folder no fsync has made sure; it outlives the process that wrote, as the system's memory does."""

    stash: Path
    "Where a second name of everything that may come back is kept, beside the archive and on the same disk."
    contents: dict[int, bytes] = field(default_factory=dict)
    "What was fsynced last of each file that has changed since, by its inode."
    names: list[Named] = field(default_factory=list)

    def changing(self, fd: int, path: Path) -> None:
        """Note that the content of an open file is about to change."""
        inode = os.fstat(fd).st_ino
        if inode not in self.contents:
            self.keep(path)
            self.contents[inode] = path.read_bytes() if path.exists() else b""

    def fresh(self, fd: int, path: Path) -> None:
        """Note that a file was made: neither its name nor its content are sure."""
        self.contents[self.keep(path) or os.fstat(fd).st_ino] = b""
        self.names.append(Named("made", path))

    def synced(self, fd: int) -> None:
        """Note that the content of a file is sure."""
        self.contents.pop(os.fstat(fd).st_ino, None)

    def folder_synced(self, path: Path) -> None:
        """Note that the names in a folder are sure."""
        self.names = [named for named in self.names if path not in named.folders]

    def keep(self, path: Path) -> int | None:
        """Give what has a name a second one, so that it can come back; return its inode, None where nothing is."""
        try:
            inode = path.lstat().st_ino
        except FileNotFoundError:
            return None
        self.stash.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            REAL.link(path, self.stash / str(inode))
        return inode

    def cut(self, chance: random.Random) -> None:
        """Let the power go: what was not sure becomes what a disk may have kept of it."""
        for inode, before in self.contents.items():
            file = self.stash / str(inode)
            if file.exists():
                file.write_bytes(_left(before, file.read_bytes(), chance))
        for named in self._undone(chance):
            with suppress(FileNotFoundError):
                self._undo(named)
        self.contents, self.names = {}, []

    def _undone(self, chance: random.Random) -> Iterator[Named]:
        """Yield the names that were not kept, the newest first; in a folder, what follows one of them is gone too."""
        luck = chance.choice((0.0, 0.5, 0.9, 1.0))
        kept: set[Path] = set()
        for named in reversed(self.names):
            if named.folders & kept or chance.random() >= luck:
                kept |= named.folders
            else:
                yield named

    def _undo(self, named: Named) -> None:
        if named.what == "made":
            REAL.unlink(named.path)
        elif named.what == "folder":
            shutil.rmtree(named.path)
        elif named.what == "gone_folder":
            REAL.mkdir(named.path, 0o700)
        elif named.source is not None:
            REAL.replace(named.path, named.source)
        if named.inode is not None:
            with suppress(FileExistsError):
                REAL.link(self.stash / str(named.inode), named.path)

    def save(self, path: Path) -> None:
        """Keep it for the process that comes next, as the system's memory does when a process dies."""
        path.write_bytes(pickle.dumps(self))

    @staticmethod
    def load(path: Path, stash: Path) -> Unsynced:
        """Return what the process before left."""
        if not path.exists():
            return Unsynced(stash)
        found = pickle.loads(path.read_bytes())  # noqa: S301 - written by ourselves, a moment ago
        assert isinstance(found, Unsynced)
        return found


def _left(before: bytes, after: bytes, chance: random.Random) -> bytes:
    """Return what a disk may hold of a file that was `before` when it was fsynced, and `after` in memory."""
    same = min(len(before), len(after))
    how = chance.choice(("kept", "lost", "short", "holes"))
    if how == "kept":
        return after
    if how == "lost":
        return before
    if how == "short":
        return after[: chance.randint(same, len(after))]
    torn = bytearray(after)
    for start in range(0, len(torn), SECTOR):
        if chance.random() < 0.5:
            old = before[start : start + SECTOR]
            end = min(start + SECTOR, len(torn))
            torn[start:end] = old.ljust(end - start, b"\0")[: end - start]
    return bytes(torn)
