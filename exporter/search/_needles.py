"""What a person types, as the words that have to be there: one behind the other in a phrase, all of them anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.errors import UsageError
from exporter.model import printable
from exporter.search import _words

LONGEST = 2000
"Characters of a question."
MOST = 100
"Words of a question."
SHORTEST = 2
"Letters that the beginning of a word has to have: what begins with one letter is half of all words."

_PART = re.compile(r'"([^"]*)"?(\*?)|([^\s"]+)')
_QUOTES = str.maketrans("“”„‟«»", '""""""')


@dataclass(frozen=True, slots=True)
class Needle:
    """Words that follow each other."""

    words: tuple[str, ...]
    open: bool = False
    "Whether the last is only the beginning of a word."


def needles(text: str) -> tuple[Needle, ...]:
    """Read what is asked for; `UsageError` where that is nothing, or too much."""
    shown = printable(text[:80])
    if len(text) > LONGEST:
        raise UsageError(f"{shown} ...: {len(text):,} characters are too many to search for; at most {LONGEST:,}")
    found = tuple(
        dict.fromkeys(needle for part in _PART.finditer(text.translate(_QUOTES)) if (needle := _needle(part)))
    )
    if not found:
        raise UsageError(f"there is no word in {shown!r}; write letters or digits to search for")
    if sum(len(needle.words) for needle in found) > MOST:
        raise UsageError(f"{shown} ...: more than {MOST} words are too many to search for")
    return found


def _needle(part: re.Match[str]) -> Needle | None:
    phrase, star, word = part.groups()
    text = word if phrase is None else f"{phrase}{star}"
    begins = text.endswith("*")
    words, is_open = _words.asked(text)
    if not words:
        return None
    if not begins or _words.is_run(words[-1]):
        return Needle(words, is_open)
    if len(words[-1]) < SHORTEST:
        raise UsageError(f"{printable(part[0][:80])}: too many words begin like this; write more of the word")
    return Needle(words, open=True)
