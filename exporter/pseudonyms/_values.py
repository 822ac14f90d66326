"""Replaces in JSON, by the name of a field and by what a text looks like."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from exporter.pseudonyms import Pseudonyms
from exporter.pseudonyms._fields import KEPT, OURS, OWN, PLACES, REFERS, counts, is_id, is_in_parts, kind_of, of_one
from exporter.pseudonyms._inside import pieces
from exporter.pseudonyms._mails import only
from exporter.pseudonyms._names import Names
from exporter.pseudonyms._numbers import is_card, numbers, phone
from exporter.pseudonyms._patterns import is_data, spans

PLAIN = re.compile(r"[A-Za-z0-9_.:/+-]{1,80}")
ENDING = re.compile(
    r"\.(?:7z|avi|bmp|bz2|c|cfg|conf|cpp|cs|css|csv|db|docx?|eml|epub|gif|go|gz|h|heic|html?|ics|ini|ipynb|java|jpe?g"
    r"|jsonl?|jsx?|key|log|m4a|md|mkv|mov|mp[34]|mpe?g|mpga|msg|numbers|od[pst]|ogg|opus|pages|parquet|pdf|php|png|pptx?"
    r"|py|rar|rb|rst?|rtf|sh|sql|sqlite|srt|svg|tar|tex|tiff?|toml|tsx?|tsv|txt|vcf|vtt|wav|web[mp]|xls[bmx]?|xml|ya?ml|zip)",
    re.IGNORECASE,
)
"How files end; the end of another name may be a part of somebody's."
DEPTH = 200
SHORTEST = 5
"Characters of an id that is looked for in texts: `1` is none."


def _ids(value: Any, depth: int = 0, *, ours: bool = False) -> Iterator[tuple[str, str]]:
    """Yield what an object says to be an id, and of which kind."""
    if depth > DEPTH:
        raise RecursionError
    for name, one in value.items() if isinstance(value, dict) else ():
        if isinstance(one, str):
            if is_id(name):
                yield one, kind_of(name, own=False) or "id"
            elif ours and name in PLACES:
                yield one.rpartition(":")[2], "id"
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        if isinstance(one, dict | list):
            yield from _ids(one, depth + 1, ours=ours)


def _written(kind: str, name: str) -> list[str]:
    """Return how a name stands in a text; of a server with and without the port and the path."""
    if kind != "endpoint":
        return [name]
    parts = urlsplit(name)
    host = parts.hostname or ""
    asked = [parts.netloc + parts.path, parts.netloc] if parts.path or parts.port else []
    return [*asked, host] if "." in host else asked[: 2 if parts.port else 1]  # `localhost` alone is a word


class Redaction:
    """Replaces in the texts and objects of one thread; its people, its server and its own id are looked for by name."""

    def __init__(
        self, pseudonyms: Pseudonyms, people: Sequence[tuple[str, str | None]] = (), region: str | None = None
    ) -> None:
        self._pseudonyms, self._region = pseudonyms, region
        things = {text: (kind, name) for kind, name in people if name for text in _written(kind, name)}
        self._names = Names(things)
        self._ids: dict[str, str] = {}
        "Those that the object says in its fields: they are looked for in its texts, however they look."
        self._ours = False

    def body(self, body: bytes, own: str | None = None, *, ours: bool = False) -> bytes:
        """Return the object of an id, or a record of ours, with everything replaced; what is no JSON is left out."""
        try:
            return self._dumped(self.value(json.loads(body), own, ours=ours))
        except (ValueError, RecursionError):
            self._pseudonyms.counts["unreadable"] += 1
            return b"null"

    def value(self, value: Any, own: str | None = None, *, ours: bool = False) -> Any:
        """Return what JSON holds, with everything replaced; `RecursionError` where it is nested too deep."""
        self._ours = ours
        self._ids = {one: kind for one, kind in _ids(value, ours=ours) if len(one) >= SHORTEST}
        if own and len(own) >= SHORTEST:
            self._ids[own] = "id"
        return self._value(value, "")

    def text(self, text: str) -> str:
        """Return a text with pseudonyms in it."""
        if is_data(text):
            self._pseudonyms.counts["data"] += 1
            return f"[{len(text):,} characters of data]"
        return self._spanned(text)

    def _spanned(self, text: str) -> str:
        found = sorted(self._found(text), key=lambda one: (one[0], one[0] - one[1]))
        parts, at = [], 0
        for begin, end, kind, same in found:
            if begin >= at:
                parts += [text[at:begin], self._stand_in(kind, same)]
                at = end
            elif end > at:  # what begins inside of another, and reaches beyond it
                at = end
        return "".join([*parts, text[at:]])

    def _stand_in(self, kind: str, same: str) -> str:
        if kind == "id":
            return self._pseudonyms.id(same)
        return self._pseudonyms.host(same) if kind == "endpoint" else self._pseudonyms.of(kind, same)

    def _found(self, text: str) -> list[tuple[int, int, str, str]]:
        found = list(self._names.found(text))
        for told, kind in self._ids.items():
            if told in text:
                whole = re.finditer(rf"(?<![\w-]){re.escape(told)}(?![\w-])", text)
                found += [(one.start(), one.end(), kind, told) for one in whole]
        return [*found, *spans(text, self._region)]  # of two in the same place the one that is known counts

    def _value(self, value: Any, field: str, *, own: bool = False, depth: int = 0) -> Any:
        if depth > DEPTH:
            raise RecursionError
        if isinstance(value, dict):
            return self._members(value, field if own and is_in_parts(field) else "", own=own, depth=depth)
        if isinstance(value, list):
            return [self._value(one, of_one(field), own=own, depth=depth + 1) for one in value]
        if isinstance(value, str):
            return self._string(value, field, own=own, depth=depth)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value, field, own=own)
        return value

    def _number(self, value: float, field: str, *, own: bool) -> float | str:
        """Replace a number that its field says to be somebody's, and one that could be a card; another one stays."""
        kind = None if counts(field) else kind_of(field, own=own)
        if kind is None or kind == "file" or (isinstance(value, float) and not value.is_integer()):
            return self._pseudonyms.of("card", str(value)) if is_card(str(value)) else value
        text = str(int(value))
        return self._stand_in(*(self._names.whose(text) or self._same(kind, text)))

    def _members(self, value: dict[str, Any], whole: str, *, own: bool, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, one in value.items():
            key = self._spanned(name)
            field = "user" if name == "name" and "role" in value else name  # who takes part in a conversation
            if whole and kind_of(name, own=own) is None:
                field = whole
            made[key] = self._value(one, field, own=own or name in OWN, depth=depth + 1)
        return made

    def _string(self, value: str, field: str, *, own: bool, depth: int) -> str:
        if not value or (field in KEPT and not own and PLAIN.fullmatch(value)):
            return value
        if (known := self._names.whose(value)) is not None:
            return self._stand_in(*known)
        if (told := self._by_field(value, field, own=own)) is not None:
            return told
        return self._looked_into(value, depth) if own or (self._ours and field == "answer") else self.text(value)

    def _by_field(self, value: str, field: str, *, own: bool) -> str | None:
        """Replace what stands in a field that says what it is; None for any other."""
        if self._ours and field in OURS:
            return value if value == "default" else self._pseudonyms.of(field, value)
        kind = kind_of(of_one(field), own=own)
        if kind == "file":
            return self.file_name(value)
        if kind is not None:
            return self._stand_in(*self._same(kind, value))
        if field.lower() in REFERS and not re.search(r"\s", value):
            return self._pseudonyms.id(value)
        if field == "list" and ":" in value and not own:  # our own name of a list: what it lists, and of whom
            what, _, whose = value.partition(":")
            return f"{what}:{self._pseudonyms.id(whose)}"
        return None

    def _same(self, kind: str, value: str) -> tuple[str, str]:
        """Return of which kind a value of a field is, and what is the same for all ways of writing it."""
        if kind not in {"mail", "phone", "person"}:
            return kind, value
        if (mail := only(value)) is not None:
            return "mail", mail
        for begin, end, shape, same in numbers(value, self._region):
            if not (value[:begin] + value[end:]).strip():
                return shape, same
        if kind == "phone":
            return kind, phone(value, self._region)
        return ("user", value) if kind == "person" else (kind, value.strip().casefold())

    def _looked_into(self, text: str, depth: int) -> str:
        """Replace in a text and in the JSON that stands in it: what calls of tools are made of."""
        if is_data(text):
            return self.text(text)
        told, words = [], []
        for part, held in pieces(text):
            made = [self._value(one, "", own=True, depth=depth + 1) for one in held]
            if made == held:  # there may be something in it all the same: a member that is there twice
                words.append(part)
            else:
                told += [self._spanned("".join(words)), self._dumped(made[0]).decode()]
                words.clear()
        return "".join([*told, self._spanned("".join(words))])

    def file_name(self, name: str) -> str:
        """Return what stands for the name of a file: how it ends stays."""
        suffix = PurePosixPath(name).suffix
        return self._pseudonyms.of("file", name) + (suffix if ENDING.fullmatch(suffix) else "")

    @staticmethod
    def _dumped(value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode()
