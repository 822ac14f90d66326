"""The journal: the open file that pages are appended to.

A page is archived when `append` returns. What follows the last whole page was never promised, and is cut on opening.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from exporter.archive._lines import MARK, header_line, is_whole, load, page_lines
from exporter.errors import Damaged, NoKey
from exporter.files import make_folder, open_private, replacing, settle_folder, sync_folder, translated
from exporter.groups import grouped
from exporter.model import Page, now

if TYPE_CHECKING:
    from exporter.archive._cipher import Cipher, Frames, Opened


GROUP = 1 << 20
"Bytes of pages that are written at once: joined, all that waited would be in memory twice more."


class Journal:
    """An open journal; made on the first page, so that a run without news leaves no file."""

    def __init__(self, folder: Path, archive: str, cipher: Cipher | None = None) -> None:
        self._folder = folder
        self._archive = archive
        self._cipher = cipher
        self._frames: Frames | None = None
        self._fd: int | None = None
        self._torn = False
        self._head = 0
        self.size = 0
        self.pages = 0
        self.writer = ""

    @property
    def path(self) -> Path:
        """The file, once there is one."""
        return self._folder / f"{self.writer}.jsonl{'.enc' if self._cipher else ''}"

    @property
    def has_pages(self) -> bool:
        """Whether anything was archived in it."""
        return self.size > self._head

    def append(self, pages: Iterable[Page], run: str) -> None:
        """Add pages, durably: when this returns, a crash cannot lose them; where it raises, none of them is there."""
        with translated(self._folder):
            self._mend()
            try:
                count, end = self._put(pages, run)
                if self._fd is not None and count:
                    os.fsync(self._fd)
                    self.size, self.pages = end, self.pages + count
            except BaseException:  # a signal's exception tears a page as a full disk does
                self._torn = True
                with suppress(OSError):
                    self._mend()
                raise

    def _put(self, pages: Iterable[Page], run: str) -> tuple[int, int]:
        """Write pages, which may still be lost; return how many there are, and where they end."""
        count, end = 0, self.size
        for group in grouped((page_lines(page, run) for page in pages), len, GROUP):
            if self._fd is None:
                self._fd = self._start()
                end = self.size
            lines = b"".join(group)
            if self._frames is not None:
                lines = self._frames.seal(lines, end)
            _write_all(self._fd, lines)
            count, end = count + len(group), end + len(lines)
        return count, end

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
        settle_folder(self._folder, self._folder.parent)
        fd = open_private(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        try:
            header = header_line(self._archive, self.writer, started_at)
            if self._cipher:
                begin, self._frames = self._cipher.begin(self.writer)
                header = begin + self._frames.seal(header, len(begin))
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


def left_in(folder: Path) -> list[Path]:
    """Name the journals of a folder, in the order in which they were begun."""
    return sorted((*folder.glob("*.jsonl"), *folder.glob("*.jsonl.enc")))


def writer_of(path: Path) -> str:
    """Return the writer that a journal's file is named by."""
    return path.name.split(".", 1)[0]


def reading(path: Path, cipher: Cipher | None) -> BinaryIO:
    """Open a journal as the lines that it holds; `NoKey` where it is sealed and there is no key."""
    if not path.name.endswith(".enc"):
        return path.open("rb")
    if cipher is None:
        raise NoKey(f"{path}: it is sealed, and this archive has no keys; restore its keys.json from a copy")
    file = path.open("rb")
    try:
        return io.BufferedReader(cipher.journal(file, writer_of(path), str(path)))
    except BaseException:
        file.close()
        raise


def length(file: BinaryIO, path: Path) -> int:
    """Return how many bytes of lines a journal that was read to its end has; -1 where it is torn."""
    if not path.name.endswith(".enc"):
        return path.stat().st_size
    raw = cast("Opened", cast("io.BufferedReader", file).raw)
    return raw.length if raw.end == path.stat().st_size else -1


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
        lines.append(line)
        if line.startswith(MARK):
            if not line.endswith(b"\n"):  # any other that is torn is the last, and no mark follows it
                return
            yield lines
            lines = []


def salvage(path: Path, aside: Path, cipher: Cipher | None = None) -> int:
    """Cut what follows the last whole page of a journal that was left behind, and return how many pages stay.

    A crash tears only the last append. Where more than a torn tail goes (a bit rotted in the middle),
    the whole file is kept in `aside` first, and the cursors step back, so the server is asked again.
    """
    with translated(path):
        pages, end, rotten = _opened(path, cipher) if path.name.endswith(".enc") else _whole(path)
        with path.open("r+b") as file:
            if rotten:
                with replacing(make_folder(aside) / path.name) as copy:
                    shutil.copyfileobj(file, copy)
            file.truncate(end)
            os.fsync(file.fileno())
    return pages


def _whole(path: Path) -> tuple[int, int, bool]:
    """Count a journal's whole pages; say where they end, and whether more than a torn append follows."""
    pages = 0
    with path.open("rb") as file:
        fields = _own_header(file, path)
        end = file.tell() if fields else 0
        for lines in whole_pages(file) if fields else ():
            end += sum(map(len, lines))
            pages += 1
        file.seek(end)
        return pages, end, any(line.startswith(MARK) and line.endswith(b"\n") for line in file)


def _opened(path: Path, cipher: Cipher | None) -> tuple[int, int, bool]:
    """As `_whole`, of a sealed journal, whose frames hold whole pages."""
    with reading(path, cipher) as lines:
        raw = cast("Opened", cast("io.BufferedReader", lines).raw)
        fields = _own_header(lines, path)
        pages = sum(1 for _ in whole_pages(lines)) if fields else 0
        return pages, raw.end if fields else 0, raw.rotten


def _own_header(file: BinaryIO, path: Path) -> dict[str, object]:
    fields = header(file)
    if fields and fields.get("writer") != writer_of(path):
        raise Damaged(f"{path}: its header names another journal; move it away and run again")
    return fields
