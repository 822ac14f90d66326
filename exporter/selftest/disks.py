"""A disk that is full, refuses, or cannot be written: the backup says so, and what was archived stays."""

from __future__ import annotations

import hashlib

from exporter.archive import Archive
from exporter.selftest._bench import Bench, Broken, Kept, none, promise
from exporter.selftest._disk import Fault, Kind

FILLED = 40
"Messages of both threads that are archived before the disk cannot be written."
KINDS: tuple[Kind, ...] = ("journal", "segment", "manifest", "table", "catalog", "other")


@promise("This disk keeps what is flushed to it, names files exclusively, and reads back what was written.")
def this_disk(bench: Bench) -> None:
    """See the sentence."""
    with bench.threads(100) as kept:
        for more in (0, 20):
            kept.write(more)
            done = kept.backup(flushes=True)
            if done.exit_code:
                raise Broken(f"a backup of an honest server ended with {done.exit_code} {done.error}")
        none(kept.differences(rebuild=True), "after two backups of an honest server")


@promise("The disk is full at any write: the backup says so, loses nothing, and goes on when there is room.")
def a_full_disk(bench: Bench) -> None:
    """See the sentence."""
    with bench.threads(60) as kept:
        steps = _complete(kept)
        for kind in bench.some(KINDS, quick=3):
            for lasts, at in ((True, 1), (False, max(1, steps.get(kind, 0) // 2)), (True, max(1, steps.get(kind, 0)))):
                bench.case()
                kept.write(20)
                done = kept.backup(Fault("full", at, kind, seed=at, lasts=lasts))
                none(kept.problems(), f"after a disk that was full at {kind} {at}")
                if done.exit_code == 0:  # it hindered nothing
                    none(kept.differences(), f"after a backup that did not mind a full disk at {kind} {at}")
                else:
                    _told(done.struck, done.exit_code, done.error, "full", f"full at {kind} {at}")
        _recovered(kept, "a full disk")


@promise("The system refuses to let files grow, without any simulation: the same.")
def a_real_limit(bench: Bench) -> None:
    """See the sentence."""
    with bench.threads(60) as kept:
        _complete(kept)
        for limit in bench.some((0, 200, 4_000, 20_000, 60_000), quick=2):
            bench.case()
            kept.write(40)
            done = kept.backup(limit=limit)
            if done.exit_code != 1 or "full" not in done.error:
                raise Broken(f"files of {limit} bytes at most ended a backup with {done.exit_code} {done.error}")
            none(kept.problems(), f"after files of {limit} bytes at most")
        _recovered(kept, "a real limit")


@promise("The disk fails at any write: the backup says so, and nothing that was archived is lost.")
def a_failing_disk(bench: Bench) -> None:
    """See the sentence."""
    with bench.threads(60) as kept:
        steps = _complete(kept)
        for kind in bench.some(KINDS, quick=3):
            for at in (1, max(1, steps.get(kind, 0) // 2)):
                bench.case()
                kept.write(20)
                done = kept.backup(Fault("io", at, kind, seed=at, lasts=False))
                none(kept.problems(), f"after a disk that failed at {kind} {at}")
                if done.exit_code == 0:  # it hindered nothing
                    none(kept.differences(), f"after a backup that did not mind an error at {kind} {at}")
        _recovered(kept, "a failing disk")


@promise("A disk that cannot be written: the backup says so at once, changes nothing, and reading works.")
def a_read_only_disk(bench: Bench) -> None:
    """See the sentence."""
    with bench.threads(FILLED // 2) as kept:
        _complete(kept)
        kept.write(20)
        before = _hashes(kept)
        done = kept.backup(Fault("readonly", 1))
        _told(done.struck, done.exit_code, done.error, "", "a disk that cannot be written")
        if _hashes(kept) != before:
            raise Broken("files changed on a disk that cannot be written")
        with Archive.open(kept.path) as archive:
            read = sum(1 for _ in archive.records())
        if read != FILLED:
            raise Broken(f"{read} of {FILLED} messages could be read")
        _recovered(kept, "a disk that could not be written")


def _complete(kept: Kept) -> dict[str, int]:
    """Back everything up; return the steps of a backup that has something new."""
    for _ in range(2):
        done = kept.backup()
        if done.exit_code:
            raise Broken(f"a backup of an honest server ended with {done.exit_code} {done.error}")
    return done.steps


def _told(struck: str, code: int, error: str, word: str, when: str) -> None:
    if struck and (code == 0 or (error and word not in error)):
        raise Broken(f"{when} ended a backup with {code} {error}")


def _recovered(kept: Kept, what: str) -> None:
    done = kept.backup()
    if done.exit_code:
        raise Broken(f"the next backup after {what} ended with {done.exit_code} {done.error}")
    none(kept.differences(rebuild=True), f"after {what}")


def _hashes(kept: Kept) -> dict[str, str]:
    """Return the hash of every file that matters: the lock is nobody's, and SQLite keeps two files beside its own."""
    files = (file for file in kept.path.rglob("*") if file.is_file() and not file.name.endswith(("-shm", "-wal")))
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files if ".exporter" not in file.parts}
