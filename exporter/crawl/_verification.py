"""The end of a run: it reads what it wrote, and a part of all that was written before.

What it wrote since the last verification is read whole. Of the rest a thirtieth is, so that thirty runs read all of it;
where a thirtieth is more than a night can take, the next run goes on in it. What was found damaged is looked at again
by every run until it is whole, so that no later run calls the archive well.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from exporter.archive import Archive, hints
from exporter.archive._forgetting import PREFIX
from exporter.archive._lines import stamp
from exporter.archive._parts import Part, Parts
from exporter.archive.catalog import Catalog
from exporter.model import Finding, now

FACT = "verified"
PARTS = 30
SHARE = 0.2
"Of the time that a run took so far, what it spends on the part; but `SECONDS` at least."
SECONDS = 60.0
BYTES = 16 * 2**30
"Of the part, the most that one run reads; it reads one file at least."
KEPT = 1000
"Damaged files that are remembered by name."


@dataclass(frozen=True, slots=True)
class Verified:
    """What a run read again, and what it found."""

    run: str
    at: str
    manifest: int
    "Everything up to this commit was read once by the run that wrote it, or by a later one."
    part: int
    "Of 30: where the next run goes on, after the file `after`."
    after: str = ""
    files: int = 0
    bytes: int = 0
    left: int = 0
    "Files of the part that are left for the next run."
    findings: dict[str, list[Finding]] = field(default_factory=dict)
    "What is damaged, by the file that is looked at again because of it."

    @property
    def damages(self) -> tuple[Finding, ...]:
        """All that was found."""
        return tuple(one for found in self.findings.values() for one in found)

    def told(self) -> dict[str, Any]:
        """What the next run's report says of it."""
        damages = [asdict(one) for one in self.damages]
        return {
            "run": self.run,
            "at": self.at,
            "files": self.files,
            "bytes": self.bytes,
            "left": self.left,
            "findings": damages,
        }


def last(catalog: Catalog) -> Verified | None:
    """Return what the newest verification found; None where there was none, or nobody knows."""
    text = hints(catalog, FACT).get(FACT)
    try:
        said: dict[str, Any] = json.loads(text) if text else {}
        found = {name: [Finding(**one) for one in told] for name, told in said.pop("findings", {}).items()}
        return Verified(**said, findings=found) if said else None
    except (ValueError, TypeError, AttributeError):
        return None


def verify(archive: Archive, began: int, seconds: float) -> Verified:
    """Read what was written since the last verification, and a part of the rest; note it in the catalog.

    `began` is the manifest at which the run began, for an archive that was never verified; `seconds` is how long the
    run took so far.
    """
    place = last(archive.catalog) or Verified("", "", began, 1)
    reading = _Reading(Parts(archive))
    for name, told in reading.parts.written(min(place.manifest, archive.manifest())):
        reading.take(name, told)
    for name in place.findings:
        reading.read(name)
    part, after, left = reading.part(Part(place.part, PARTS), place.after, max(SECONDS, SHARE * seconds))
    done = Verified(
        archive.run,
        stamp(now()),
        archive.manifest(),
        part.number,
        after,
        reading.files,
        reading.parts.bytes,
        left,
        reading.found,
    )
    archive.catalog.note_fact(PREFIX + FACT, json.dumps(asdict(done)))
    return done


class _Reading:
    """What was read, and what is damaged."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.files = 0
        self.found: dict[str, list[Finding]] = {}
        self._first: set[str] = set()
        "What was read before the part."

    def take(self, name: str, told: Iterable[Finding]) -> None:
        """Note what is wrong with a file that was read."""
        self.files += 1
        self._first.add(name)
        damages = [one for one in told if one.severity == "damage"]
        if damages and len(self.found) < KEPT:
            self.found[name] = damages

    def read(self, name: str) -> None:
        """Read a file, unless it was read."""
        if name not in self._first:
            self.take(name, self.parts.findings(name))

    def part(self, part: Part, after: str, seconds: float) -> tuple[Part, str, int]:
        """Read a part, or as much of it as there is time for: where the next run goes on, and how many are left.

        One file is read in any case, so that every run comes further.
        """
        until, most = time.monotonic() + seconds, self.parts.bytes + BYTES
        names = self.parts.names(part, after)
        for count, name in enumerate(names):
            if count and (time.monotonic() > until or self.parts.bytes > most):
                return part, after, 1 + sum(1 for _ in names)
            self.read(name)
            after = name
        return part.next, "", 0
