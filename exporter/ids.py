"""Thread ids in whatever people have them: arguments, text, logs, URLs, CSV, JSON lines; streaming.

What is clearly a list of ids is taken word by word, and a word that is none is an error with its line.
In running text only what has a known prefix and looks made by a machine is an id: `thread_pool` is not.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from exporter.errors import UsageError
from exporter.model import Registration, ThreadRef, checked_id, printable
from exporter.pasted import no_beginning, no_key, other_thing
from exporter.sources import names, source_of

COLUMNS = {
    "id": ("threadid", "conversationid", "thread", "conversation", "sessionid", "session", "id"),
    "source": ("source",),
    "user": ("user", "userid"),
    "customer": ("customer", "customerid"),
    "title": ("title",),
    "tags": ("tags", "tag"),
}
"Of each field, the columns or keys it may stand in, the surest first; case and punctuation do not count."

DELIMITERS = ",;\t|"
TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_FIELDS = attrgetter("thread.source", "thread.endpoint", "thread.id", "profile", "user", "customer", "title", "tags")
LONG = 16
"Letters and digits after a prefix that make an id of a word even if there is no digit."


@dataclass(frozen=True, slots=True)
class Said:
    """What holds for every id of a call unless its own line says otherwise."""

    endpoint: str
    profile: str = "default"
    source: str | None = None
    user: str | None = None
    customer: str | None = None
    title: str | None = None
    tags: tuple[str, ...] | None = None


def entries(words: Iterable[str], said: Said, stdin: Iterable[str] = ()) -> Iterator[Registration]:
    """Yield each thread that the words name: ids, texts with ids, `@FILE`, or `-` for standard input."""
    seen: set[bytes] = set()
    for entry in itertools.chain.from_iterable(_word(word, said, stdin) for word in words):
        digest = hashlib.blake2b(repr(_FIELDS(entry)).encode("utf-8", "surrogatepass"), digest_size=12).digest()
        if digest not in seen:
            seen.add(digest)
            yield entry


def _word(word: str, said: Said, stdin: Iterable[str]) -> Iterator[Registration]:
    if word == "-":
        return _found(_lines(stdin, "standard input", said), "standard input")
    if word.startswith("@"):
        return _found(_file(Path(word[1:]), said), word[1:])
    return _text_line(word, "", said, argument=True)


def _file(path: Path, said: Said) -> Iterator[Registration]:
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from _lines(file, printable(str(path)), said)
    except OSError as error:
        raise UsageError(f"{printable(str(path))}: {error.strerror}; @ is followed by the name of a file") from None


def _found(found: Iterator[Registration], where: str) -> Iterator[Registration]:
    """Pass on what was found; nothing at all is an error."""
    first = next(found, None)
    if first is None:
        raise UsageError(f"{printable(where)}: no thread id in it; ids look like thread_abc123 or conv_abc123")
    return itertools.chain([first], found)


def _lines(lines: Iterable[str], where: str, said: Said) -> Iterator[Registration]:
    """Read lines as what their first one shows them to be: CSV with a header, JSON lines, or text."""
    numbered = itertools.dropwhile(lambda pair: not pair[1].strip(), enumerate(lines, 1))
    number, first = next(numbered, (0, ""))
    rest = itertools.chain([first], (line for _, line in numbered))
    if delimiter := _delimiter(first):
        return _csv(rest, delimiter, where, number - 1, said)
    read = _json_line if first.lstrip().startswith("{") else _text_line
    return itertools.chain.from_iterable(read(line, f"{where}:{at}: ", said) for at, line in enumerate(rest, number))


def _delimiter(header: str) -> str | None:
    """What separates the columns, if this line is a header with a column for ids."""
    for delimiter in DELIMITERS:
        try:
            columns = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:  # longer than any column's name
            continue
        if any(_plain(column) in COLUMNS["id"] for column in columns):
            return delimiter
    return None


def _csv(lines: Iterable[str], delimiter: str, where: str, before: int, said: Said) -> Iterator[Registration]:
    rows = csv.reader(lines, delimiter=delimiter)
    header = [_plain(column) for column in next(rows)]
    at = before + rows.line_num
    try:
        for row in rows:
            place, at = f"{where}:{at + 1}: ", before + rows.line_num
            if len(row) > len(header):
                raise UsageError(f"{place}{len(row)} columns, but the header has {len(header)}; quote what has commas")
            if any(cell.strip() for cell in row):
                yield _entry(dict(zip(header, (cell.strip() for cell in row), strict=False)), place, said)
    except csv.Error as error:
        raise UsageError(f"{where}:{at + 1}: {error}") from None


def _json_line(line: str, place: str, said: Said) -> Iterator[Registration]:
    if not line.strip():
        return
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{place}not a line of JSON: {error}") from None
    known = {_plain(key): value for key, value in fields.items()} if isinstance(fields, dict) else {}
    if any(known.get(key) for key in COLUMNS["id"]):
        yield _entry(known, place, said)
    else:
        yield from _in_text(line, said)


def _entry(fields: Mapping[str, Any], place: str, said: Said) -> Registration:
    """Make an entry of a row or an object."""
    got = {name: next((fields[key] for key in keys if fields.get(key)), None) for name, keys in COLUMNS.items()}
    if not got["id"]:
        raise UsageError(f"{place}no id; fill it in, or remove the line")
    texts = {name: _text(got[name], name, place) for name in ("id", "source", "user", "customer", "title")}
    return _made(
        str(texts["id"]),
        place,
        said,
        source=texts["source"],
        user=texts["user"] or said.user,
        customer=texts["customer"] or said.customer,
        title=texts["title"] or said.title,
        tags=_tags(got["tags"], place) or said.tags,
    )


def _text(value: Any, name: str, place: str) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{place}{name} is {type(value).__name__}, not a text")
    if value and any("\udc80" <= c <= "\udcff" for c in value):
        raise UsageError(f"{place}{name} is not UTF-8; save the file as UTF-8")
    return value or None


def _tags(value: Any, place: str) -> tuple[str, ...]:
    tags = value if isinstance(value, list) else re.split(r"[,;|]", _text(value, "tags", place) or "")
    texts = (_text(tag, "a tag", place) for tag in tags)
    return tuple(text.strip() for text in texts if text and text.strip())


def _text_line(line: str, place: str, said: Said, *, argument: bool = False) -> Iterator[Registration]:
    """Read a line of text: words that are ids, or running text that may have ids in it."""
    text = line.strip() if argument or "#" not in line else re.sub(r"(^|\s)#.*", "", line).strip()
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    if words and (said.source or all(source_of(word) for word in words)):
        yield from (_made(word, place, said) for word in words)
    elif found := list(_in_text(text, said)):
        yield from found
    elif len(words) == 1 and (argument or not (text.isalpha() or "://" in text)):
        yield _made(text, place, said)
    elif argument:
        raise UsageError(f"{text[:80]!r} holds no thread id; they look like thread_abc123 or conv_abc123")


def _in_text(text: str, said: Said) -> Iterator[Registration]:
    for match in TOKEN.finditer(text):
        token = match[0].strip("-_")
        rest = re.split(r"[_-]", token, maxsplit=1)[-1]
        made = any(map(str.isdigit, rest.split("_")[0]))  # resp_time_95 is a name with a number
        if source_of(token) and (made or (len(rest) >= LONG and rest.isalnum())):
            yield _made(token, "", said)


def _made(thread_id: str, place: str, said: Said, source: str | None = None, **owner: Any) -> Registration:
    try:
        checked_id(no_beginning(no_key(thread_id)))
    except UsageError as error:
        raise UsageError(f"{place}{error}") from None
    source = source or said.source or source_of(thread_id)
    if source is None:
        raise UsageError(f"{place}{_unknown(thread_id)}")
    if source not in _sources():
        raise UsageError(f"{place}there is no source {printable(source)!r}; there is {', '.join(_sources())}")
    owner = owner or {"user": said.user, "customer": said.customer, "title": said.title, "tags": said.tags}
    return Registration(ThreadRef(source, said.endpoint, thread_id), said.profile, **owner)


@cache
def _sources() -> tuple[str, ...]:
    return names()  # reads a folder: too slow for each line


def _unknown(thread_id: str) -> str:
    """Say what this id is, if it is known, else ask."""
    if (other := other_thing(thread_id)) is not None:
        return f"{thread_id}: {'; '.join(other)}"
    *most, last = _sources()
    kinds = f"{', '.join(most)} or {last}"
    return f"{thread_id}: what kind of thread is it? Say --source {kinds}; `exporter doctor {thread_id}` tries them all"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
