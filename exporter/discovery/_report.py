"""What a discovery found, list by list, and which exit code that is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from exporter.errors import (
    BudgetReached,
    CannotList,
    CredentialsRefused,
    ExporterError,
    Interrupted,
    ProfileUnusable,
    SourceGone,
)

ListState = Literal["complete", "partial", "not_listed", "refused", "failed", "stopped"]
"""How far a list was walked: to its proven end; not wholly; there is none to be shown; the key may not see it;
nothing could be read; the whole discovery ended."""

Number = Literal["listed", "registered", "changed", "unchanged", "nameless"]

ENDS: dict[type[ExporterError], tuple[ListState, str]] = {
    CannotList: ("not_listed", "cannot_list"),
    SourceGone: ("not_listed", "source_gone"),
    CredentialsRefused: ("refused", "credentials_refused"),
    ProfileUnusable: ("failed", "profile_unusable"),
    BudgetReached: ("stopped", "budget_reached"),
    Interrupted: ("stopped", "interrupted"),
}
"What an error makes of a list, and the same in one word; any other makes it `partial`, or `failed` if nothing came."

ALONE = (("credentials_refused", 12), ("profile_unusable", 2), ("temporary", 75))
"The exit code of a discovery that read nothing, by the first of these words; else 3."


@dataclass(frozen=True, slots=True)
class Listed:
    """The list of one source, as one profile sees it."""

    profile: str
    endpoint: str
    source: str
    state: ListState
    listed: int = 0
    "Objects that came this time."
    registered: int = 0
    changed: int = 0
    unchanged: int = 0
    nameless: int = 0
    "Objects without a usable id, which cannot be registered."
    code: str | None = None
    "Of any state but complete, the reason in one word."
    why: str | None = None
    "The same in a sentence for people."
    ids_from: str | None = None
    "Of a source that is not listed, where ids come from instead."
    notes: tuple[str, ...] = ()
    "Oddities of the server that were survived exactly."


@dataclass(frozen=True, slots=True)
class Discovered:
    """A whole discovery."""

    lists: tuple[Listed, ...]
    requests: int
    stopped: ExporterError | None = None
    "What ended it early."
    asked: Collection[str] = ()
    "The sources that were asked for by name."

    def total(self, number: Number) -> int:
        """Sum a number over all lists."""
        return sum(getattr(one, number) for one in self.lists)

    @property
    def exit_code(self) -> int:
        """0 where every list that there is was read to its end, else the code that the command documents.

        That a source has no list is a fault where it was asked for by name, or where nothing at all was read.
        """
        if self.stopped:
            return self.stopped.exit_code
        readers = {one.profile for one in self.lists if one.state in ("complete", "partial")}
        if not readers:
            codes = {one.code for one in self.lists}
            return next((number for code, number in ALONE if code in codes), 3)
        return 3 if any(self._at_fault(one, readers) for one in self.lists) else 0

    def _at_fault(self, one: Listed, readers: Collection[str]) -> bool:
        # an address that serves other sources is no wrong one: it just has not this source
        missing = one.state == "not_listed" or (one.code == "profile_unusable" and one.profile in readers)
        return one.state != "complete" and (not missing or one.source in self.asked)
