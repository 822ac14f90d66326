"""The truth as a check reads it: manifests and their chain, segments, and the journals that are not sealed yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from exporter.archive import TABLES
from exporter.archive import _verify as verify
from exporter.archive._cipher import Cipher
from exporter.archive._journal import header, left_in, reading, whole_pages
from exporter.archive._lines import read_mark
from exporter.archive._manifests import Later
from exporter.archive._verify import See, Walk
from exporter.check._catalog import CATALOG, CatalogView
from exporter.model import Finding, Mark, ThreadRef
from exporter.storage import Storage

FINISH = "run `exporter erase --finish`; if it stays, remove it"
WAIT = "nothing to do: the next backup goes on from here"


class Log:
    """Manifests and segments: what is wrong with them, and how many messages they hold."""

    def __init__(self, storage: Storage, archive: str, catalog: CatalogView, see: See) -> None:
        self._storage, self._archive, self._catalog, self._see = storage, archive, catalog, see
        self._named: set[str] = set()
        "Every file that the log knows of."
        self._without: set[int] = set()
        "Manifests that name no segment: no file of their number was ever committed."
        self._walk = Walk()
        self.damaged: list[Finding] = []
        "What is wrong with it."
        self.records = 0
        "Of messages, in what is published."
        self.walked: set[ThreadRef] = set()
        "Threads of which some page may hold what an earlier one has."

    def findings(self) -> Iterator[Finding]:
        """Read all of it."""
        newest = 0
        for found in self._findings():
            if isinstance(found, Finding):
                self.damaged.append(found)
                yield found
            else:
                newest = found
        for found in self._strays():
            self.damaged += [found] if found.severity == "damage" else []
            yield found
        indexed = self._catalog.archive.manifest() if self._catalog.archive else newest
        if newest > indexed:
            what = f"it is behind: {indexed} of {newest} commits are indexed"
            yield Finding("catalog_behind", CATALOG, what, WAIT, "note")

    def _findings(self) -> Iterator[Finding | int]:
        for found in verify.manifests(self._storage, self._archive, self._catalog.indexed):
            if isinstance(found, Finding):
                self._named.add(found.where)
                yield found
                continue
            self._named |= {found.name, *(segment.name for segment in found.segments)}
            self._without |= set() if found.segments else {found.number}
            yield from verify.dropped(self._catalog.committed.get(found.number), found, self._storage)
            see = self._count if found.number <= self._catalog.published else self._see
            for segment in found.segments:
                yield from verify.segment(segment, self._storage, self._archive, see, self._walk)
            yield found.number

    def _strays(self) -> Iterator[Finding]:
        """Files that nothing names; a segment beyond the log is one whose commit is under way, or was cut short."""
        later = Later.read(self._storage)
        for folder in ("manifests", "segments"):
            for name in self._storage.names(folder):
                if later.named(name) is not None:
                    what = "what stands in it was erased: it is being removed, or a copy of the archive brought it back"
                    yield Finding("erasure_open", name, what, FINISH, "note")
                elif name not in self._named:
                    yield from self._dropped(name)
                    yield Finding("stray_file", name, "no commit names it", self._advice(name), "note")
        for table in TABLES:
            for name in self._storage.names(table):
                if not name.endswith(".parquet") or name.count("/") > 1:
                    help_ = "move it away: programs may read it as one"
                    yield Finding("stray_file", name, "it is no table file", help_, "note")

    def _dropped(self, name: str) -> Iterator[Finding]:
        """Find the manifest that was written again without its segment, where no catalog tells it."""
        for number in self._without & verify.committed([name]).keys():
            found = verify.unnamed(number, name)
            if found not in self.damaged:
                yield found

    def _advice(self, name: str) -> str:
        """Say what to do with a stray; a segment whose manifest is lost is all that is left of what it holds."""
        number = name.rsplit("/", 1)[-1].split("-", 1)[0]
        if name.startswith("segments/") and f"manifests/{number}.json" in self._named:
            return "keep it: a manifest that is missing or damaged may have named it"
        return f"{WAIT}; if it stays, move it away"

    def _count(self, mark: Mark, lines: list[bytes]) -> None:
        self._see(mark, lines)
        if mark.kind == "message":
            self.records += mark.count
            if not mark.fresh:
                self.walked.add(mark.thread)


def left_behind(path: Path, see: See, cipher: Cipher | None = None) -> Iterator[Finding]:
    """Read what is archived and not sealed yet."""
    for journal in left_in(path / "journal"):
        try:
            with reading(journal, cipher) as file:
                pages = 0
                for lines in whole_pages(file) if header(file) else ():
                    pages += 1
                    see(read_mark(lines[-1]), lines)
        except FileNotFoundError:  # sealed just now
            continue
        if pages:
            what = f"{pages} archived pages are not sealed yet"
            yield Finding("journal_open", f"journal/{journal.name}", what, WAIT, "note")
    for kept in sorted((path / ".exporter" / "salvaged").glob("*")):
        what = "a journal whose bytes had changed was kept aside; what it lacked was asked for again"
        help_ = "remove it once its threads are complete"
        yield Finding("salvaged", kept.relative_to(path).as_posix(), what, help_, "note")
