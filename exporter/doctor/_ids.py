"""What kind of id is it? People paste what they have: ids of messages, of files, of their own database. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.errors import UsageError
from exporter.model import checked_id
from exporter.pasted import no_beginning, no_key, other_thing
from exporter.sources import prefixes, source_of

WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{5,255}")
QUOTES = " \t\r\n\"'`<>()[]{},;."
UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
USUAL = re.compile(r"thread_[A-Za-z0-9]{24}")
"How ids of OpenAI's own threads look."


@dataclass(frozen=True, slots=True)
class Named:
    """What was pasted, as an id."""

    id: str
    source: str | None
    "Whose ids begin like this."
    other: str = ""
    "What it is instead of a thread, when that is certain or all that can be said."
    help: str = ""
    certain: bool = False
    "It can be no thread: no server needs to be asked."


def read(text: str) -> Named:
    """Find the id in what was pasted; `UsageError` where there is none, and for a key, which is not repeated."""
    found = no_key(text.strip(QUOTES))
    try:
        checked_id(no_beginning(found))
    except UsageError:
        known = {word for word in WORD.findall(text) if source_of(word)}
        if len(known) != 1:
            raise
        found = known.pop()
    return Named(found, source_of(found), *_other(found))


def _other(text: str) -> tuple[str, str, bool]:
    if source_of(text):
        return "", "", False
    if (other := other_thing(text)) is not None:
        return *other, True
    return *_local(text), False


def _local(text: str) -> tuple[str, str]:
    """Say what an id may be that no API makes; a server of one's own may, so it is asked for all the same."""
    where = f"look in the application for the id that the API gave: it begins with {', '.join(prefixes())}"
    if UUID.fullmatch(text):
        return "a UUID is an id that applications and their databases make, not these APIs", where
    if text.isdigit():
        return "a number is an id of a row in an application's own database", where
    if text.lower().startswith(("local_", "local-", "temp_", "tmp_", "draft_")):
        return "an id that begins like this was made by an application, for itself", where
    return "no API that is known here makes ids that look like this", where


def cut_short(text: str) -> bool:
    """Whether an id looks like one of OpenAI's threads that was not copied whole."""
    return text.startswith("thread_") and not USUAL.fullmatch(text)
