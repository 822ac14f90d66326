"""What is asked of the index, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from exporter.model import ThreadRef


@dataclass(frozen=True, slots=True)
class Query:
    """Words that all have to be there, and what narrows them; None stands for all."""

    text: str
    'Words, "phrases" and beginnings of words (`deploy*`), in any language.'
    user: str | None = None
    customer: str | None = None
    source: str | None = None
    role: str | None = None
    thread: str | None = None
    "The id of a thread."
    since: datetime | None = None
    "What is of this time or later."
    until: datetime | None = None
    "What is earlier than this."
    deleted: bool = True
    "Whether what the server has deleted is looked at too."
    limit: int = 20
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """One object that has the words: a message, the title of a thread, the name of a file."""

    thread: ThreadRef
    message_id: str | None
    "Of a file, the message that points to it; None for what has no id, and for a title."
    parent: str | None
    "What the object hangs on: of an item of a subagent, its id."
    seq: int
    "Its position in its list, which finds what has no id."
    role: str | None
    type: str | None
    "As in the table `messages`; `thread` for a title, and the type of a file."
    ts: datetime | None
    score: float
    snippet: str
    "Some of the text as it was sent, in one line: hostile, as any text of a message."
    marks: tuple[tuple[int, int], ...]
    "Ranges of characters in `snippet` that match: begin, and end behind the last."
    title: str | None
    user: str | None
    customer: str | None
    deleted: bool
    "Whether the server has deleted it, or its thread as a whole."
    kind: Literal["message", "thread", "file"] = "message"
    damage: str | None = None
    "Why its text cannot be read, in a sentence; its snippet is empty then."


@dataclass(frozen=True, slots=True)
class Results:
    """What was found, the best first."""

    total: int
    "All that match, whatever the limit."
    hits: tuple[Hit, ...]
    stale: bool
    "Whether the index lacks what was archived last."
