"""Finds names in a text, however they are written there: another case, other spaces, scripts that have none.

Text and names are compared in one form (case folded, accents composed); what was found is told in the text's places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from unicodedata import combining, is_normalized, normalize

Thing = tuple[str, str]
"A kind, and what is the same for all ways of writing it."

SPACELESS = (
    r"\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan; Burmese; Khmer
    r"\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"  # Korean has spaces, but particles without
    r"\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Japanese
    r"\u3100-\u312f\u31a0-\u31bf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese
)
"Scripts in which a letter beside a name is no part of it."
LETTER = rf"[^\W_{SPACELESS}]"
"What makes a longer word of a name it stands beside."
DOTTED = "i\u0307"
"What the capital of a Turkish i becomes, where other languages write none of its dots."
_SPACELESS = re.compile(rf"[{SPACELESS}]")
_LIKE = str.maketrans({"\u2019": "'", "\u02bc": "'", "\u2010": "-", "\u2011": "-"})
_ANY = {"'": "['\u2019\u02bc]", "-": "[-\u2010\u2011]"}


def is_sought(name: str) -> bool:
    """Whether a name is looked for in texts: three characters, or two of a script without spaces."""
    name = name.strip()
    return len(name) > 2 or (len(name) == 2 and all(map(_SPACELESS.match, name)))


class Names:
    """Things that have names, to be found by them."""

    def __init__(self, things: Mapping[str, Thing]) -> None:
        self._things = {_key(name): thing for name, thing in things.items()}
        sought = sorted({one for one in things if is_sought(one)}, key=lambda one: (-len(one), one))
        # behind a look ahead, so that a name that begins within another one is found, too
        self._pattern = re.compile(f"(?=({'|'.join(map(_pattern, sought))}))") if sought else None

    def whose(self, value: str) -> Thing | None:
        """Return whose name this is; None: nobody's."""
        return self._things.get(_key(value)) if self._things else None

    def found(self, text: str) -> Iterator[tuple[int, int, str, str]]:
        """Yield where a name stands, its kind, and what is the same for all ways of writing it."""
        if self._pattern is None:
            return
        plain, places = _folded(text)
        for one in self._pattern.finditer(plain):
            begin, end = one.span(1)
            kind, same = self._things[_tidy(one[1])]
            yield (places[begin], places[end], kind, same) if places else (begin, end, kind, same)


def _pattern(name: str) -> str:
    plain = _folded(name.strip())[0].translate(_LIKE)
    words = ("".join(_ANY.get(char) or re.escape(char) for char in word) for word in plain.split())
    front = "" if _SPACELESS.match(plain) else rf"(?<!{LETTER})"
    back = "" if _SPACELESS.match(plain[-1]) else rf"(?!{LETTER})"
    return front + r"[\s_]+".join(words) + back


def _key(name: str) -> str:
    return _tidy(_folded(name)[0])


def _tidy(plain: str) -> str:
    return " ".join(plain.translate(_LIKE).replace("_", " ").split())


def _folded(text: str) -> tuple[str, list[int] | None]:
    """Return a text as it is compared, and where in the text each character of that begins; None: in the same place."""
    plain = text.casefold()
    if text.isascii() or (len(plain) == len(text) and is_normalized("NFC", plain) and DOTTED not in plain):
        return plain, None
    parts, places = [], []
    for begin, end in _letters(text):
        part = normalize("NFC", normalize("NFC", text[begin:end]).casefold()).replace(DOTTED, "i")
        parts.append(part)
        places += [begin] * len(part)
    return "".join(parts), [*places, len(text)]


def _letters(text: str) -> Iterator[tuple[int, int]]:
    """Yield where letters begin and end that may be more than one character."""
    begin = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not (combining(text[at]) or "\u1160" <= text[at] <= "\u11ff"):
            yield begin, at
            begin = at
