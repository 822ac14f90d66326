"""Text that cannot steer who shows it: control characters, and those that turn the direction, become visible.

The idea: letters of every language, and what joins an emoji, stay; what only hides or reorders is written as escape.
"""

from __future__ import annotations

import re

from exporter.text import plain

_STEERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and line feed, DEL, C1
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates of direction
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # ends of lines that some see and others do not; marks that nobody sees
    "\U000e0000-\U000e007f]"  # tags: letters that nobody sees
)


def visible(text: str) -> str:
    """Return text whose control characters are escapes; its lines end with a line feed, tabs stay."""
    text = plain(text).replace("\r\n", "\n").replace("\r", "\n")
    return _STEERS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def line(text: str) -> str:
    """Return text as one line."""
    return " ".join(visible(text).split())
