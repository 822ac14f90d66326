"""An archive as a stranger may see it: the same threads and objects, with pseudonyms for whatever says whose they are.

The idea: formats ask an archive for threads and pages, and need not know that what they are given was replaced.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Self
from unicodedata import normalize
from urllib.parse import urlsplit

from exporter.archive.catalog import Known
from exporter.formats._chain import before
from exporter.formats._pages import Page, Registry, Shelf
from exporter.formats._story import Wanted
from exporter.model import Record, ThreadRef
from exporter.pseudonyms import Pseudonyms
from exporter.pseudonyms._values import Redaction

PUBLIC = frozenset({"api.openai.com"})
"Hosts that say nothing about who asks them."
USUAL = "default"
"The name of a profile that says nothing either."
OURS = frozenset({"registration", "visit", "deletion"})
"Kinds of records whose words are this program's."
LEFT_OUT = "pseudonymised"
"Why a file's content is not there."


class Pseudonymous:
    """See `Shelf`; every thread it names has a pseudonym, and is asked for by that. `close` it."""

    def __init__(
        self, archive: Shelf, pseudonyms: Pseudonyms, region: str | None = None, names: Iterable[str] = ()
    ) -> None:
        self.path = archive.path
        self._archive, self._names = archive, pseudonyms
        self.catalog = _Registry(archive.catalog, pseudonyms, region, names)

    def wanted(self, wanted: Wanted) -> Wanted:
        """Return what is wanted, in the words of this archive; only threads whose real owner and tag are meant."""
        return self.catalog.wanted(wanted)

    def thread_pages(self, thread: ThreadRef, kind: str) -> Iterator[Page]:
        """See `Reader.thread_pages`."""
        real = self.catalog.real(thread)
        if real is None:
            return
        redaction = self.catalog.redaction(real)
        if kind == "thread" and (earlier := before(self._archive, real)) is not None:
            self.catalog.ref(earlier)  # it may be asked for by what it is called here
        for number, mark, records in self._archive.thread_pages(real, kind):
            yield number, mark, [self._hidden(record, thread, redaction) for record in records]

    def _hidden(self, record: Record, thread: ThreadRef, redaction: Redaction) -> Record:
        if record.kind == "file":
            body = _file(redaction, record.body, record.id)
        else:
            body = redaction.body(record.body, record.id, ours=record.kind in OURS)
        own = self._names.id(record.id) if record.id is not None else None
        parent = self._names.id(record.parent) if record.parent is not None else None
        return replace(record, thread=thread, id=own, parent=parent, body=body)

    def close(self) -> None:
        """Forget which pseudonym is whose."""
        self.catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Registry:
    """See `Registry`. Who is who lies in a private temporary database, so that any number of threads passes."""

    def __init__(self, registry: Registry, names: Pseudonyms, region: str | None, more: Iterable[str]) -> None:
        self._registry, self._names, self._region = registry, names, region
        self._more = [("name", normalize("NFC", " ".join(one.split()))) for one in more]
        self._db = sqlite3.connect("")  # gone when closed
        self._db.execute("CREATE TABLE threads (pseudonym TEXT PRIMARY KEY, thread TEXT) WITHOUT ROWID")
        self._asked: dict[str, str] = {}
        "What was asked for, by what it is called here."
        self.redaction = lru_cache(maxsize=256)(self._redaction)

    def close(self) -> None:
        self._db.close()

    def wanted(self, wanted: Wanted) -> Wanted:
        """See `Pseudonymous.wanted`."""
        for kind, name in (("user", wanted.user), ("customer", wanted.customer)):
            if name is not None:
                self._asked[self._names.of(kind, name)] = name
        return replace(
            wanted,
            user=wanted.user and self._names.of("user", wanted.user),
            customer=wanted.customer and self._names.of("customer", wanted.customer),
            tag=wanted.tag and self._names.of("tag", wanted.tag),
        )

    def find(self, thread: ThreadRef) -> Known | None:
        """See `Registry.find`."""
        real = self.real(thread)
        found = real and self._registry.find(real)
        return self._hidden(found) if found else None

    def named(self, thread_id: str) -> list[Known]:
        """See `Registry.named`; the id is the real one."""
        return [self._hidden(one) for one in self._registry.named(thread_id)]

    def known(self, **equal: str | None) -> Iterator[Known]:
        """See `Registry.known`."""
        real = {column: self._asked.get(value, value) if value else value for column, value in equal.items()}
        return (self._hidden(one) for one in self._registry.known(**real))

    def kinds_of(self, thread: ThreadRef) -> set[str]:
        """See `Registry.kinds_of`."""
        real = self.real(thread)
        return self._registry.kinds_of(real) if real else set()

    def real(self, thread: ThreadRef) -> ThreadRef | None:
        """Return whose pseudonym this is; None for a thread that nobody was told of."""
        row = self._db.execute("SELECT thread FROM threads WHERE pseudonym = ?", (_key(thread),)).fetchone()
        return ThreadRef(*json.loads(row[0])) if row else None

    def ref(self, thread: ThreadRef) -> ThreadRef:
        """Return what stands for a thread."""
        made = replace(thread, endpoint=self._endpoint(thread.endpoint), id=self._names.id(thread.id))
        self._db.execute("INSERT OR IGNORE INTO threads VALUES (?, ?)", (_key(made), _key(thread)))
        return made

    def _endpoint(self, url: str) -> str:
        return url if _is_public(url) else f"https://{self._names.host(url)}"

    def _redaction(self, thread: ThreadRef) -> Redaction:
        known = self._registry.find(thread)
        things = _things(known) if known else []
        return Redaction(self._names, [*self._more, *things], self._region)

    def _hidden(self, known: Known) -> Known:
        redaction, names = self.redaction(known.thread), self._names
        return replace(
            known,
            thread=self.ref(known.thread),
            profile=known.profile if known.profile == USUAL else names.of("profile", known.profile),
            user=known.user and names.of("user", known.user),
            customer=known.customer and names.of("customer", known.customer),
            title=known.title and redaction.text(known.title),
            tags=tuple(names.of("tag", tag) for tag in known.tags),
            via=known.via and names.id(known.via),
            error=known.error and redaction.text(known.error),
            body=None,
        )


def _is_public(endpoint: str) -> bool:
    return (urlsplit(endpoint).hostname or "") in PUBLIC


def _things(known: Known) -> list[tuple[str, str | None]]:
    """Return what is replaced wherever it stands in a thread: its people, its server, its own id."""
    endpoint = None if _is_public(known.thread.endpoint) else known.thread.endpoint
    profile = None if known.profile == USUAL else known.profile
    served = [("endpoint", endpoint), ("profile", profile)]
    return [*served, ("customer", known.customer), ("user", known.user), ("id", known.thread.id)]


def _file(redaction: Redaction, body: bytes, own: str | None) -> bytes:
    """Return our record of a file without its content: that may say anything, and is no text to be looked through."""
    fields = json.loads(body)
    told = redaction.value(fields, own) | {"sha256": None, "form": None, "reason": fields["reason"] or LEFT_OUT}
    told["name"] = fields["name"] and redaction.file_name(fields["name"])
    return json.dumps(told).encode()


def _key(thread: ThreadRef) -> str:
    return json.dumps([thread.source, thread.endpoint, thread.id])
