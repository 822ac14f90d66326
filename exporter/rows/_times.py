"""Times as servers tell them: seconds, milliseconds, fractions, ISO 8601, or a mistake."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from exporter.text import string

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SANE = (631152000, 4102444800)
"1990 to 2100: a time outside is a mistake."
MILLISECONDS = 1e11
"No sane time in seconds is as large."

_MICROSECOND = timedelta(microseconds=1)

WHOLE_SECONDS = re.compile(rb"[1-9][0-9]{8,9}")
"A time that a column tells to the last digit."


def microseconds(time: datetime) -> int:
    """Return the microseconds since 1970."""
    return (time - EPOCH) // _MICROSECOND


def time_of(count: int) -> datetime:
    """Return the time so many microseconds after 1970 began."""
    return EPOCH + timedelta(microseconds=count)


def moment(raw: bytes) -> datetime | None:
    """Return the time these tokens say: seconds or milliseconds, whole or not, or ISO 8601; None if not sane."""
    if WHOLE_SECONDS.fullmatch(raw):  # nearly all
        return datetime.fromtimestamp(whole, UTC) if SANE[0] <= (whole := int(raw)) < SANE[1] else None
    try:
        if raw[:1] == b'"':
            time = datetime.fromisoformat(string(raw) or "")
            time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
            return time if SANE[0] <= time.timestamp() < SANE[1] else None
        seconds = float(raw)
    except (ValueError, OverflowError):  # true, null, an object, any words, the year 1
        return None
    if seconds > MILLISECONDS:
        seconds /= 1000
    if not SANE[0] <= seconds < SANE[1]:
        return None
    return time_of(round(seconds * 1_000_000))
