"""Tombstones: which threads were erased, without naming them; and texts that quote what was erased.

A tombstone is a hash of the archive's id and of what a thread is. Who knows a thread can tell that it was erased; who
does not can only guess ids, which of a machine's making takes longer than anybody has.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exporter.archive._many import plain
from exporter.model import ThreadRef

FACT = "erased "
"How the names of the catalog's facts begin that hold the tombstones."
NEWEST = "erasures"
"The fact that says which manifest erased last."
UNFINISHED = "erasing"
"The fact that names the manifest whose erasure left files behind that have to go."
WORD = "(erased)"
"What stands where something was quoted."
OURS = frozenset({"command", "run", "started_at", "finished_at"})
"What these fields say comes from no server and names no thread, whatever an id looks like."
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


def hashed(archive: str, *words: str) -> str:
    """Return what stands for words that are not to be kept: the hash of the archive's id and of them, a line each."""
    return hashlib.sha256("\n".join([archive, *map(plain, words)]).encode()).hexdigest()


def tombstone(archive: str, thread: ThreadRef) -> str:
    """Return what stands for a thread that was erased from an archive."""
    return hashed(archive, thread.source, thread.endpoint, thread.id)


@dataclass(frozen=True, slots=True)
class Erasures:
    """Which threads were erased in a while."""

    archive: str
    tombstones: Mapping[str, int]
    "With the manifest that erased each of them last."

    def manifest(self, thread: ThreadRef) -> int:
        """Return the manifest that erased a thread last; 0 where none did."""
        return self.tombstones.get(tombstone(self.archive, thread), 0)


class Quotes:
    """Finds where a text names one of some threads."""

    def __init__(self, ids: Iterable[str]) -> None:
        named = set(ids)
        self._plain = {one for one in named if _TOKEN.fullmatch(one)}
        self._odd = sorted(named - self._plain)

    def __bool__(self) -> bool:
        return bool(self._plain or self._odd)

    def any_in(self, text: str) -> bool:
        """Tell whether a text names any of them."""
        return not self._plain.isdisjoint(_TOKEN.findall(text)) or any(one in text for one in self._odd)

    def scrubbed(self, value: Any) -> Any:
        """Return a value of JSON without what names any of them: where one field does, all texts of its object go."""
        if isinstance(value, str):
            return WORD if self.any_in(value) else value
        if isinstance(value, list):
            return [self.scrubbed(one) for one in value]
        if isinstance(value, dict):
            hit = any(isinstance(one, str) and self.any_in(one) for key, one in value.items() if key not in OURS)
            return dict(self._field(key, one, hit=hit) for key, one in value.items())
        return value

    def _field(self, key: str, value: Any, *, hit: bool) -> tuple[str, Any]:
        if key in OURS:
            return key, value
        return WORD if self.any_in(key) else key, WORD if hit and isinstance(value, str) else self.scrubbed(value)


class HashedQuotes(Quotes):
    """As `Quotes`, of threads of which only the hashes of their ids are known: ids with other characters are missed."""

    def __init__(self, archive: str, ids: Iterable[str]) -> None:
        super().__init__(())
        self._archive, self._hashes = archive, frozenset(ids)

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def any_in(self, text: str) -> bool:
        """Tell whether a text names any of them."""
        return any(hashed(self._archive, "thread", word) in self._hashes for word in set(_TOKEN.findall(text)))
