"""Types of the catalog's columns that take few bytes: a million threads are to fit into 400 MB.

Outside they are the text that they always were; SQLite stores a small integer for it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

ALWAYS, NEVER = "", "9999"
"Due since ever, and due never: what stands before and behind every time."

NEVER_AGAIN = 253_402_300_800
"`NEVER` as it is stored: the first second after the year 9999."
_WORDS = (
    *("new", "complete", "partial", "failed", "gone"),
    *("thread", "message", "run", "step", "file", "deletion", "registration", "visit"),
    *('"thread"', '"messages"', '"runs"', '"files"', '"output"', '"choices"', '"turns"', '"subagents"', '"deletions"'),
    *("default", "assistants", "conversations", "chatkit", "completions", "responses", "agents", "null"),
)
"Only ever appended to; a word that is not here is stored as it is. A changed order needs another `SCHEMA`."
_NUMBERS = {word: number for number, word in enumerate(_WORDS)}


class Moment(sa.TypeDecorator[str]):
    """A time as `stamp` writes it, to the second; before the times come `ALWAYS`, behind them `NEVER`.

    What is written may be the time itself, too: who notes many times need not have them written out.
    """

    impl = sa.Integer
    cache_ok = True

    def bind_processor(self, *_: Any) -> Any:
        """Return what makes a number of a time."""
        return _stored

    def result_processor(self, *_: Any) -> Any:
        """Return what makes it a text again."""
        return _told


def _stored(time: str | datetime | None) -> int | None:
    if time is None:
        return None
    if isinstance(time, datetime):
        return int(time.timestamp())
    if time == ALWAYS:
        return 0
    return NEVER_AGAIN if time == NEVER else int(datetime.fromisoformat(time).timestamp())


@lru_cache(4096)
def _told(number: int | None) -> str | None:
    """Return the text of a time; what is visited in one second is read together."""
    if number is None:
        return None
    if number == 0:
        return ALWAYS
    return NEVER if number == NEVER_AGAIN else datetime.fromtimestamp(number, UTC).isoformat(timespec="microseconds")


class Word(sa.TypeDecorator[str]):
    """A text that is mostly one of a few words."""

    impl = sa.BLOB  # so that SQLite leaves integers and texts as they are
    cache_ok = True

    def bind_processor(self, *_: Any) -> Any:
        """Return what makes a word small."""
        return lambda value: _NUMBERS.get(value, value)

    def result_processor(self, *_: Any) -> Any:
        """Return what makes it a word again."""
        return lambda value: _WORDS[value] if isinstance(value, int) else value


class Digest(sa.TypeDecorator[str]):
    """Bytes, as hexadecimal digits."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, *_: Any) -> bytes | None:
        """Return the bytes."""
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: Any, *_: Any) -> str | None:
        """Return the digits."""
        return value.hex() if isinstance(value, bytes) else None  # of a number, `bytes` makes as many zeros


def seconds(column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """Return the number of seconds that stands in a column of moments, to reckon with."""
    return sa.type_coerce(column, sa.Integer)
