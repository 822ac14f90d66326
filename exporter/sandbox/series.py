"""An ordered list of objects with ids: stored one by one, or made when asked for.

Every object has a position that never changes, and `find` turns an id into its position at once; so a page costs
what the page holds, in a thread of three messages and in one of 200,000.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from exporter.sandbox import raw

STRIDE = 3
"""Generated objects share their second with this many neighbours, as the real ones do."""


class Entry(NamedTuple):
    """One object: its id (None where the API gives none), its bytes, and when the sandbox says it was made."""

    id: str | None
    raw: bytes
    at: float
    cursor: str | None = None
    """What `after` calls an object without an id."""


class Generator(NamedTuple):
    """Objects that exist only while somebody looks: `make(i)` gives the bytes of the i-th, whose id is `name(i)`."""

    size: int
    prefix: str
    make: Callable[[int], bytes]
    since: float = 1_760_000_000

    def name(self, position: int) -> str:
        """Return the id of the object at a position."""
        return f"{self.prefix}{position:08d}"

    def entry(self, position: int) -> Entry:
        """Make the object at a position."""
        return Entry(self.name(position), self.make(position), self.since + position // STRIDE)

    def find(self, name: str) -> int | None:
        """Return the position of an id, by arithmetic."""
        number = name.removeprefix(self.prefix)
        if name.startswith(self.prefix) and number.isascii() and number.isdigit():
            position = int(number)
            if position < self.size and self.name(position) == name:
                return position
        return None


class Series:
    """Objects in the order they were added: first the generated ones, if any, then the stored ones."""

    def __init__(self, generator: Generator | None = None) -> None:
        self.generator = generator
        self._made = generator.size if generator else 0
        self._stored: list[Entry] = []
        self._index: dict[str, int] = {}
        self._edited: dict[int, Entry] = {}
        self._dropped: set[int] = set()

    @property
    def span(self) -> int:
        """One past the last position, deleted ones included."""
        return self._made + len(self._stored)

    def __len__(self) -> int:
        return self.span - len(self._dropped)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for position in range(self.span) if (entry := self.at(position)) is not None)

    def at(self, position: int) -> Entry | None:
        """Return the object at a position; None when it was deleted."""
        if position in self._dropped:
            return None
        if position >= self._made:
            return self._stored[position - self._made]
        assert self.generator is not None
        return self._edited.get(position) or self.generator.entry(position)

    def find(self, name: str) -> int | None:
        """Return the position of an id; None when there is no such object, or no more."""
        position = self._index.get(name)
        if position is None and self.generator:
            position = self.generator.find(name)
        return None if position in self._dropped else position

    def get(self, name: str) -> Entry | None:
        """Return an object by its id."""
        position = self.find(name)
        return None if position is None else self.at(position)

    def add(self, body: bytes, at: float) -> Entry:
        """Put an object at the end; one whose id is already here is an edit of that one."""
        name = raw.value(body, "id")
        entry = Entry(name, body, at) if isinstance(name, str) else Entry(None, body, at, f"cursor_{self.span}")
        known = None if entry.id is None else self.find(entry.id)
        if known is not None:
            return self._put(known, entry)
        self._index[entry.id or entry.cursor or ""] = self.span
        self._stored.append(entry)
        return entry

    def edit(self, name: str, body: bytes) -> None:
        """Replace the bytes of an object; it keeps its place and its time."""
        position = self.find(name)
        old = None if position is None else self.at(position)
        if position is None or old is None:
            raise KeyError(name)
        self._put(position, old._replace(raw=body))

    def drop(self, name: str) -> bool:
        """Delete an object; False when there is none."""
        position = self.find(name)
        if position is None:
            return False
        self._dropped.add(position)
        self._index.pop(name, None)
        return True

    def _put(self, position: int, entry: Entry) -> Entry:
        if position < self._made:
            self._edited[position] = entry
        else:
            self._stored[position - self._made] = entry
        return entry
