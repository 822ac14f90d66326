"""Receipts: what was erased, when and how much, without a word of what it was; `receipts/000000012.json`.

Everything but the time at which it was finished stands in the manifest too, so a receipt that is lost is made again.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from exporter.archive._lines import FORMAT, stamp
from exporter.archive._manifests import Manifest, erasing
from exporter.files import make_folder, replacing
from exporter.model import Segment, now
from exporter.storage import Storage

FOLDER = "receipts"


class Receipts:
    """The receipts of an archive."""

    def __init__(self, path: Path, storage: Storage) -> None:
        self._path, self._storage = path, storage

    def _file(self, number: int) -> Path:
        return self._path / FOLDER / f"{number:09d}.json"

    def has(self, number: int) -> bool:
        """Tell whether there is one for what a manifest erased."""
        return self._file(number).exists()

    def asked(self, sha256: str) -> bool:
        """Tell whether what has this hash was asked for in any erasure."""
        told = (one.erased.about.get("asked", ()) for one in erasing(self._storage) if one.erased)
        return any(one.get("sha256") == sha256 for asked in told for one in asked)

    def read(self, number: int) -> dict[str, Any]:
        """Return what a receipt says; nothing where there is none that can be read."""
        try:
            said = json.loads(self._file(number).read_bytes())
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def write(self, manifest: Manifest) -> None:
        """Write the receipt of what a manifest erased, but for the rows of the tables."""
        self._write(manifest, None)

    def complete(self, manifest: Manifest) -> None:
        """Write it when nothing is left, not even the rows of the tables."""
        if not self.read(manifest.number).get("finished_at"):
            self._write(manifest, stamp(now()))

    def _write(self, manifest: Manifest, finished_at: str | None) -> None:
        make_folder(self._path / FOLDER)
        with replacing(self._file(manifest.number)) as file:
            file.write(json.dumps(_told(manifest, finished_at), indent=1).encode() + b"\n")


def _told(manifest: Manifest, finished_at: str | None) -> dict[str, Any]:
    erased = manifest.erased
    assert erased is not None
    return {
        "format": FORMAT,
        "archive": manifest.archive,
        "manifest": manifest.number,
        "manifest_sha256": manifest.file_sha256,
        "decided_at": manifest.created_at,
        "finished_at": finished_at,
        **erased.about,
        "threads": list(erased.threads),
        "segments": [
            {"number": one.old.number, "before": _segment(one.old), "after": _segment(one.new)}
            for one in erased.replaced
        ],
        "manifests": [asdict(one) for one in erased.amended],
    }


def _segment(one: Segment) -> dict[str, Any]:
    return {"name": one.name, "sha256": one.sha256, "records": one.records, "bytes": one.bytes}
