"""Journals that were kept aside because bytes in them rotted, and what of them stays when threads are erased.

Only that of which it is certain that it is of other threads: a page that its mark proves, and of what nothing proves
any more a line that is whole and names a thread that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.archive._cipher import ENC
from exporter.archive._journal import header, writer_of
from exporter.archive._lines import MARK, is_whole, load
from exporter.files import make_folder, sync_folder, translated, writing
from exporter.model import ThreadRef

if TYPE_CHECKING:
    from exporter.archive._cipher import Cipher

Gone = Callable[[ThreadRef], bool]
"Tells whether a thread is one of those that are erased."
Knows = Callable[[Sequence[ThreadRef]], Collection[ThreadRef]]
"Returns those of some threads that the archive knows."


class Salvaged:
    """The journals that an archive keeps aside."""

    def __init__(self, path: Path, cipher: Cipher | None, knows: Knows) -> None:
        self.folder = path / ".exporter" / "salvaged"
        self._cipher, self._knows = cipher, knows

    def holding(self, gone: Gone) -> list[str]:
        """Return the names of those that have anything of erased threads, or of which nobody can tell whose it is."""
        return [file.name for file in sorted(self.folder.glob("*")) if not self._others(file, gone)[1]]

    def stage(self, name: str, gone: Gone, folder: Path) -> None:
        """Write what others have of a journal into a folder; an empty file where that is nothing."""
        lines, _ = self._others(self.folder / name, gone)
        data = b"".join(lines) if any(_thread(line) for line in lines) else b""
        if data and self._cipher and name.endswith(ENC):
            head, frames = self._cipher.begin(writer_of(self.folder / name))
            data = head + frames.seal(data, len(head))
        with writing(make_folder(folder) / name) as file:
            file.write(data)

    def settle(self, name: str, folder: Path) -> None:
        """Put what was staged in the journal's place; may be begun again after any step."""
        kept, staged = self.folder / name, folder / name
        with translated(kept):
            if not staged.exists():  # done before, perhaps by a process that died before it was sure
                pass
            elif staged.stat().st_size:
                staged.replace(kept)
            else:
                kept.unlink(missing_ok=True)
                staged.unlink()
            sync_folder(self.folder)

    def _others(self, file: Path, gone: Gone) -> tuple[list[bytes], bool]:
        """Return the lines of others, and whether that is all there is."""
        with translated(file):
            data = file.read_bytes()
        pieces = [data]
        if self._cipher and file.name.endswith(ENC):
            pieces = list(self._cipher.pieces(BytesIO(data), writer_of(file), str(file)))
        lines = b"".join(pieces).splitlines(keepends=True)
        kept = list(self._kept(lines, gone))
        return kept, all(pieces) and len(kept) == len(lines)

    def _kept(self, lines: list[bytes], gone: Gone) -> Iterator[bytes]:
        threads = {line: thread for line in lines if (thread := _thread(line)) is not None}
        known = set(self._knows(list(set(threads.values()))))
        page: list[bytes] = []
        for line in lines:
            page.append(line)
            if line.startswith(MARK):
                yield from _page(page, threads, gone, known)
                page = []
        yield from _page(page, threads, gone, known)


def _page(page: list[bytes], threads: dict[bytes, ThreadRef], gone: Gone, known: set[ThreadRef]) -> Iterator[bytes]:
    if page and header(BytesIO(page[0])):
        yield page.pop(0)
    proven = _is_whole(page) and len({threads.get(line) for line in page}) == 1
    for line in page:
        thread = threads.get(line)
        if thread is not None and not gone(thread) and (proven or thread in known):
            yield line


def _is_whole(page: list[bytes]) -> bool:
    """Whether the mark at the end proves the records before it."""
    try:
        return len(page) > 1 and is_whole(page[:-1], page[-1])
    except (ValueError, KeyError, TypeError):
        return False


def _thread(line: bytes) -> ThreadRef | None:
    """Return the thread that a line names; None where it is not one whole line."""
    try:
        fields = load(line)
        return ThreadRef(str(fields["source"]), str(fields["endpoint"]), str(fields["thread"]))
    except (ValueError, KeyError, TypeError):
        return None
