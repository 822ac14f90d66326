"""How a night ended, as far as machines are told of it: numbers and ids, never what a conversation holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

BUDGET = 14
"The exit code of a night that used up its budget."
NAMED = 20
"Threads that strangers are told of by their ids."


@dataclass(frozen=True, slots=True)
class Ending:
    """One run of `exporter backup`. Its texts are free of secrets and control characters."""

    archive: str
    version: str
    exit_code: int
    meaning: str
    "What the exit code means."
    sentence: str
    "How it ended, for people."
    started_at: datetime
    finished_at: datetime
    report: Mapping[str, Any] | None = None
    "The run's report, as its manifest has it; None where it did not come to that."
    threads: Mapping[tuple[str, str], int] | None = None
    "How many threads there are, by source and state; None: not known."
    at_risk: int | None = None
    "Of these, those that may lose something soon; None: not known."

    @property
    def good(self) -> bool:
        """Whether nobody has to do anything: all is complete, or a budget, and nothing else, ended the night early."""
        report = self.report or {}
        planned = bool(report) and not report.get("errors") and len(report.get("stopped", ())) <= 1
        return self.exit_code == 0 or (self.exit_code == BUDGET and planned)

    def summary(self) -> dict[str, Any]:
        """Everything, for a command on this machine."""
        told = {"archive": self.archive, "exit_code": self.exit_code, "meaning": self.meaning, "text": self.sentence}
        return {**(self.report or {}), **told, "at_risk": self.at_risk, "version": self.version}

    def told_to_strangers(self) -> dict[str, Any]:
        """The same for who is not on this machine: of threads their ids and codes, and no text of a server."""
        told = self.summary()
        errors = told.pop("errors", [])
        for name in ("stopped", "remarks"):
            told.pop(name, None)
        named = [{key: one.get(key) for key in ("source", "thread", "state", "code")} for one in errors[:NAMED]]
        return {**told, "errors": named, "errors_left_out": max(0, len(errors) - NAMED)}
