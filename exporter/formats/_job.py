"""What one export was asked for, and what became of it.

The idea: a format writes and counts; who called it says the counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.text import plain

KINDS = 100
LONGEST = 60
OTHER = "of other kinds"


@dataclass(slots=True)
class Job:
    """The work of one export, for all threads and files together."""

    base: Path = field(default_factory=Path)
    "The folder of the result: links to the archive's files are relative to it."
    scratch: Path | None = None
    "Where what is large may lie meanwhile; None is where the system keeps such."
    bom: bool = False
    "Whether a CSV begins with a byte order mark."
    threads: int = 0
    "Written."
    messages: int = 0
    "Written."
    records: int = 0
    "Objects of every kind that were written."
    empty: int = 0
    "Threads of which nothing is in the archive, or nothing that was asked for."
    dropped: Counter[str] = field(default_factory=Counter)
    "What a format cannot express, by its kind."

    def drop(self, kinds: Mapping[str, int]) -> None:
        """Count what was dropped; a server may make up kinds, so those beyond a hundred are one."""
        for kind, count in kinds.items():
            name = plain(kind[:LONGEST])
            self.dropped[name if name in self.dropped or len(self.dropped) < KINDS else OTHER] += count
