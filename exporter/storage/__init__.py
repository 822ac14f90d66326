"""The storage room: where sealed segments, manifests and tables are kept.

A member is one file with a class `<Name>Storage` that offers the seven verbs below.
Names are relative, with `/`; they come from us, never from a server.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast


class Storage(Protocol):
    """Files that are created once or replaced whole."""

    def create(self, name: str, source: Path) -> None:
        """Keep the file `source` as `name`, durably; FileExistsError if the name is taken.

        `source` must lie in the folder that `tmp()` names, and is gone afterwards.
        """

    def replace(self, name: str, source: Path) -> None:
        """Keep the file `source` as `name`, durably, in place of what was there: readers see the old or the new."""

    def open(self, name: str) -> BinaryIO:
        """Open a kept file for reading; FileNotFoundError if there is none."""

    def names(self, folder: str) -> Iterator[str]:
        """Name all files below a folder, in order; none if there is no such folder, an error if it cannot be read."""

    def remove(self, name: str) -> None:
        """Remove a kept file, durably; where there is none, it is made sure that none comes back."""

    def settle(self, folder: str) -> None:
        """Make durable what is there and in no folder below it: who kept or removed it may have died before."""

    def tmp(self) -> Path:
        """Return a local folder for files on their way here."""


def names() -> list[str]:
    """Name the members of this room."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def load(name: str, path: Path) -> Storage:
    """Open a storage by its name."""
    module = importlib.import_module(f"{__name__}.{name}")
    return cast("Storage", getattr(module, f"{name.capitalize()}Storage")(path))
