"""A question as the engine understands it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from exporter.rows import microseconds
from exporter.search._asking import Query
from exporter.search._entry import term
from exporter.search._needles import Needle
from exporter.search._store import Store, engine

if TYPE_CHECKING:
    import tantivy


def compiled(query: Query, needles: Sequence[Needle], threads: Iterable[str] | None, store: Store) -> tantivy.Query:
    """Return what finds the needles where the filters hold; `threads` are keys."""
    must, must_not = engine().Occur.Must, engine().Occur.MustNot
    parts = [(must, _needle(needle, store.schema)) for needle in needles]
    parts += [(must, _unscored(filtering)) for filtering in _filters(query, threads, store)]
    if not query.deleted:
        parts.append((must_not, store.term("deleted", word=True)))
    whole: tantivy.Query = engine().Query.boolean_query(parts)
    return whole


def _needle(needle: Needle, schema: tantivy.Schema) -> tantivy.Query:
    """Return what finds words behind each other; they hold no character that means anything in a regular expression."""
    make, words = engine().Query, list(needle.words)
    found: tantivy.Query
    if needle.open and len(words) == 1:
        found = make.regex_query(schema, "text", f"{words[0]}.*")
    elif needle.open:
        found = make.regex_phrase_query(schema, "text", [*words[:-1], f"{words[-1]}.*"])
    elif len(words) == 1:
        found = make.term_query(schema, "text", words[0])
    else:
        found = make.phrase_query(schema, "text", words)
    return found


def _filters(query: Query, threads: Iterable[str] | None, store: Store) -> Iterable[tantivy.Query]:
    make = engine().Query
    for name in ("user", "customer", "source", "role"):
        if (word := getattr(query, name)) is not None:
            yield store.term(name, term(word))
    if threads is not None:
        yield make.term_set_query(store.schema, "thread", list(threads))
    if query.since is not None or query.until is not None:
        begin, end = (None if time is None else microseconds(time) for time in (query.since, query.until))
        kind = engine().FieldType.Integer
        yield make.range_query(store.schema, "ts", kind, begin, None if end is None else end - 1)


def _unscored(query: tantivy.Query) -> tantivy.Query:
    """Return what finds the same and says nothing of how well it fits."""
    unscored: tantivy.Query = engine().Query.const_score_query(query, 0.0)
    return unscored
