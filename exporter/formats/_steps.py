"""What the runs of a thread did, by run: the tool calls of the Assistants API are in steps, not in messages.

The idea: messages come in their order and steps in theirs, so the steps wait in a private temporary database, which
spills to the disk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container, Iterator
from contextlib import closing
from types import TracebackType
from typing import Any, Self

import orjson

from exporter.formats._story import Story
from exporter.text import loads

Call = dict[str, Any]


class Steps:
    """The tool calls of a thread's runs; each run's are given once. A `with` block ends it."""

    def __init__(self, story: Story) -> None:
        self._db = sqlite3.connect("", check_same_thread=False)  # gone when closed; who asks takes turns
        self._db.execute("CREATE TABLE calls (n INTEGER PRIMARY KEY, run TEXT, call TEXT)")
        self._db.execute("CREATE INDEX by_run ON calls (run)")
        for step in story.rows("step"):
            for call in _calls(step):
                values = (step.get("run_id"), json.dumps(call))
                self._db.execute("INSERT INTO calls (run, call) VALUES (?, ?)", values)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def runs(self) -> set[str]:
        """Return the runs that called anything."""
        return {run for (run,) in self._db.execute("SELECT DISTINCT run FROM calls WHERE run IS NOT NULL")}

    def of(self, run: str | None) -> list[Call]:
        """Return what a run called."""
        found = self._db.execute("SELECT call FROM calls WHERE run IS ? ORDER BY n", (run,))
        return [json.loads(call) for (call,) in found]

    def take(self, run: str | None) -> list[Call]:
        """Return what a run called, if nobody has asked yet."""
        found = self.of(run) if run is not None else []
        if found:
            self._db.execute("DELETE FROM calls WHERE run = ?", (run,))
        return found

    def rest(self, but: Container[str] = ()) -> Iterator[Call]:
        """Yield the calls of runs that nobody has taken: they made no message; those of some runs are left out."""
        with closing(self._db.execute("SELECT run, call FROM calls ORDER BY n")) as found:
            yield from (json.loads(call) for run, call in found if run is None or run not in but)


def _calls(step: dict[str, Any]) -> list[Call]:
    """Return what a step called; the details are as a server sent them, so they may be anything."""
    details = value_of(step.get("details_json"))
    calls = details.get("tool_calls") if isinstance(details, dict) else None
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def value_of(text: str | None) -> Any:
    """Return the value of JSON in a column; None where there is none, or it is nested too deep to be written again."""
    try:
        value = None if text is None else loads(text.encode())
        orjson.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return None
    return value
