"""A conversation as people read it in a terminal or a pipe: who, when, what; nothing of it can steer the terminal.

The idea: an entry is a line that begins at the margin, and all that others wrote is indented below it, so that no text
can look like an entry. Here is said what a text is; how that looks, and how long a line may be, is for who shows it.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from exporter.formats._citing import cited
from exporter.formats._entries import Entry, File, Fold, Section, entries
from exporter.formats._harmless import line, visible
from exporter.formats._steps import value_of
from exporter.formats._story import Story
from exporter.formats.markdown import deletion, facts

ROLES = ("user", "assistant")
LOOKS = (*ROLES, "other", "title", "about", "section", "remark", "deleted", "fold", "cite")
"What a text can be; `other` is any other role."
MARGIN = "  "
SHORT = 60
"Characters of what a folded call was given, and of what it gave."
TOLD_BY = ("arguments", "input", "query", "queries", "code", "command", "action")
"What a folded call is told by, beside its name."
GAVE = ("output", "outputs", "results")
_STAYS = re.compile(
    "[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]"  # spaces
    "|(?<=[\u0300-\U000e0000])[\u200c\u200d](?=[\u0300-\U000e0000])"  # what joins emoji, and letters of some scripts
)
"What is not printable to Python, and can do nothing."


def _as_it_is(text: str, _: str) -> str:
    return text


def _whole(row: str) -> Iterable[str]:
    return (row,)


@dataclass(frozen=True, slots=True)
class Showing:
    """What of a conversation is shown, and how."""

    unfold: bool = False
    "Whether calls of tools, what they gave, and thoughts are told in full."
    role: str | None = None
    "Only entries of this role, or type."
    last: int | None = None
    "Only so many messages, from the end."
    paint: Callable[[str, str], str] = _as_it_is
    "Gives a text, which is harmless already, its look: one of `LOOKS`."
    fit: Callable[[str], Iterable[str]] = _whole
    "Cuts a line to what fits beside the margin."


class Transcript:
    """The conversation that a thread is, or ends."""

    def __init__(self, story: Story, showing: Showing = Showing()) -> None:
        self._story, self._showing, self._paint = story, showing, showing.paint
        self.messages = 0
        "How many were told so far."

    def paragraphs(self) -> Iterator[str]:
        """Yield what is known of the thread, then each entry as a heading and its text; all end with a newline."""
        yield self._head()
        for one in self._wanted():
            if isinstance(one, Section):
                yield self._paint(f"━━ {_line(one.title)}", "section") + "\n"
            else:
                self.messages += one.is_message
                yield "\n".join([*self._entry(one), ""])

    def _head(self) -> str:
        head = self._story.head()
        title = self._paint(f"══ {_line(str(head.get('title') or self._story.thread.id))}", "title")
        about = " · ".join(f"{name} {_line(value)}" for name, value in facts(self._story, head))
        return "\n".join([title, *self._rows(about, "about"), ""])

    def _wanted(self) -> Iterator[Section | Entry]:
        """Yield what is asked for; the last messages are known at the end, so they are kept until then."""
        role, last = self._showing.role, self._showing.last
        if role is None and last is None:
            yield from entries(self._story)
            return
        count, kept = 0, deque[list[Section | Entry]](maxlen=last)
        for group in _groups(one for one in entries(self._story) if _is_of(one, role)):
            if last is None:
                yield from group
            else:
                kept.append(group)
                count += 1
        if count > len(kept):
            yield Section(f"{count - len(kept):,} earlier messages are not shown")
        for group in kept:
            yield from group

    def _entry(self, one: Entry) -> Iterator[str]:
        if one.is_message or not one.files:  # files that no message points to stand below their section
            yield self._title(one)
        if one.deleted:
            yield from self._rows(deletion(one), "deleted")
        for before in one.earlier:
            yield from self._fold(Fold(f"before, as seen {before.seen:%Y-%m-%d %H:%M} UTC:", before.text))
        text, sources = cited(one)
        if text:
            yield from self._rows(text.rstrip("\n"))
        elif not (one.folds or one.files or sources):
            yield from self._rows("(no text)", "remark")
        for fold in one.folds:
            yield from self._fold(fold)
        for number, each in enumerate(sources, 1):
            url = f": {each.url}" if each.url and each.url != each.label else ""
            known = self._file(each.file) if each.file else _line(f"{each.label}{url}")
            yield from self._rows(f"[{number}] {known}", "cite")
        for file in one.files:
            yield from self._rows(f"▪ {self._file(file)}", "cite")

    def _title(self, one: Entry) -> str:
        when = f"{one.time:%Y-%m-%d %H:%M:%S}" if one.time else one.place  # without a time, the position is what is
        look = one.who if one.who in ROLES else "other"
        rest = "".join(f" · {_line(word)}" for word in (*one.remarks, when) if word)
        return self._paint(f"── {_line(one.who)}", look) + self._paint(rest, "remark")

    def _fold(self, fold: Fold) -> Iterator[str]:
        if not self._showing.unfold:
            yield from self._rows(" ".join(filter(None, ("▸", _line(fold.title), _brief(fold.text)))), "fold")
            return
        if fold.title:
            yield from self._rows(f"▾ {_line(fold.title)}", "fold")
        yield from self._rows(fold.text, margin=MARGIN * 2 if fold.title else MARGIN)

    def _file(self, file: File) -> str:
        """Tell of a file whether it is kept, and where."""
        where = f": {self._story.archive.path / file.blob}" if file.blob else ""
        return _line(f"{file.name} ({file.about}){where}")

    def _rows(self, text: str, look: str | None = None, margin: str = MARGIN) -> Iterator[str]:
        for row in tame(text).split("\n"):
            for piece in self._showing.fit(row):
                yield margin + (self._paint(piece, look) if look and piece else piece) if piece else ""


def _is_of(one: Section | Entry, role: str | None) -> bool:
    return role is None or isinstance(one, Section) or one.who.partition(" · ")[0] == role


def _groups(told: Iterable[Section | Entry]) -> Iterator[list[Section | Entry]]:
    """Yield each message with the headings before it, and with what is no message of its own after it."""
    headings, group = deque[Section](maxlen=2), list[Section | Entry]()
    for one in told:
        if isinstance(one, Section):
            headings.append(one)
            continue
        if one.is_message and group:
            yield group
            group = []
        group += [*headings, one]
        headings.clear()
    if group:
        yield group


def _brief(text: str) -> str:
    """Return the beginning of what a call was given, and of what it gave."""
    call = value_of(text) if text[:1] == "{" else None
    if not isinstance(call, dict):
        return _short(text)
    given = next((call[name] for name in TOLD_BY if call.get(name)), None)
    gave = next((call[name] for name in GAVE if call.get(name)), None)
    if given is None and gave is None:
        given = {name: value for name, value in call.items() if name != "name"} or None
    return " → ".join(_short(one if isinstance(one, str) else _json(one)) for one in (given, gave) if one is not None)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    told = _line(text[: SHORT * 4])
    return f"{told[:SHORT].rstrip()}…" if len(told) > SHORT or len(text) > SHORT * 4 else told


def _line(text: str) -> str:
    return tame(line(text))


def tame(text: str) -> str:
    """Return text in a form that cannot steer a terminal, nor hide from who reads it; its lines and tabs stay."""
    return "\n".join(row if row.isprintable() else _escaped(row) for row in visible(text).split("\n"))


def _escaped(row: str) -> str:
    stays = {found.start() for found in _STAYS.finditer(row)}
    told = (c if c.isprintable() or place in stays else c.encode("unicode_escape") for place, c in enumerate(row))
    return "".join(c if isinstance(c, str) else c.decode() for c in told)
