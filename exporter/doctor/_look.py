"""What the doctor says: one thing that was looked at, how it is, and what to do now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["good", "note", "bad"]
"""`note` is worth knowing and prevents nothing."""

About = Literal["profile", "source", "clock", "archive", "lock", "disk", "card", "thread", "known", "verdict"]


@dataclass(frozen=True, slots=True)
class Look:
    """One thing that was looked at."""

    about: About
    subject: str
    "What it is called: `profile default`, `profile default, responses`, `disk`."
    state: State
    what: str
    help: str = ""
    exit_code: int = 0
    paste: str = ""
    "Lines of a file to paste as they are."
    facts: Mapping[str, Any] = field(default_factory=dict)
    "The same for programs; the names are listed in `docs/guide.md`."
