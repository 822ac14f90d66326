"""The part of a text that shows best why it was found, and where in it the words stand.

The idea: a text may be of any length, so it is looked at in pieces; only the piece that has the words is traced
character by character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from exporter.search._needles import Needle
from exporter.search._words import Span, spans, words

WIDTH = 240
"Characters of a snippet, about."
LEAD = 60
"Of these, before the first match."
PIECE = 4000
OVERLAP = 400
EDGE = 200
"How far the edge of a piece is moved to stand between two words."
WHOLE = 200_000
"Texts up to this length are looked at as a whole if no piece has the words: they may be far from each other."

_SPACE = re.compile(r"\s")

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Piece:
    begin: int
    end: int


def snippet(text: str, needles: Sequence[Needle], width: int = WIDTH) -> tuple[str, tuple[Range, ...]]:
    """Return some of a text in one line, and the ranges of its characters that match."""
    found: list[tuple[Range, int]] = []
    piece = _best(text, needles)
    if piece:
        found = list(_matches(spans(text[piece.begin : piece.end]), needles))
    if not found and len(text) <= WHOLE:
        piece = _Piece(0, len(text))
        found = list(_matches(spans(text), needles))
    base = piece.begin if piece else 0
    placed = sorted(((a + base, b + base), number) for (a, b), number in found)
    return _cut(text, placed, width)


def marked(text: str, needles: Sequence[Needle]) -> tuple[Range, ...]:
    """Return the ranges of characters of a text that match."""
    return _joined(ranges for ranges, _ in sorted(_matches(spans(text), needles)))


def _best(text: str, needles: Sequence[Needle]) -> _Piece | None:
    """Return the first piece that has all needles, else the first that has any."""
    some: _Piece | None = None
    for piece in _pieces(text):
        has = [_in(needle, f" {' '.join(words(text[piece.begin : piece.end]).split())} ") for needle in needles]
        if all(has):
            return piece
        if any(has) and some is None:
            some = piece
    return some


def _pieces(text: str) -> Iterator[_Piece]:
    begin = 0
    while True:
        end = min(begin + PIECE, len(text))
        if end < len(text) and (space := _SPACE.search(text, end, end + EDGE)):
            end = space.start()
        yield _Piece(begin, end)
        if end == len(text):
            return
        begin = end - OVERLAP
        if space := _SPACE.search(text, begin, begin + EDGE):
            begin = space.end()


def _in(needle: Needle, line: str) -> bool:
    return f" {' '.join(needle.words)}{'' if needle.open else ' '}" in line


def _matches(found: list[Span], needles: Sequence[Needle]) -> Iterator[tuple[Range, int]]:
    """Yield where the needles stand, each with its number."""
    for number, needle in enumerate(needles):
        *firsts, last = needle.words
        length = len(needle.words)
        for at in range(len(found) - length + 1):
            final = found[at + length - 1].word
            if (final.startswith(last) if needle.open else final == last) and all(
                found[at + i].word == word for i, word in enumerate(firsts)
            ):
                end = found[at + length - 1]
                yield (found[at].begin, _end(end, last, is_open=needle.open)), number


def _end(span: Span, asked: str, *, is_open: bool) -> int:
    """Return where a match ends: of one character of a run, behind it, although the word is a pair."""
    alone = is_open and len(asked) == 1 and len(span.word) > 1
    return span.first_end if alone else span.end


def _cut(text: str, placed: list[tuple[Range, int]], width: int) -> tuple[str, tuple[Range, ...]]:
    begin = _start(placed, width) if placed else 0
    begin = max(0, min(begin, len(text) - width))
    if begin and (space := _SPACE.search(text, begin, min(begin + 20, placed[0][0][0] if placed else begin + 20))):
        begin = space.end()
    end = min(len(text), begin + width)
    longest = max((b for (a, b), _ in placed if begin <= a < end), default=end)
    end = max(end, min(longest, begin + 2 * width))
    before, after = "…" if begin else "", "…" if end < len(text) else ""
    shift = len(before) - begin
    inside = ((max(a, begin), min(b, end)) for (a, b), _ in placed if b > begin and a < end)
    line = before + _SPACE.sub(" ", text[begin:end]) + after
    return line, tuple((a + shift, b + shift) for a, b in _joined(inside))


def _start(placed: list[tuple[Range, int]], width: int) -> int:
    """Return where the window begins that shows the most of the needles."""
    best, most = placed[0][0][0], 0
    for at, ((begin, _), _) in enumerate(placed[:500]):
        shown = set()
        for (_, end), number in placed[at : at + 100]:
            if end > begin - LEAD + width:
                break
            shown.add(number)
        if len(shown) > most:
            best, most = begin, len(shown)
    return best - LEAD


def _joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Return ranges in order, those that touch or overlap as one."""
    out: list[Range] = []
    for begin, end in ranges:
        if out and begin <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((begin, end))
    return tuple(out)
