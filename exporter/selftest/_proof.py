"""What an archive has to hold: looked at from outside, as users read it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exporter.archive import Archive
from exporter.check import check as checked


def whole(path: Path, *, rebuild: bool = False) -> Iterator[str]:
    """Yield what `exporter check` calls damage."""
    for finding in checked(path, rebuild=rebuild):
        if finding.severity == "damage":
            yield f"check: {finding.where}: {finding.what}"


def acknowledged_once(path: Path, acknowledged: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Compare what was reported archived with the records: everything is there, and nothing new was there before.

    A walk that has to begin again writes down once more what it finds; its pages say so, and the tables fold them.
    """
    found: set[tuple[str, str, str | None, str]] = set()
    before: set[tuple[str, str | None]] = set()
    with Archive.open(path) as archive:
        for _, mark, records in archive.pages():
            for record in records:
                if mark.kind == "registration":
                    found.add((record.thread.id, mark.kind, None, ""))
                    continue
                found.add((record.thread.id, mark.kind, record.id, hashlib.sha256(record.body).hexdigest()))
                message = (record.thread.id, record.id)
                if mark.kind == "message" and mark.fresh and message in before:
                    yield f"doubled: message {record.id} of {record.thread.id} came again, and is said to be new"
                if mark.kind == "message":
                    before.add(message)
    for page in acknowledged:
        for name, digest in page.get("items", [[None, ""]]):
            if (page["thread"], page["kind"], name, digest) not in found:
                yield f"lost: {page['kind']} {name or ''} of {page['thread']}, which was reported archived"


def rows(path: Path, table: str = "messages") -> list[dict[str, Any]]:
    """Read a table as users do: all files of its folder."""
    import pyarrow.parquet as pq

    return [row for file in sorted((path / table).glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def equal(path: Path, served: Mapping[str, Sequence[bytes]]) -> Iterator[str]:
    """Compare with what the server has, thread by thread, byte for byte and in order; and the table row for row.

    What was archived once and the server has no more is there still, marked.
    """
    bodies: dict[str, dict[str, bytes]] = defaultdict(dict)
    with Archive.open(path) as archive:
        for record in archive.records():
            bodies[record.thread.id][str(record.id)] = record.body
    table: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows(path), key=lambda row: (row["thread_id"], row["seq"])):
        table[row["thread_id"]].append(row)
    for thread, want in served.items():
        ids = [json.loads(body)["id"] for body in want]
        if [bodies[thread].get(name) for name in ids] != list(want):
            yield f"{thread}: the newest records differ from what the server has"
        live = [row["message_id"] for row in table[thread] if row["deleted_at"] is None]
        if live != ids:
            yield f"{thread}: the table has {_difference(live, ids)}"
        gone = sorted(row["message_id"] for row in table[thread] if row["deleted_at"] is not None)
        former = sorted(bodies[thread].keys() - set(ids))
        if gone != former:
            yield f"{thread}: marked deleted are {_difference(gone, former)}"


def _difference(found: list[str], wanted: list[str]) -> str:
    missing, more = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    if not missing and not more:
        at = next(n for n, (one, two) in enumerate(zip(found, wanted, strict=True)) if one != two)
        return f"the right messages in another order, from {at} on: {found[at : at + 3]} for {wanted[at : at + 3]}"
    return f"{len(found)} for {len(wanted)}; missing {list(missing)[:3]}, too many {list(more)[:3]}"
