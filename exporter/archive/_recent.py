"""Threads by newest activity, page by page: what a list that people scroll asks of the catalog.

The idea: a page goes on behind the last row of the one before, along an index, and never counts from the beginning.
What no index answers, such as a word in a title, is looked for in so many rows; then the page ends, short or empty, and
tells where to go on. So each page takes the same time, however many threads there are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from exporter.archive._compact import seconds
from exporter.archive._many import plain
from exporter.archive._schema import threads
from exporter.archive.catalog import Catalog, Known
from exporter.errors import UsageError

LOOKED = 20_000
"Rows that are looked at for one page."
_KEY = re.compile(r"([0-9]{0,15})-([0-9]{1,18})")
_TEXTS = ("title", "id", "user", "customer")
_ACTIVE = seconds(threads.c.active_at)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which threads; None stands for all."""

    text: str | None = None
    "What the title, the id, the user or the customer has in it; upper and lower case are the same."
    user: str | None = None
    customer: str | None = None
    source: str | None = None
    state: str | None = None

    @property
    def equal(self) -> dict[str, str]:
        """The columns that have to be equal to something."""
        named = {name: getattr(self, name) for name in ("user", "customer", "source", "state")}
        return {name: plain(value) for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Key:
    """A place in the order: by newest activity, then by number; those without any activity come last."""

    active: int | None
    no: int

    def __str__(self) -> str:
        return f"{'' if self.active is None else self.active}-{self.no}"

    @classmethod
    def read(cls, text: str) -> Key:
        """Return what `str` made a text of; `UsageError` for any other text."""
        found = _KEY.fullmatch(text)
        if not found:
            raise UsageError(f"{text[:40]!r} is no place in the list")
        return cls(int(found[1]) if found[1] else None, int(found[2]))


@dataclass(slots=True)
class Recent:
    """A page of the list."""

    threads: list[Known] = field(default_factory=list)
    next: Key | None = None
    "Where to go on; None: that was all."


def recent(catalog: Catalog, wanted: Filter, after: Key | None = None, limit: int = 50) -> Recent:
    """Return the threads that come after a place, the newest activity first: so many at most."""
    if wanted.text and after is None and (named := catalog.named(wanted.text)):
        return Recent([one for one in named if _equals(one, wanted)])
    found: list[Key] = []
    end: Key | None = None
    for active in (True, False):
        if after is not None and active is (after.active is None):
            continue  # what has any activity lies behind us already
        news, end = _look(catalog, wanted, after, limit + 1 - len(found), active=active)
        found += news
        if len(found) > limit:
            del found[limit:]
            end = found[-1]
        if end is not None:
            break
        after = None
    return Recent(list(catalog.numbered(one.no for one in found)), end)


def _look(
    catalog: Catalog, wanted: Filter, after: Key | None, limit: int, *, active: bool
) -> tuple[list[Key], Key | None]:
    """Look through one part of the order: what was found, and where to go on if the part did not end."""
    part = _part(wanted, after, active=active).limit(LOOKED)
    rows = part.subquery()
    found = catalog.rows(sa.select(rows.c.active, rows.c.no).where(*_tests(rows, wanted)).limit(limit))
    keys = [Key(at, no) for at, no in found]
    if len(keys) == limit:
        return keys, None
    places = part.with_only_columns(_ACTIVE, threads.c.no).offset(LOOKED - 1).limit(1)
    return keys, next((Key(at, no) for at, no in catalog.rows(places)), None)


def _part(wanted: Filter, after: Key | None, *, active: bool) -> sa.Select[Any]:
    """Ask for the threads with activity, or for those without, in order and from a place on."""
    columns = (threads.c.no, _ACTIVE.label("active"), *threads.c["title", "id", "user", "customer", "source", "state"])
    query = sa.select(*columns).order_by(_ACTIVE.desc(), threads.c.no.desc())
    query = query.where(threads.c.active_at.is_not(None) if active else threads.c.active_at.is_(None))
    if wanted.user is not None:
        query = query.where(threads.c.user == wanted.equal["user"])
    if after is not None and active:
        query = query.where(sa.tuple_(_ACTIVE, threads.c.no) < sa.tuple_(after.active, after.no))
    elif after is not None:
        query = query.where(threads.c.no < after.no)
    return query


def _tests(rows: Any, wanted: Filter) -> list[sa.ColumnElement[bool]]:
    tests = [rows.c[name] == value for name, value in wanted.equal.items()]
    if wanted.text:
        text = plain(wanted.text)  # SQLite knows upper and lower case of ASCII only
        words = dict.fromkeys((text, text.lower(), text.upper(), text.title()))
        tests.append(sa.or_(*(rows.c[name].contains(word, autoescape=True) for name in _TEXTS for word in words)))
    return tests


def _equals(one: Known, wanted: Filter) -> bool:
    return all((one.thread.source if name == "source" else getattr(one, name)) == v for name, v in wanted.equal.items())
