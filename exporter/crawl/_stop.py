"""How a signal ends a run."""

from __future__ import annotations

from collections.abc import Callable

from exporter.errors import Interrupted


class Stop:
    """Lets a signal handler end a crawl: everything fetched is committed, then the run ends with that exit code."""

    def __init__(self) -> None:
        self._end: Callable[[], object] | None = None
        self.exit_code: int | None = None

    def request(self, exit_code: int) -> None:
        """End now: the crawl if it is under way, else by `Interrupted` right here, which loses nothing either."""
        self.exit_code = exit_code
        if self._end is None:
            raise self.error()
        self._end()

    def error(self) -> Interrupted:
        """Say that the run was interrupted."""
        message = "interrupted; everything fetched so far is saved, run the same command to go on"
        return Interrupted(message, self.exit_code or 130)

    def bind(self, end: Callable[[], object] | None) -> None:
        """Say how to end what is under way."""
        self._end = end
