"""What a run has to visit: the threads of its plan, and those that turn up on the way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from exporter.archive.catalog import Known
from exporter.model import ThreadRef


class Agenda:
    """Workers take from it until it is empty and nobody is under way who could add to it; no thread comes twice.

    What is held of the threads that had their turn is a byte by number, and the names of those that had no number yet.
    """

    def __init__(self, plan: Iterator[Known], *, everything: bool) -> None:
        self.everything = everything
        "Whether the plan holds every thread that was registered when the run began, but those that rest."
        self._plan = plan
        self._added: deque[Known] = deque()
        self._numbers = bytearray()
        self._unnumbered: set[ThreadRef] = set()
        self._busy = 0
        self._changed = asyncio.Event()

    def claim(self, known: Known) -> bool:
        """Take it on oneself to add a thread; False where it has been, or is on its way."""
        if self._claimed(known):
            return False
        if known.no:
            self._numbers.extend(bytes(max(0, known.no + 1 - len(self._numbers))))
            self._numbers[known.no] = True
        else:
            self._unnumbered.add(known.thread)
        return True

    def add(self, known: Known) -> None:
        """Have a thread visited that was claimed; before the rest of the plan, so that few wait here."""
        self._added.append(known)
        self._changed.set()

    async def take(self) -> Known | None:
        """Return the next thread, to be followed by `done`; None when there will be no more."""
        while True:
            known = self._next()
            if known is not None:
                self._busy += 1
                return known
            if not self._busy:
                return None
            self._changed.clear()
            await self._changed.wait()

    def done(self) -> None:
        """Say that a visit is over and can add nothing any more."""
        self._busy -= 1
        self._changed.set()

    def _next(self) -> Known | None:
        if self._added:
            return self._added.popleft()
        for known in self._plan:
            new = not self._claimed(known) if self.everything else self.claim(known)
            if new:
                return known
        return None

    def _claimed(self, known: Known) -> bool:
        """Whether a thread is on its way or has been: by its number, or by the name that it had before it got one."""
        return known.thread in self._unnumbered or (known.no < len(self._numbers) and self._numbers[known.no] == 1)
