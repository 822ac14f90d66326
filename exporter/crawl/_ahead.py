"""Reads how far threads were walked, many at a time, shortly before their visits: a question for each is dear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from exporter.archive.catalog import Catalog, Known
from exporter.model import Position, ThreadRef

AHEAD = 500
"Threads that are read together; none but its own visit moves a thread's positions."


class Ahead:
    """Passes a plan on, and knows the positions of what it passed on until they are asked for."""

    def __init__(self, catalog: Catalog, plan: Iterator[Known]) -> None:
        self._catalog, self._plan = catalog, plan
        self._read: dict[ThreadRef, Mapping[str, Position]] = {}

    def __iter__(self) -> Iterator[Known]:
        while batch := list(islice(self._plan, AHEAD)):
            found = self._catalog.positions_of([known.no for known in batch])
            self._read |= {known.thread: found[known.no] for known in batch}
            yield from batch

    def positions(self, thread: ThreadRef) -> Mapping[str, Position]:
        """How far each list of a thread was walked; once from what was read ahead, then as it is now."""
        read = self._read.pop(thread, None)
        return self._catalog.positions(thread) if read is None else read
