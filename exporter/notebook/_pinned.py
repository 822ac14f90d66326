"""The files of a table as they are now, held open: whatever is replaced or removed meanwhile, they stay what they are.

The idea: DuckDB opens a file more than once while it answers, and a backup beside may replace it in between. An open
file is not replaced: by its number, `/dev/fd/7`, it is the same one each time.
"""

from __future__ import annotations

import errno
import os
import resource
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.errors import ArchiveError

TRIES = 20
"Looks at a folder in which files are replaced again and again."
MOST = 8192
"Files that are held open, where the system allows it."

State = tuple[tuple[str, int, int], ...]
"Names of files, what they are, and when they were written."


class Pinned:
    """Open files of one table. They are closed when nobody needs this any more."""

    def __init__(self, folder: Path, state: State) -> None:
        self._open: list[int] = []
        self.close = weakref.finalize(self, _close, self._open)
        self.names: dict[str, str] = {}
        "By the path that a reader gets, the file's name."
        for name, *_ in state:
            number = _opened(folder / name)
            self._open.append(number)
            self.names[f"/dev/fd/{number}"] = f"{folder.name}/{name}"

    @property
    def paths(self) -> list[str]:
        """What a reader opens instead of the files."""
        return list(self.names)


class Files:
    """The table files of an archive."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: weakref.WeakValueDictionary[tuple[str, State], Pinned] = weakref.WeakValueDictionary()

    def pinned(self, table: str) -> Pinned:
        """Return a table's files, open: all as they were at one moment, where there is such a moment."""
        folder = self._path / table
        with _ours(folder):
            for attempt in range(1, TRIES + 1):
                state = _state(folder)
                found = self._known.get((table, state))
                try:
                    found = found or Pinned(folder, state)
                except FileNotFoundError:  # it was removed after it was listed
                    continue
                if state == _state(folder) or attempt == TRIES:
                    self._known[table, state] = found
                    return found
        raise ArchiveError(f"{folder}: its files vanish as fast as they are listed; look what removes them")


def _state(folder: Path) -> State:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".parquet"):
                    about = entry.stat()
                    found.append((entry.name, about.st_ino, about.st_mtime_ns))
    except FileNotFoundError:  # no backup has come to its end yet, or the file has just gone
        return _state(folder) if folder.exists() else ()
    return tuple(sorted(found))


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (MOST if hard == resource.RLIM_INFINITY else min(hard, MOST), hard))
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _close(numbers: list[int]) -> None:
    for number in numbers:
        os.close(number)


@contextmanager
def _ours(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArchiveError(
            f"{folder}: {error.strerror}; check its permissions, and how many files may be open"
        ) from error
