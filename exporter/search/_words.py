"""The words of a text as the index has them, and where in the text they stand.

The idea: a text is folded character by character (compatibility forms, case, accents), so that `cafe` finds `Café` and
`ｶﾞ` finds `ガ`; each folded character knows which ones of the text it comes from. What lies between separators is a
word. Where a script has no spaces between words (Chinese, Japanese, Korean with its particles, Thai and others), every
two neighbours are a word, and the last one alone: a run that is asked for is found as the phrase of its pairs, wherever
it stands, and only there.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import chain

LONGEST = 64
"Characters of a word; what is longer, such as base64, is several words that follow each other."

_RUNS = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF)),
    *((0x2600, 0x27BF), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3031, 0x3035), (0x303B, 0x303C)),
    *((0x3041, 0x30FF), (0x3105, 0x312F), (0x3131, 0x318E), (0x31A0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF)),
    *((0xA000, 0xA4CF), (0xA960, 0xA97F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xAC00, 0xD7FF), (0xF900, 0xFAFF)),
)
"Scripts without spaces between words, and pictures; so is everything beyond U+FFFF."
_STARTS, _ENDS = zip(*_RUNS, strict=True)
_OTHERS = "".join(
    f"{chr(a + 1)}-{chr(b - 1)}" for a, b in zip((-1, *_ENDS), (*_STARTS, 0x10000), strict=True) if a + 1 < b
)
"What is not in these ranges: patterns that name anything beyond U+FFFF are slow."
_RUN = re.compile(f"[^{_OTHERS}]+")
_WORD = re.compile(f"[^{_OTHERS}]+|(?:(?! )[{_OTHERS}]){{1,{LONGEST}}}")
_LAST_RUN = re.compile(f"[^{_OTHERS}]+$")
_LONG = re.compile(f"([^ ]{{{LONGEST}}})(?=[^ ])")
_PICTURES = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff]")
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"Marks that people leave out when they search: accents, Arabic and Hebrew vowels, variants of a picture."
_OTHER_LETTERS = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "\u0131": "i", "þ": "th", "ð": "d"})
_JAMO = "\u1100-\u11ff\u3131-\u318e\ua960-\ua97f\ud7b0-\ud7ff\uffa1-\uffdc"
"Parts of Korean syllables, which become one."
_ZERO_WIDTH_SPACE = "\u200b"


@dataclass(frozen=True, slots=True)
class Span:
    """A word, and the range of characters that it comes from."""

    word: str
    begin: int
    end: int
    first_end: int
    "Where its first character ends: of a pair, that is the run's own."


def words(text: str) -> str:
    """Return the words of a text, separated by spaces: what is indexed."""
    return _separated(fold(text))


def fold(text: str) -> str:
    """Return a text in the form in which texts are compared, with spaces for what separates words."""
    return text.translate(_ASCII) if text.isascii() else _composed(text).translate(_FOLDED)


def asked(text: str) -> tuple[tuple[str, ...], bool]:
    """Return the words to look for, one behind the other, and whether the last is but the beginning of one.

    What ends with a script without spaces may go on there: its last character alone is no word of a longer run.
    """
    folded = fold(text).rstrip()
    found = tuple(_separated(folded).split())
    run = _LAST_RUN.search(folded)
    if run is None:
        return found, False
    return (found, True) if len(run[0]) == 1 else (found[:-1], False)


def _separated(folded: str) -> str:
    if not folded.isascii():
        folded = _RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", folded)
    return _LONG.sub(r"\1 ", folded) if _has_long(folded) else folded


def _has_long(folded: str) -> bool:
    """Tell whether a word is longer than any may be: from space to space, as far as each step can go."""
    at, last = -1, len(folded) - LONGEST - 1
    while at < last:
        at = folded.rfind(" ", at + 1, at + LONGEST + 2)
        if at < 0:
            return True
    return False


def spans(text: str) -> list[Span]:
    """Return the words of a text, the same as `words`, each with its range of characters."""
    if text.isascii():
        return [Span(word[0], *word.span(), word.start() + 1) for word in _WORD.finditer(text.translate(_ASCII))]
    folded, begins, ends = _traced(text)
    found: list[Span] = []
    for match in _WORD.finditer(folded):
        begin, end = match.span()
        if _RUN.match(match[0]):
            pairs = zip(range(begin, end), _pairs(match[0]), strict=True)
            found += [Span(pair, begins[at], ends[min(at + 1, end - 1)], ends[at]) for at, pair in pairs]
        else:
            found.append(Span(match[0], begins[begin], ends[end - 1], ends[begin]))
    return found


def is_run(word: str) -> bool:
    """Tell whether a word is of a script that has no spaces between words."""
    return _RUN.match(word) is not None


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run))]


def _traced(text: str) -> tuple[str, list[int], list[int]]:
    """Return the folded text, and for each of its characters where what it comes from begins and ends."""
    begins: list[int] = []
    ends: list[int] = []
    parts: list[str] = []
    at = 0
    for cluster in chain(_clusters().finditer(text), (None,)):
        begin, end = cluster.span() if cluster else (len(text), len(text))
        folded = [_FOLDED[ord(letter)] for letter in text[at:begin]]
        for place, part in enumerate(folded, at):
            begins += [place] * len(part)
            ends += [place + 1] * len(part)
        parts += folded
        if cluster:
            part = unicodedata.normalize("NFKC", cluster[0]).translate(_FOLDED)
            begins += [begin] * len(part)
            ends += [end] * len(part)
            parts.append(part)
        at = end
    return "".join(parts), begins, ends


def _composed(text: str) -> str:
    """Return the text with each letter and the marks behind it as one character, where there is one."""
    if not _joining().search(text):
        return text
    return _clusters().sub(lambda cluster: unicodedata.normalize("NFKC", cluster[0]), text)


@cache
def _joining() -> re.Pattern[str]:
    """Return what finds characters that may become one with others."""
    return re.compile(f"[{_marks()}{_JAMO}]")


@cache
def _clusters() -> re.Pattern[str]:
    """Return what finds letters together with their marks, and the parts of Korean syllables."""
    marks = _marks()
    syllable = "[\u1100-\u115f\ua960-\ua97f][\u1160-\u11a7\ud7b0-\ud7ca][\u11a8-\u11ff\ud7cb-\ud7ff]?"
    return re.compile(f"{syllable}[{marks}]*|[\uac00-\ud7a3]?[{_JAMO}]+[{marks}]*|[^{marks}{_JAMO}]?[{marks}]+")


@cache
def _marks() -> str:
    """Return the ranges of all marks."""
    codes = [code for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M"]
    codes = sorted({*codes, 0xFF9E, 0xFF9F})
    starts = [code for code, before in zip(codes, [0, *codes], strict=False) if code != before + 1]
    ends = [code for code, after in zip(codes, [*codes[1:], 0], strict=True) if code != after - 1]
    ranges = (f"{chr(a)}-{chr(b)}" for a, b in zip(starts, ends, strict=True))
    return "".join(ranges)


class _Folds(dict[int, str]):
    """What each character is folded to; worked out when it is met first."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _folded(chr(code))
        return folded


def _folded(letter: str) -> str:
    """Return what stands for a character: letters, marks and digits; a space for what separates words."""
    if unicodedata.category(letter) == "Cf":
        return " " if letter == _ZERO_WIDTH_SPACE else ""
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", letter).casefold())
    whole = unicodedata.normalize("NFC", _ACCENTS.sub("", parts)).translate(_OTHER_LETTERS)
    return "".join(_kept(one) for one in whole)


def _kept(letter: str) -> str:
    digit = unicodedata.decimal(letter, None)
    if digit is not None:
        return str(digit)
    kept = unicodedata.category(letter)[0] in "LNM" or (_PICTURES.match(letter) and letter.isprintable())
    return letter if kept else " "


_FOLDED = _Folds()
_ASCII = {code: _folded(chr(code)) for code in range(128)}
