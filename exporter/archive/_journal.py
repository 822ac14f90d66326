"""The journal: the open file that pages are appended to.

A page is archived when `append` returns. What follows the last whole page was never promised, and is cut on opening.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from exporter.archive._lines import MARK, header_line, is_whole, load, page_lines
from exporter.errors import Damaged
from exporter.files import make_folder, open_private, replacing, sync_folder, translated
from exporter.model import Page, now


class Journal:
    """An open journal; made on the first page, so that a run without news leaves no file."""

    def __init__(self, folder: Path, archive: str) -> None:
        self._folder = folder
        self._archive = archive
        self._fd: int | None = None
        self._torn = False
        self._head = 0
        self.size = 0
        self.pages = 0
        self.writer = ""

    @property
    def path(self) -> Path:
        """The file, once there is one."""
        return self._folder / f"{self.writer}.jsonl"

    @property
    def has_pages(self) -> bool:
        """Whether anything was archived in it."""
        return self.size > self._head

    def append(self, pages: Iterable[Page], run: str) -> None:
        """Add pages, durably: when this returns, a crash cannot lose them."""
        lines = [page_lines(page, run) for page in pages]
        self.write(b"".join(lines))
        self.pages += len(lines)

    def write(self, pages: bytes) -> None:
        """Add pages that are lines already, with one write and one fsync."""
        if not pages:
            return
        with translated(self._folder):
            self._mend()
            if self._fd is None:
                self._fd = self._start()
            try:
                _write_all(self._fd, pages)
                os.fsync(self._fd)
                self.size += len(pages)
            except BaseException:  # a signal's exception tears a page as a full disk does
                self._torn = True
                with suppress(OSError):
                    self._mend()
                raise

    def close(self) -> None:
        """Close the file; it stays."""
        if self._fd is not None:
            try:
                self._mend()
            finally:
                os.close(self._fd)
                self._fd = None

    def _mend(self) -> None:
        """Cut what a failed write left: it is no whole page, and what follows it would not be read."""
        if self._torn and self._fd is not None:
            os.ftruncate(self._fd, self.size)
            os.fsync(self._fd)
            self._torn = False

    def _start(self) -> int:
        started_at = now()
        self.writer = f"{started_at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        make_folder(self._folder)
        fd = open_private(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        try:
            header = header_line(self._archive, self.writer, started_at)
            _write_all(fd, header)
            sync_folder(self._folder)
        except BaseException:
            os.close(fd)
            self.path.unlink(missing_ok=True)
            raise
        self.size = self._head = len(header)
        return fd


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def header(file: BinaryIO) -> dict[str, object]:
    """Read the header line; an empty dict where it is torn."""
    line = file.readline()
    try:
        fields = load(line) if line.endswith(b"\n") else {}
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) and fields.get("kind") == "journal" else {}


def whole_pages(file: BinaryIO) -> Iterator[list[bytes]]:
    """Read the lines of each whole page, its mark last; stop before the first that is torn.

    The file stands after its header.
    """
    for lines in pages_until_torn(file):
        try:
            whole = is_whole(lines[:-1], lines[-1])
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            return
        yield lines


def pages_until_torn(file: BinaryIO) -> Iterator[list[bytes]]:
    """Read the lines of each page, its mark last, without looking whether they are whole."""
    lines: list[bytes] = []
    for line in file:
        if not line.endswith(b"\n"):
            return
        lines.append(line)
        if line.startswith(MARK):
            yield lines
            lines = []


def salvage(path: Path, aside: Path) -> int:
    """Cut what follows the last whole page of a journal that was left behind, and return how many pages stay.

    A crash tears only the last append. Where more than a torn tail goes (a bit rotted in the middle),
    the whole file is kept in `aside` first, and the cursors step back, so the server is asked again.
    """
    pages = 0
    with translated(path), path.open("r+b") as file:
        fields = header(file)
        end = file.tell() if fields else 0
        if fields and fields.get("writer") != path.stem:
            raise Damaged(f"{path}: its header names another journal; move it away and run again")
        for lines in whole_pages(file) if fields else ():
            end += sum(map(len, lines))
            pages += 1
        file.seek(end)
        if any(line.startswith(MARK) and line.endswith(b"\n") for line in file):
            file.seek(0)
            with replacing(make_folder(aside) / path.name) as copy:
                shutil.copyfileobj(file, copy)
        file.truncate(end)
        os.fsync(file.fileno())
    return pages
