"""A conversation as entries that people read: who, when, what; tool calls folded, what is cited and pointed to beside.

The idea: here is what is told and in which order; a format only decides how it looks, and makes it harmless.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from exporter.formats._former import Former
from exporter.formats._remarks import Names, choices, remarks
from exporter.formats._steps import Call, Steps, value_of
from exporter.formats._story import Story, Told
from exporter.model import Record
from exporter.rows import identity
from exporter.text import clean, members, plain, readable

CALLS = ("tool_calls", "function_call")
"Fields of a message that are told as calls."


@dataclass(frozen=True, slots=True)
class File:
    """What a message points to."""

    name: str
    about: str
    "What it is, and why it is not kept."
    blob: str | None
    "Where its content lies, relative to the archive."


@dataclass(frozen=True, slots=True)
class Citation:
    """Where something comes from, as the server says."""

    label: str
    url: str | None = None
    file: File | None = None
    mark: str = ""
    "What stands for it in the text, where the server says so."
    place: int | None = None
    "Else: after how many characters of the text it belongs, where that can be told."


@dataclass(frozen=True, slots=True)
class Fold:
    """What is shown on demand: a call of a tool, what it gave, a thought."""

    title: str
    "Empty for what an entry itself is."
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading between entries."""

    title: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an entry said before it was changed."""

    seen: datetime
    "When it was archived so."
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a history."""

    who: str
    remarks: tuple[str, ...]
    place: str
    "Where it is: its position in its history."
    time: datetime | None
    "When the server made it; None where it does not say."
    text: str = ""
    folds: tuple[Fold, ...] = ()
    citations: tuple[Citation, ...] = ()
    files: tuple[File, ...] = ()
    deleted: tuple[datetime, str] | None = None
    key: str = ""
    "What tells it apart from the others of its thread, in hexadecimal digits; stays as long as the archive."
    earlier: tuple[Earlier, ...] = ()
    "What it said before, the oldest first."
    is_message: bool = field(default=True)
    "False for what is no object of its own: the calls of runs that ended without a message."


def entries(story: Story) -> Iterator[Section | Entry]:
    """Yield a conversation in its order: a chain from its first response, subagents after their session."""
    yield from beginning(story)
    for one in (*story.before, story):
        yield from named(story, one)
        yield from Reading(one).entries()


def beginning(story: Story) -> Iterator[Section]:
    """Say what is missing at the beginning of a conversation."""
    if story.circular:
        yield Section("This goes on from a later response: the server's chain is a circle")
    if story.missing is not None:
        known = story.archive.catalog.find(story.missing)
        why = (known.error if known else None) or "it is not in the archive; it may have expired before"
        yield Section(plain(f"Goes on from {story.missing.id}: {why}"))


def named(story: Story, one: Story) -> Iterator[Section]:
    """Name a thread of a conversation that is spread over several."""
    if story.before:
        yield Section(f"{one.thread.id}{' · gone' if one.gone else ''}")


