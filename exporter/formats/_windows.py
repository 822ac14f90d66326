"""A conversation read part by part."""

from __future__ import annotations

from exporter.formats._entries import Entry, Section, entries
from exporter.formats._story import Story


class Windows:
    """A conversation whose parts are asked for by position."""

    def __init__(self, story: Story) -> None:
        self._all = list(entries(story))

    @property
    def count(self) -> int:
        return len(self._all)

    def part(self, begin: int, end: int) -> list[tuple[int, Section | Entry]]:
        return list(enumerate(self._all))[begin:end]
