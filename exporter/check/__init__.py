"""Prove that an archive is whole: every byte is read, and compared with what was committed and published.

`check` changes nothing and needs no lock. Beside a running backup it says of what is being written only what is
certain. `repair` mends what can be made again, `accept` goes on without what cannot be, `ask_server` compares a sample
with what the server has.
Read on in `_log` (the truth), `_catalog`, `_derived` and `_unique` (what is made of it), `_losses`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from exporter.archive import Archive, read_id
from exporter.archive._blobs import Blobs
from exporter.archive._encrypted import sealed
from exporter.archive._keyfile import unlock
from exporter.archive._manifests import Later
from exporter.archive._parts import Part, Parts
from exporter.archive._published import Published
from exporter.check._accepting import ACCEPTED, Accepted, accept
from exporter.check._catalog import WRONG, CatalogView, schedule, unreadable
from exporter.check._derived import gaps, moved, rebuilt
from exporter.check._locked import without_key
from exporter.check._log import Log, left_behind
from exporter.check._losses import losses
from exporter.check._repair import COPY, Mended, repair
from exporter.errors import Damaged, NoKey
from exporter.model import Finding
from exporter.storage import load as load_storage


def check(path: Path, rebuild: bool = False, subset: Part | None = None) -> Iterator[Finding]:
    """Yield what is wrong (`damage`) or worth knowing (`note`); with `rebuild` also compare with a fresh rebuild.

    Without the key of an encrypted archive the files are compared with their hashes, and not opened.
    With `subset` only the files of one part are read, as the end of a backup does; nothing is counted or compared.
    """
    archive_id, cipher = read_id(path), None
    try:
        cipher = unlock(path, archive_id)
    except (NoKey, Damaged) as error:
        if isinstance(error, NoKey) and (not error.missing or subset is not None):
            raise
        yield from without_key(path, archive_id, error)
        return
    catalog = CatalogView(path, whole=subset is None)
    try:
        yield from catalog.findings()
        if subset is not None:
            yield from _part(catalog.archive, subset) if catalog.archive else ()
            return
        storage = sealed(load_storage("local", path), cipher)
        blobs = Blobs(storage, Later.read(storage).given_up)
        log = Log(storage, archive_id, catalog, blobs.see)
        yield from log.findings()
        yield from left_behind(path, blobs.see, cipher)
        yield from blobs.findings(known=not log.damaged)
        if catalog.archive:
            yield from _readable(_derived(catalog.archive, log, catalog.published, rebuild=rebuild))
    finally:
        catalog.close()


def _part(archive: Archive, part: Part) -> Iterator[Finding]:
    parts = Parts(archive)
    for name in parts.names(part):
        yield from parts.findings(name)


def _readable(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass findings on; a catalog that holds what nobody wrote is one more, and ends them."""
    try:
        yield from findings
    except WRONG as error:
        yield unreadable(error)


def _derived(archive: Archive, log: Log, published: int, *, rebuild: bool) -> Iterator[Finding]:
    tables = Published(archive, published)
    damaged, unnoted = False, list[str]()
    for found in tables.findings():
        damaged = damaged or found.severity == "damage"
        unnoted += [found.where] if found.code == "table_unnoted" else []
        yield found
    yield from schedule(archive)
    if log.damaged:
        yield from losses(archive, log.damaged)
        return  # what the segments say is not known
    if archive.erasures(published, archive.manifest()) is not None:
        what = "they still have rows of threads that were erased, so they were not compared"
        yield Finding(
            "erasure_open", "tables", what, "run `exporter erase --finish`, or the next backup does it", "note"
        )
        return
    yield from tables.counts(log.records, log.walked, published)
    if not damaged:
        yield from _doubled(archive, published, unnoted)
    yield from gaps(archive)
    if rebuild:
        yield from rebuilt(archive)


def _doubled(archive: Archive, published: int, unnoted: list[str]) -> Iterator[Finding]:
    from exporter.check._unique import doubled

    found = list(doubled(archive.path, unnoted))
    if not moved(archive, published):
        yield from found


__all__ = ["ACCEPTED", "COPY", "Accepted", "Mended", "accept", "check", "repair"]
