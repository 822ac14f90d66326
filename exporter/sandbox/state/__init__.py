"""Everything a sandbox knows: keys, clock, switches, objects.

Shelves hold what the APIs call by id (threads, conversations, ...); a holder on a shelf has lists (messages, runs,
items). Objects are bytes. Retention is looked at when somebody asks: what is past its time is deleted then.
Each API's part is in a module of its own; `State` is all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exporter.sandbox.state._chats import Chats
from exporter.sandbox.state._crowds import Crowds
from exporter.sandbox.state._files import PREVIEW, Files
from exporter.sandbox.state._sessions import Sessions
from exporter.sandbox.state._store import SHELVES, Holder, Request, Shelf
from exporter.sandbox.state._threads import Threads

__all__ = ["PREVIEW", "SHELVES", "SOURCES", "Holder", "Request", "Shelf", "State"]


SOURCES = {
    "assistants": "threads",
    "conversations": "conversations",
    "chatkit": "chatkit",
    "completions": "completions",
    "responses": "responses",
    "agents": "sessions",
}
"""Which shelf holds the conversations of a source."""


class State(Threads, Chats, Sessions, Files, Crowds):
    """What a sandbox knows; tests change it while the server runs."""

    def ids(self, source: str = "") -> list[str]:
        """Return the ids of the conversations of a source, or of all of them, in the order they were added."""
        shelves = [SOURCES[source]] if source else SOURCES.values()
        return [name for shelf in shelves for name in self.shelves[shelf].holders]

    @staticmethod
    def seed(**counts: Any) -> State:
        """Return a state full of believable data; see `seed.seed` for what can be counted."""
        from exporter.sandbox.seed import seed

        return seed(**counts)

    @staticmethod
    def recorded(*paths: Path | str, dialect: str = "live") -> State:
        """Return a state with every object of recorded exchanges; see `recorded.load`."""
        from exporter.sandbox.recorded import load

        return load(*paths, dialect=dialect)

    @staticmethod
    def sdk_fixture() -> State:
        """Return a state with the fixed ids that the SDK's own tests ask for."""
        from exporter.sandbox.fixture import sdk_fixture

        return sdk_fixture()
