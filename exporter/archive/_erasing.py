"""Take threads out of an archive: out of its segments, and out of everything that is not made of them.

The idea: a segment is written again under a new name without their pages, and a manifest says which segment takes the
place of which. Until that manifest is there nothing is erased; from then on all of it is, as everybody who reads
follows it, and what is left to remove is removed by whoever opens the archive for writing next.

    staged   `.exporter/erasing/` holds what the decision needs and nothing of what is erased; `plan.json` comes last
    linked   the new segments have their names
    decided  the manifest is there
    done     old segments, contents, and the copies of words elsewhere are removed; the receipt is there
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from exporter.archive import _manifests, _segments
from exporter.archive._blobs import FOLDER, blob_name, is_content
from exporter.archive._commits import Commits, frames
from exporter.archive._encrypted import cipher_of, kept, on_disk
from exporter.archive._lines import dump, dump_ascii, load, read_mark, read_record
from exporter.archive._manifests import Amended, Erasure, Manifest, Replaced
from exporter.archive._receipts import Receipts
from exporter.archive._salvaged import Knows, Salvaged
from exporter.archive._tombstones import UNFINISHED, HashedQuotes, Quotes, hashed, tombstone
from exporter.archive.catalog import Catalog
from exporter.errors import ArchiveError, Damaged, Locked
from exporter.files import FILE_MODE, make_folder, replacing, sha256_of, translated, writing
from exporter.model import Mark, Segment, ThreadRef
from exporter.storage import Storage

PATIENCE = 600.0
"Seconds to wait for a program that is writing the index of words."
PLAN = "plan.json"


@dataclass
class Found:
    """What an archive holds of some threads."""

    threads: dict[ThreadRef, int]
    "Of each thread, the records of messages."
    records: int = 0
    pages: int = 0
    blobs: dict[str, int] = field(default_factory=dict)
    "Contents that no other thread refers to, by name: their bytes."
    unnamed: list[str] = field(default_factory=list)
    "Contents that no record names at all, as a crash leaves them: nobody can tell whose they are."
    segments: list[Segment] = field(default_factory=list)
    "Those that hold any page of them."
    reports: list[int] = field(default_factory=list)
    "Manifests whose reports quote them."
    salvaged: list[str] = field(default_factory=list)
    "Journals that were kept aside and have lines of theirs, or lines of which nobody can tell whose they are."


class Whose:
    """Tells the pages of some threads from those of all others, by their marks."""

    def __init__(self, threads: Collection[ThreadRef]) -> None:
        self._beginnings: dict[bytes, ThreadRef] = {}
        for one in threads:
            named = {"kind": "page", "source": one.source, "endpoint": one.endpoint, "thread": one.id}
            # A line is ASCII as a whole where anything in it, such as its cursor, needs escapes.
            self._beginnings.update((text[:-1], one) for text in (dump(named), dump_ascii(named)))

    def of(self, mark: bytes) -> ThreadRef | None:
        """Return whose page a mark ends; None where it is of another thread."""
        return self._beginnings.get(mark[: mark.find(b',"list":')])


def look(storage: Storage, path: Path, threads: Collection[ThreadRef], knows: Knows) -> Found:
    """Read all segments, and say what they hold of these threads; `Damaged` where one cannot be read.

    What nobody can tell whose it is counts as theirs, but for what is of threads that the archive `knows`.
    """
    found, whose = Found(dict.fromkeys(threads, 0)), Whose(threads)
    mine: set[str] = set()
    others: set[str] = set()
    named: set[str] = set()
    quotes = Quotes(one.id for one in threads)
    for manifest in _manifests.log(storage):
        if manifest.report and quotes.scrubbed(manifest.report) != manifest.report:
            found.reports.append(manifest.number)
        for segment in manifest.segments:
            named.add(segment.name)
            before = found.pages
            for lines in _pages(segment.name, storage):
                thread = whose.of(lines[-1])
                if thread is not None:
                    _count(found, thread, read_mark(lines[-1]))
                if b'"of":"file"' in lines[-1]:
                    (others if thread is None else mine).update(_contents(lines))
            if found.pages > before:
                found.segments.append(segment)
    for sha256 in sorted(mine - others):
        with suppress(FileNotFoundError), storage.open(blob_name(sha256)) as file:
            found.blobs[blob_name(sha256)] = file.seek(0, os.SEEK_END)
    found.unnamed = _unnamed(storage, mine | others)
    _refuse_strays(storage, named, whose)
    found.salvaged = Salvaged(path, cipher_of(storage), knows).holding(set(threads).__contains__)
    return found


def _unnamed(storage: Storage, named: Collection[str]) -> list[str]:
    """Return the names on the disk of the contents that no record names."""
    stay = {on_disk(storage, blob_name(sha256)) for sha256 in named}
    there = kept(storage).names(FOLDER)
    return sorted(name for name in there if is_content(name) and name not in stay)


def _pages(name: str, storage: Storage) -> Iterator[list[bytes]]:
    for frame in frames(name, storage):
        yield from frame.pages


def _count(found: Found, thread: ThreadRef, mark: Mark) -> None:
    found.pages += 1
    found.records += mark.count
    found.threads[thread] += mark.count if mark.kind == "message" else 0


def _contents(lines: list[bytes]) -> Iterator[str]:
    """Yield the hashes of the contents that a page of files names."""
    for line in lines[:-1]:
        if (sha256 := load(read_record(line).body).get("sha256")) is not None:
            yield str(sha256)


def _named_contents(storage: Storage) -> set[str]:
    """Read all segments for the hashes of the contents that any record names."""
    pages = (lines for log in _manifests.log(storage) for one in log.segments for lines in _pages(one.name, storage))
    return {sha256 for lines in pages if b'"of":"file"' in lines[-1] for sha256 in _contents(lines)}


def _refuse_strays(storage: Storage, named: set[str], whose: Whose) -> None:
    """Stop at a segment that no commit names if it holds what is to be erased: nothing says what may become of it."""
    for name in storage.names("segments"):
        try:
            if name in named or not any(whose.of(lines[-1]) for lines in _pages(name, storage)):
                continue
            what = "it holds what is to be erased"
        except Damaged as error:
            what = f"whether it holds what is to be erased cannot be read ({error})"
        raise ArchiveError(f"{name}: no commit names it, and {what}; remove it, or move it away, and erase again")


class Eraser:
    """What erases, of an archive that is open for writing."""

    def __init__(self, path: Path, archive: str, storage: Storage, catalog: Catalog, commits: Commits) -> None:
        self._path, self._archive, self._storage = path, archive, storage
        self._catalog, self._commits = catalog, commits
        self._folder = path / ".exporter" / "erasing"
        self._receipts = Receipts(path, storage)
        self._salvaged = Salvaged(path, cipher_of(storage), catalog.find_all)

    def erase(self, threads: Collection[ThreadRef], about: dict[str, Any], run: str) -> Manifest:
        """Erase these threads; when this returns, only the tables still have their rows.

        Nothing is in the journal. Raises `Damaged` where something cannot be read: then nothing is erased.
        """
        found = look(self._storage, self._path, threads, self._catalog.find_all)
        made = [self._rewritten(one, Whose(threads)) for one in found.segments]
        quotes = Quotes(one.id for one in threads)
        self._begin()
        erasure = Erasure(
            threads=tuple(sorted(tombstone(self._archive, one) for one in threads)),
            ids=tuple(sorted({hashed(self._archive, "thread", one.id) for one in threads})),
            replaced=tuple(one for one, _ in made),
            amended=tuple(self._amended(number, quotes) for number in found.reports),
            about=about | _counts(found),
        )
        for name in found.salvaged:
            self._salvaged.stage(name, set(threads).__contains__, self._folder / "salvaged")
        plan = {
            "number": self._commits.next,
            "run": run,
            "segments": [one.new.name for one, _ in made],
            "blobs": [*(on_disk(self._storage, name) for name in found.blobs), *found.unnamed],
            "salvaged": found.salvaged,
        }
        with replacing(self._folder / PLAN) as file:
            file.write(dump(plan))
        for one, source in made:
            self._storage.create(one.new.name, source)
        manifest = self._commits.commit((), erased=erasure)
        self._finish(manifest, plan)
        return manifest

    def _rewritten(self, one: Segment, whose: Whose) -> tuple[Replaced, Path]:
        if sha256_of(kept(self._storage).open(one.name)) != one.sha256:
            raise Damaged(f"{one.name}: it is not the file that its manifest names; restore this file from a copy")
        with self._storage.open(one.name) as file:
            keeps, tmp = (lambda lines: whose.of(lines[-1]) is None), self._storage.tmp()
            new, source = _segments.rewrite(one, file, keeps, tmp, cipher_of(self._storage))
        return Replaced(one, new), source

    def _begin(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        make_folder(self._folder)

    def _amended(self, number: int, quotes: Quotes) -> Amended:
        """Stage a manifest whose report quotes nothing any more."""
        old = _manifests.read(self._storage, number)
        assert old is not None
        data, amended = _without_quotes(old, quotes)
        with writing(self._staged(number)) as file:
            file.write(data)
        return amended

    def _staged(self, number: int) -> Path:
        return self._folder / f"{number:09d}.json"

    def recover(self) -> None:
        """Finish what was decided, and undo what was not; the commits are recovered already."""
        plan, unfinished = self._plan(), self._catalog.fact(UNFINISHED)
        if plan:
            manifest = _manifests.read(self._storage, int(plan["number"]))
            if manifest is not None and manifest.erased and manifest.run == plan["run"]:
                self._finish(manifest, plan)
                return
            named = set(self._catalog.segment_names())
            for name in plan["segments"]:
                if name not in named:
                    self._storage.remove(name)
        elif unfinished and not self._receipts.has(int(unfinished)):
            manifest = _manifests.read(self._storage, int(unfinished))
            assert manifest is not None  # it is indexed
            self._finish(manifest, self._planned(manifest))
            return
        elif unfinished:
            self._catalog.shrink()  # an older one was put back that named what is erased
        self._end()

    def _plan(self) -> dict[str, Any]:
        try:
            plan = load((self._folder / PLAN).read_bytes())
        except (OSError, ValueError):
            return {}
        return plan if isinstance(plan, dict) else {}

    def _planned(self, manifest: Manifest) -> dict[str, Any]:
        """Work out again what is left to remove, where a crash took the plan along; what is staged lasts if it can."""
        assert manifest.erased is not None
        stones = frozenset(manifest.erased.threads)
        if not stones:  # the archive only goes on without what was damaged
            return {}
        make_folder(self._folder)
        for amended in manifest.erased.amended:
            self._amend_again(amended, HashedQuotes(self._archive, manifest.erased.ids))

        def gone(thread: ThreadRef) -> bool:
            return tombstone(self._archive, thread) in stones

        salvaged = self._salvaged.holding(gone)
        for name in salvaged:
            self._salvaged.stage(name, gone, self._folder / "salvaged")
        return {"blobs": _unnamed(self._storage, _named_contents(self._storage)), "salvaged": salvaged}

    def _amend_again(self, amended: Amended, quotes: Quotes) -> None:
        """Stage a report without its quotes as it was staged before, if it is not there."""
        old = _manifests.read(self._storage, amended.number)
        if self._staged(amended.number).exists() or old is None or old.file_sha256 != amended.old:
            return
        data, again = _without_quotes(old, quotes)
        if again == amended:
            with writing(self._staged(amended.number)) as file:
                file.write(data)

    def _finish(self, manifest: Manifest, plan: dict[str, Any]) -> None:
        """Remove what is left of what a manifest erased; may be begun again after any step."""
        assert manifest.erased is not None
        for amended in manifest.erased.amended:
            if self._staged(amended.number).exists():
                self._storage.replace(_manifests.manifest_name(amended.number), self._staged(amended.number))
        for name in (*(one.old.name for one in manifest.erased.replaced), *plan.get("blobs", ())):
            kept(self._storage).remove(name)
        for name in plan.get("salvaged", ()):
            self._salvaged.settle(name, self._folder / "salvaged")
        self._sweep()
        self._catalog.shrink()
        self._receipts.write(manifest)
        self._end()

    def _sweep(self) -> None:
        """Remove what is made again when it is wanted, and what a crash left of writing a file beside another."""
        own = self._path / ".exporter"
        for folder in (own / "tmp", own / "rebuild"):
            shutil.rmtree(folder, ignore_errors=True)
        with translated(own):
            for left in (file for folder in (self._path, own, own / "salvaged") for file in folder.glob(".*.tmp")):
                left.unlink(missing_ok=True)
        if (own / "search").is_dir():
            self._sweep_words(own / "search")

    def _sweep_words(self, folder: Path) -> None:
        import filelock

        with translated(folder):
            try:
                lock = filelock.FileLock(folder / "lock", timeout=PATIENCE, mode=FILE_MODE)
                lock.acquire()
            except filelock.Timeout:
                raise Locked(f"{folder}: another program is writing the index; erase again when it is done") from None
            try:
                for entry in folder.iterdir():
                    if entry.is_dir():
                        shutil.rmtree(entry)
                    elif entry.name != "lock":
                        entry.unlink()
            finally:
                lock.release()

    def _end(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._catalog.fact(UNFINISHED) is not None:
            self._catalog.drop_fact(UNFINISHED)


def _without_quotes(old: Manifest, quotes: Quotes) -> tuple[bytes, Amended]:
    """Return the file of a manifest whose report quotes nothing any more, and the hashes of both."""
    data = _manifests.encode(replace(old, report=quotes.scrubbed(old.report)))
    return data, Amended(old.number, old.file_sha256, _manifests.decode(data, old.name).file_sha256)


def _counts(found: Found) -> dict[str, int]:
    return {
        "messages": sum(found.threads.values()),
        "records": found.records,
        "pages": found.pages,
        "files": len(found.blobs),
        "file_bytes": sum(found.blobs.values()),
        "unnamed_files": len(found.unnamed),
        "salvaged": len(found.salvaged),
    }
