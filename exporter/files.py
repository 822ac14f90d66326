"""Writing files so that a crash leaves the old or the new one whole, never half of either.

Write beside, fsync, rename, fsync the folder: in that order, always through here.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from exporter.errors import ArchiveError, DiskFull

FOLDER_MODE = 0o700
FILE_MODE = 0o600
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write into one of our errors, naming the path."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in NO_SPACE:
            raise DiskFull(
                f"{path}: the disk is full; what was reported archived is safe. Free space and run again"
            ) from error
        raise ArchiveError(f"{path}: {error.strerror or error}; check the disk and the folder's permissions") from error


def make_folder(path: Path) -> Path:
    """Make a folder and its parents, durably, readable by their owner only."""
    if path.is_dir():
        return path
    if path != path.parent:
        make_folder(path.parent)
    with translated(path):
        try:
            path.mkdir(mode=FOLDER_MODE)
        except FileExistsError:
            if not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "a file has this name") from None
        _sync_parent(path)
    return path


def settle_folder(path: Path, top: Path) -> Path:
    """Make a folder, and make sure of its name and of those above it, from `top`, though others made them.

    Who made them may have died before that was sure; then it is there now, and gone when the power fails.
    """
    if path != top:
        settle_folder(path.parent, top)
    if path.is_dir():
        with translated(path):
            _sync_parent(path)
        return path
    return make_folder(path)


def _sync_parent(path: Path) -> None:
    with suppress(PermissionError):  # a parent that is not ours may refuse to be opened
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # what network file systems answer that have no such thing
            raise
    finally:
        os.close(fd)


def open_private(path: Path, flags: int) -> int:
    """Open a file that only its owner may read."""
    return os.open(path, flags | os.O_CLOEXEC, FILE_MODE)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Open a private file for writing; it is flushed to the disk when the block ends well."""
    with translated(path):
        fd = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file that takes the place of `path` when the block ends well, and leaves no trace else."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with writing(beside) as file:
            yield file
        with translated(path):
            beside.replace(path)
            sync_folder(path.parent)
    finally:
        with suppress(OSError):  # it would hide what went wrong before
            beside.unlink(missing_ok=True)


def sha256_of(file: BinaryIO) -> str:
    """Hash an open file, which is closed."""
    digest = hashlib.sha256()
    with file:
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()
