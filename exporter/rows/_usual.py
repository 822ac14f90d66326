"""The columns of many messages at once, where they look as nearly all do: what `row` gives, at a tenth of its cost.

The idea: messages that have the same fields in the same order are taken column by column, their bodies as they are.
Whatever is unusual in a message (a field that has other names elsewhere, words in other places than `content`, half of
a surrogate pair, a type that says who speaks) leaves it to `row`; so there is one mapping, and this is its fast lane.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from exporter.model import Record
from exporter.rows._shapes import OTHER_NAMES, ROLES, SHAPES
from exporter.rows._times import SANE, WHOLE_SECONDS, microseconds, moment
from exporter.text import WORDY, clean, named, plain, readable, string

Columns = dict[str, list[Any]]
"Texts as `str` or as UTF-8 bytes, times as microseconds since 1970; a column that is not there is null throughout."

_SHAPE = SHAPES["message"]
_ELSEWHERE = {name for names in OTHER_NAMES.values() for name in names}
_USUAL = "message"
_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class _Value(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    value: str | None = None
    annotations: msgspec.Raw = msgspec.Raw()


class _Part(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: msgspec.Raw = msgspec.Raw()
    text: str | _Value | None = None
    annotations: msgspec.Raw = msgspec.Raw()
    logprobs: msgspec.Raw = msgspec.Raw()


_Content = str | list[str | _Part] | None
_CONTENT: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Content)
_CONTENTS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[_Content])


@dataclass(slots=True)
class Usual:
    """Messages that are usual, as columns; `which` are their places among those that were given."""

    which: list[int]
    columns: Columns


def usual(records: Sequence[Record]) -> tuple[list[Usual], list[int]]:
    """Return the columns that the bodies of messages fill, and the places of those that are left to `row`."""
    groups: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    left: list[int] = []
    bodies = _objects(records)
    for at, fields in enumerate(bodies):
        names = () if fields is None or records[at].parent is not None else tuple(fields)
        if _is_usual(names):
            groups[names].append(at)
        else:
            left.append(at)
    found: list[Usual] = []
    for names, which in groups.items():
        values = zip(*(map(bytes, (bodies[at] or {}).values()) for at in which), strict=True)
        group = _Group([records[at] for at in which], dict(zip(names, values, strict=True)))
        odd = group.odd()
        if odd:
            left += [which[at] for at in odd]
            which = [at for place, at in enumerate(which) if place not in odd]  # noqa: PLW2901
            again, rest = usual([records[at] for at in which])
            found += [Usual([which[at] for at in one.which], one.columns) for one in again]
            left += [which[at] for at in rest]
        else:
            found.append(Usual(which, group.columns()))
    return found, left


def _objects(records: Sequence[Record]) -> list[dict[str, msgspec.Raw] | None]:
    """Return the members of each body; None where it is no object, or has to be cleaned first."""
    joined = b",".join([record.body for record in records])
    if clean(joined) == joined:
        try:
            found = _OBJECTS.decode(b"[%b]" % joined)
        except (msgspec.MsgspecError, RecursionError):
            found = []
        if len(found) == len(records):
            return list(found)
    return [] if not records else [None] if len(records) == 1 else [*_halved(records)]


def _halved(records: Sequence[Record]) -> Iterable[dict[str, msgspec.Raw] | None]:
    """Look at each half, so that one odd body does not make all others slow."""
    middle = len(records) // 2
    yield from _objects(records[:middle])
    yield from _objects(records[middle:])


@lru_cache(4096)
def _is_usual(names: tuple[str, ...]) -> bool:
    """Tell whether objects with these fields speak in `content` alone, and no field has its other name."""
    if "role" not in names or "content" not in names:
        return False
    return _ELSEWHERE.isdisjoint(names) and WORDY.intersection(names) == {"content"}


class _Group:
    """Messages that have the same fields in the same order."""

    def __init__(self, records: list[Record], sent: dict[str, tuple[bytes, ...]]) -> None:
        self._records, self._sent = records, sent
        self._rest: list[Iterable[bytes]] = []

    def odd(self) -> set[int]:
        """Return the places of those whose type says who speaks."""
        types = self._sent.get("type", ())
        odd = {raw for raw in set(types) if string(raw) in ROLES}
        return {at for at, raw in enumerate(types) if raw in odd} if odd else set()

    def columns(self) -> Columns:
        """Return the columns; what they do not tell is `extra_json`."""
        out: Columns = {"type": [_USUAL] * len(self._records)}
        for name, values in self._sent.items():
            if name == "id":
                self._id(values)
            elif name == "type":
                self._type(values, out)
            elif name in _SHAPE.texts:
                self._text(name, values, out)
            elif name in _SHAPE.times:
                self._time(name, values, out)
            elif name in _SHAPE.jsons:
                out[_SHAPE.jsons[name]] = self._unless(name, values, lambda raw: raw == b"null")
            else:
                self._keep(name, values)
        out["text"] = _texts(self._sent["content"])
        if self._rest:
            told = map(b"".join, zip(*self._rest, strict=True))
            out["extra_json"] = [b"{%b}" % pieces[:-1] if pieces else None for pieces in told]
        return out

    def _keep(self, name: str, values: Iterable[bytes]) -> None:
        key = named(name)
        self._rest.append([b"%b%b," % (key, raw) for raw in values])

    def _unless(self, name: str, values: tuple[bytes, ...], kept: Callable[[bytes], bool]) -> list[bytes | None]:
        """Return the values, but for those that are kept in `extra_json`."""
        keeps = [kept(raw) for raw in values]
        if not any(keeps):
            return list(values)
        key = named(name)
        self._rest.append([b"%b%b," % (key, raw) if keep else b"" for raw, keep in zip(values, keeps, strict=True)])
        return [None if keep else raw for raw, keep in zip(values, keeps, strict=True)]

    def _id(self, values: tuple[bytes, ...]) -> None:
        ids = [None if record.id is None else _quick(record.id) for record in self._records]
        told = [string(raw) == name and name is not None for raw, name in zip(values, ids, strict=True)]
        if not all(told):
            key = named("id")
            self._rest.append([b"" if is_ else b"%b%b," % (key, raw) for raw, is_ in zip(values, told, strict=True)])

    def _type(self, values: tuple[bytes, ...], out: Columns) -> None:
        said = {raw: string(raw) for raw in set(values)}
        out["type"] = [_USUAL if (text := said[raw]) is None else text for raw in values]
        self._unless("type", values, lambda raw: said[raw] in (None, _USUAL))

    def _text(self, name: str, values: tuple[bytes, ...], out: Columns) -> None:
        different = set(values)
        said = {raw: string(raw) for raw in different}
        out[_SHAPE.texts[name]] = [said[raw] for raw in values]
        if None in said.values():
            self._unless(name, values, lambda raw: said[raw] is None)

    def _time(self, name: str, values: tuple[bytes, ...], out: Columns) -> None:
        times = [_whole(raw) for raw in values]
        if None in times:
            exact = times
            times = [_moment(raw) if time is None else time for raw, time in zip(values, exact, strict=True)]
            kept = {raw for raw, time in zip(values, exact, strict=True) if time is None}
            self._unless(name, values, kept.__contains__)
        out[_SHAPE.times[name]] = times


def _whole(raw: bytes) -> int | None:
    """Return the microseconds of a sane time in whole seconds."""
    if WHOLE_SECONDS.fullmatch(raw) and SANE[0] <= (seconds := int(raw)) < SANE[1]:
        return seconds * 1_000_000
    return None


def _moment(raw: bytes) -> int | None:
    time = moment(raw)
    return None if time is None else microseconds(time)


def _quick(text: str) -> str:
    return text if text.isascii() else plain(text)


def _texts(values: tuple[bytes, ...]) -> list[str | None]:
    """Return what a person would read in each content."""
    try:
        contents = _CONTENTS.decode(b"[%b]" % b",".join(values))
    except (msgspec.MsgspecError, RecursionError):
        return [_readable(raw) for raw in values]
    return [_words(content) for content in contents]


def _readable(raw: bytes) -> str | None:
    try:
        return _words(_CONTENT.decode(raw))
    except (msgspec.MsgspecError, RecursionError):
        return readable({"role": b"", "content": raw})


def _words(content: Any) -> str | None:
    """Return the words of a content that is text alone, its parts one per line."""
    if content is None or isinstance(content, str):
        return content
    found: list[str] = []
    for part in content:
        text = part if isinstance(part, str) else part.text
        if isinstance(text, _Value):
            text = text.value
        if text is not None:
            found.append(text)
    return "\n".join(found) if found else None
