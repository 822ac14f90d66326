"""Finds JSON that stands in a text: all of it, in lines, behind other words, or as a string of JSON that holds JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

BEGIN = re.compile(r'^[ \t]*(?=[\[{])|(?=\{\s*")', re.MULTILINE)
TRIES = 100
"Places of a text at which JSON may begin that does not end, before the rest is taken for words."
DECODER = json.JSONDecoder()


def pieces(text: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield the parts of a text in their order, each with the value it holds if it is JSON, and with nothing if not."""
    held = _string_of_json(text)
    if held is not None:
        yield text, [held]
        return
    at = tries = 0
    for found in BEGIN.finditer(text):
        if found.end() < at:
            continue
        try:
            value, end = DECODER.raw_decode(text, found.end())
        except ValueError:
            tries += 1
            if tries == TRIES:
                break
            continue
        yield text[at : found.end()], []
        yield text[found.end() : end], [value]
        at = end
    yield text[at:], []


def _string_of_json(text: str) -> str | None:
    """Return what a string of JSON says, if that could be JSON again."""
    if not text.strip().startswith('"'):
        return None
    try:
        held = json.loads(text)
    except ValueError:
        return None
    return held if isinstance(held, str) and held.strip()[:1] in {"[", "{", '"'} else None