class Reading:
    """What is told of one thread's entries: the names of its subagents, its files, what changed."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._names = Names(story.pages, story.thread)
        self._choices = choices(story.pages, story.thread)
        self._former = Former(story, "message")
        rows = list(story.rows("file"))
        self._files = {row["file_id"]: _file(row) for row in rows}
        self.pointed: dict[str | None, list[File]] = {}
        "Files, by the message that points to them."
        for row in rows:
            self.pointed.setdefault(row["message_id"], []).append(self._files[row["file_id"]])

    def close(self) -> None:
        """Let go of what lies on the disk meanwhile."""
        self._former.close()

    def entries(self) -> Iterator[Section | Entry]:
        """Yield them all."""
        parent = None
        with Steps(self._story) as steps:
            for one in self._story.told("message"):
                yield from self.heading(one, parent)
                parent = one.record.parent
                row = self._story.row(one)
                name = row["message_id"]
                files = () if name is None else self.pointed.pop(name, ())
                yield self.entry(one, row, steps.take(row.get("run_id")), files)
            yield from self.rest(steps.rest(), self.pointed)
        self.close()

    def heading(self, one: Told, parent: str | None) -> Iterator[Section]:
        """Name the subagent whose entries begin here."""
        if one.record.parent is not None and one.record.parent != parent:
            yield Section(f"Subagent {plain(self._names[one.record.parent])}")

    def rest(self, calls: Iterable[Call], pointed: Mapping[str | None, Sequence[File]]) -> Iterator[Section | Entry]:
        """Yield what belongs to no entry: calls of runs without a message, and files that no message points to."""
        if folds := tuple(map(_call, calls)):
            yield Entry("tools", ("of runs without a message",), "", None, folds=folds, is_message=False)
        if left := [file for files in pointed.values() for file in files]:
            yield Section("Files")
            yield Entry("files", (), "", None, files=tuple(left), is_message=False)

    def entry(self, one: Told, row: Mapping[str, Any], calls: Iterable[Call], files: Iterable[File]) -> Entry:
        """Return an entry, given as its table has it, with what its run called and what it points to."""
        fields = members(clean(one.record.body)) or {}
        speaks = row.get("role") is not None or row.get("type") == "message"
        words = _words(row, fields, speaks=speaks)
        folds = [_call(call) for call in calls]
        folds += [_call(call) for name in CALLS for call in _calls(fields.get(name))]
        if not speaks:
            folds.append(Fold("", words or _whole(one.record.body)))
        several = self._choices.get(one.record.seq) if one.record.id is None else None
        who = str(row.get("role") or "message") if speaks else _title(row, fields)
        told = (*remarks(row, self._names), *([several] if several else []), *_changed(row))
        return Entry(
            plain(who),
            tuple(map(plain, told)),
            f"#{row['seq']}",
            row.get("created_at"),
            words if speaks else "",
            tuple(folds),
            tuple(self._citations(fields, words)),
            tuple(files),
            one.deleted,
            identity(one.record).hex(),
            tuple(map(self._earlier, self._former.of(one))),
        )

    def _earlier(self, record: Record) -> Earlier:
        """Tell what an entry was before; what has no words is shown as it was sent."""
        row, fields = self._story.row(Told(record, {})), members(clean(record.body)) or {}
        speaks = row.get("role") is not None or row.get("type") == "message"
        return Earlier(record.observed_at, _words(row, fields, speaks=speaks) or _whole(record.body))

    def _citations(self, fields: Mapping[str, bytes], words: str) -> Iterator[Citation]:
        if b"annotations" not in fields.get("content", b""):
            return
        content = value_of(fields["content"].decode())
        for said, note in dict.fromkeys((said, json.dumps(note)) for said, note in _annotations(content)):
            yield self._citation(json.loads(note), said, words)

    def _citation(self, note: Mapping[str, Any], said: str, words: str) -> Citation:
        """Read an annotation of what was said, whatever API it is of."""
        inner = [note.get(name) for name in ("url_citation", "file_citation", "file_path", "source")]
        parts: list[Mapping[str, Any]] = [note, *(part for part in inner if isinstance(part, dict))]
        file = self._files.get(_text(parts, "file_id") or "")
        label = _text(parts, "title", "filename", "quote", "file_id", "url", "text") or str(note.get("type"))
        mark = _text([note], "text") or ""
        end = next((part["end_index"] for part in parts if isinstance(part.get("end_index"), int)), -1)
        # what was said is one of several parts, maybe; where it cannot be found, neither can a place in it
        begin = words.find(said) if said and 0 < end <= len(said) else -1
        place = begin + end if begin >= 0 else None
        return Citation(plain(file.name if file else label), _text(parts, "url"), file, mark, place)


def _annotations(content: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the notes of a content, each with the text that it is about."""
    for part in content if isinstance(content, list) else ():
        text = part.get("text") if isinstance(part, dict) else None
        for owner in (part, text):
            notes = owner.get("annotations") if isinstance(owner, dict) else None
            said = text.get("value") if isinstance(text, dict) else text
            for note in notes if isinstance(notes, list) else ():
                if isinstance(note, dict):
                    yield said if isinstance(said, str) else "", note


def _text(parts: Iterable[Mapping[str, Any]], *names: str) -> str | None:
    """Return the first text that one of the parts has under one of the names."""
    found = (part.get(name) for name in names for part in parts)
    return next((plain(one) for one in found if isinstance(one, str) and one), None)


def _calls(raw: bytes | None) -> list[Call]:
    value = value_of(raw.decode()) if raw else None
    return [call for call in (value if isinstance(value, list) else [value]) if isinstance(call, dict)]


def _call(call: Call) -> Fold:
    """Tell of a call in a message or a step; its own part is under its type."""
    kind = str(call.get("type") or "function")
    own = call.get(kind) if isinstance(call.get(kind), dict) else call
    name = next((part["name"] for part in (own, call) if isinstance(part, dict) and part.get("name")), None)
    return Fold(plain(f"{kind} · {name}" if name else kind), plain(json.dumps(own, ensure_ascii=False, indent=2)))


def _changed(row: Mapping[str, Any]) -> Iterator[str]:
    """Say that an entry was another one before, and when that was noticed last."""
    if times := row["revision"]:
        yield f"changed {'once' if times == 1 else f'{times} times'}, noticed {row['observed_at']:%Y-%m-%d %H:%M} UTC"


def _words(row: Mapping[str, Any], fields: Mapping[str, bytes], *, speaks: bool) -> str:
    """Return what an entry says; its calls are told apart from it."""
    said = {name: raw for name, raw in fields.items() if name not in CALLS}
    return plain((readable(said) if speaks and fields else row.get("text")) or "")


def _whole(body: bytes) -> str:
    return json.dumps(_parsed(body), ensure_ascii=False)


def _title(row: Mapping[str, Any], fields: Mapping[str, bytes]) -> str:
    kind = plain(str(row.get("type") or "?").removeprefix("chatkit."))
    name = value_of(fields["name"].decode()) if "name" in fields else None
    return f"{kind} · {plain(name)}" if isinstance(name, str) and name else kind


def _parsed(body: bytes) -> Any:
    return value_of(clean(body).decode())


def _file(row: Mapping[str, Any]) -> File:
    size = "" if row["bytes"] is None else f", {row['bytes']:,} bytes"
    what = f"{row['type'] or 'file'} {row['file_id']}{size}{', its text' if row['form'] == 'text' else ''}"
    why = ": ".join(str(row[name]) for name in ("reason", "detail") if row.get(name))
    kept = "" if row.get("blob") else ", not kept"
    return File(row["name"] or row["file_id"] or "file", f"{what}{kept}{f' ({why})' if why else ''}", row.get("blob"))
