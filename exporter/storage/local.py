"""A folder on a disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from exporter.files import make_folder, settle_folder, sync_folder, translated


class LocalStorage:
    """See `Storage`; `link` creates exclusively, `rename` replaces."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sure: set[Path] = set()
        "Folders whose names outlive a power failure."

    def create(self, name: str, source: Path) -> None:
        """See `Storage.create`."""
        target = self._target(name)
        with translated(target):
            os.link(source, target)
            sync_folder(target.parent)
            source.unlink()

    def replace(self, name: str, source: Path) -> None:
        """See `Storage.replace`."""
        target = self._target(name)
        with translated(target):
            source.replace(target)
            sync_folder(target.parent)

    def open(self, name: str) -> BinaryIO:
        """See `Storage.open`."""
        return (self.path / name).open("rb")

    def names(self, folder: str) -> Iterator[str]:
        """See `Storage.names`."""
        with translated(self.path / folder):
            try:
                with os.scandir(self.path / folder) as entries:
                    found = sorted(entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in entries)
            except FileNotFoundError:
                return
        for name in found:
            if name.endswith("/"):
                yield from self.names(f"{folder}/{name[:-1]}")
            else:
                yield f"{folder}/{name}"

    def remove(self, name: str) -> None:
        """See `Storage.remove`."""
        path = self.path / name
        with translated(path):
            with suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
            with suppress(FileNotFoundError, NotADirectoryError):
                sync_folder(path.parent)

    def settle(self, folder: str) -> None:
        """See `Storage.settle`."""
        path = self.path / folder
        if path.is_dir():
            self._settle(path)
            with translated(path):
                sync_folder(path)

    def tmp(self) -> Path:
        """See `Storage.tmp`."""
        return make_folder(self.path / ".exporter" / "tmp")

    def _target(self, name: str) -> Path:
        target = self.path / name
        self._settle(target.parent)
        return target

    def _settle(self, folder: Path) -> None:
        """Make a folder, and once make sure of it: a process that made it may have died before that."""
        if folder not in self._sure or not folder.is_dir():
            settle_folder(folder, self.path)
            self._sure.add(folder)
