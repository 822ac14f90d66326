"""Very many 64-bit numbers in little memory: the newest in a set, the others sorted, eight bytes each."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable

RECENT = 1 << 16
"Numbers in the set, which takes ten times their bytes; a list of fewer objects is looked up in it alone."
LARGEST = 300_000
"Numbers that are sorted together: meanwhile they are objects of Python's, of forty bytes each."


class Numbers:
    """A set of 64-bit numbers."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._sorted: list[array[int]] = []

    def __contains__(self, number: int) -> bool:
        return number in self._recent or any(_holds(some, number) for some in self._sorted)

    def isdisjoint(self, numbers: Collection[int]) -> bool:
        """Whether none of these is in it."""
        return self._recent.isdisjoint(numbers) and not any(_holds(some, n) for some in self._sorted for n in numbers)

    def add(self, number: int) -> None:
        """Put one in."""
        if number not in self:
            self.update((number,))

    def update(self, numbers: Iterable[int]) -> None:
        """Put some in; one that is in it already may take room again."""
        self._recent.update(numbers)
        if len(self._recent) >= RECENT:
            self._settle()

    def _settle(self) -> None:
        """Sort the newest away, with others while they are few: so there are few places to look."""
        made = array("q", sorted(self._recent))
        self._recent = set()
        if self._sorted and len(self._sorted[-1]) + len(made) <= LARGEST:
            made = array("q", sorted((*self._sorted.pop(), *made)))
        self._sorted.append(made)


def _holds(some: array[int], number: int) -> bool:
    at = bisect_left(some, number)
    return at < len(some) and some[at] == number
