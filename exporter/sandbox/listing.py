"""One list endpoint: read the question, take the page, splice the envelope.

Every list of every API goes through `answer_list`; what differs between them is in its `ListKind`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from exporter.sandbox import raw
from exporter.sandbox.answers import (
    Answer,
    Ask,
    Refusal,
    bad_limit,
    bad_order,
    not_a_number,
    ok,
    unknown_cursor,
)
from exporter.sandbox.includes import ITEM_LOCKS, STEP_LOCKS, Lock, lock, opened
from exporter.sandbox.lies import bent, bent_view, page
from exporter.sandbox.lists import Query, Slice, UnknownCursor, View, everything
from exporter.sandbox.previews import addressed
from exporter.sandbox.series import Entry


class ListKind(NamedTuple):
    """How one kind of list differs from the others."""

    noun: str
    order: str = "desc"
    least: int = 1
    most: int = 100
    limit: int = 20
    before: bool = True
    locks: dict[str, Lock] = {}  # noqa: RUF012 - a table, never changed
    within: tuple[str, ...] = ()
    """Where in its objects the lockable items are; they are such items themselves where nothing is said."""


LISTS: dict[str, ListKind] = {
    "threads": ListKind("threads"),
    "messages": ListKind("messages"),
    "runs": ListKind("runs"),
    "steps": ListKind("steps", locks=STEP_LOCKS),
    "conversations": ListKind("conversations"),
    "items": ListKind("items", before=False, locks=ITEM_LOCKS),
    "assistants": ListKind("assistants"),
    "files": ListKind("files", most=10_000, limit=10_000, before=False),
    "chatkit": ListKind("chatkit", least=0),
    "chatkit_items": ListKind("chatkit_items", least=0),
    "completions": ListKind("completions", order="asc", before=False),
    "completion_messages": ListKind("completion_messages", order="asc", before=False),
    "responses": ListKind("responses", before=False, locks=ITEM_LOCKS, within=("output", "*")),
    "input_items": ListKind("input_items", before=False, locks=ITEM_LOCKS),
    "sessions": ListKind("sessions", before=False),
    "session_items": ListKind("session_items", before=False),
    "turns": ListKind("turns", before=False),
    "subagents": ListKind("subagents", before=False),
    "artifacts": ListKind("artifacts", before=False),
    "traces": ListKind("traces", before=False),
    "containers": ListKind("containers", before=False),
    "container_files": ListKind("container_files", before=False),
    "vector_stores": ListKind("vector_stores"),
    "vector_files": ListKind("vector_files"),
}
"""Every list of every API."""


def answer_list(ask: Ask, name: str, view: View, keep: Callable[[Entry], bool] = everything) -> Answer:
    """Answer one page of a list, as honestly as the switches allow."""
    kind = LISTS[name]
    if name == "completions" and ask.state.dialect == "live":
        kind = kind._replace(order="desc")  # 52 of 52 recorded pages, against the description
    question = _query(ask, kind)
    included = opened(ask, kind.locks)
    lies = ask.lies | {"unknown_after_restarts"} if ask.switches.lenient else ask.lies
    try:
        found = page(bent_view(view, ask.lies), question, keep, lies, kind.order)
    except UnknownCursor as error:
        raise Refusal(unknown_cursor(kind.noun, error.param, error.name)) from error
    bodies = [dressed(ask, entry.raw, kind, included) for entry in found.entries]
    return ok(_envelope(ask, question, found, bodies))


def answer_one(ask: Ask, name: str, body: bytes) -> Answer:
    """Answer a single object that belongs to a list of this name."""
    kind = LISTS[name]
    return ok(dressed(ask, body, kind, opened(ask, kind.locks)))


def dressed(ask: Ask, body: bytes, kind: ListKind, included: frozenset[str]) -> bytes:
    """Return an object's bytes as this request sees them: locked fields closed, lies told."""
    if kind.locks:
        body = raw.changed(body, kind.within, lambda item: lock(item, kind.locks, included))
    body = addressed(ask, body)
    return bent(body, ask.lies) if ask.lies else body


def _query(ask: Ask, kind: ListKind) -> Query:
    given = ask.param("limit")
    try:
        limit = kind.limit if given is None else int(given)
    except ValueError:
        raise Refusal(not_a_number(str(given))) from None
    least = 0 if ask.switches.lenient else kind.least
    if not least <= limit <= kind.most:
        raise Refusal(bad_limit(limit, low=least, high=kind.most))
    high = ask.switches.max_limit
    if limit > high and "limit_too_large_400" in ask.lies:
        raise Refusal(bad_limit(limit, low=least, high=high))
    if limit > high and "limit_too_large_422" in ask.lies:
        raise Refusal(_unprocessable(limit, high))
    if "limit_silently_capped" in ask.lies:
        limit = min(limit, high)
    order = ask.param("order") or kind.order
    if order not in ("asc", "desc"):
        raise Refusal(bad_order(order))
    before = ask.param("before") if kind.before or ask.face.before else None
    return Query(limit, order, ask.param("after") or None, before or None)


def _unprocessable(limit: int, high: int) -> Answer:
    """HTTP 422 as frameworks send it."""
    message = f"Input should be less than or equal to {high}"
    detail = {"type": "less_than_equal", "loc": ["query", "limit"], "msg": message, "input": str(limit)}
    return Answer(422, raw.text({"detail": [{**detail, "ctx": {"le": high}}]}))


def _envelope(ask: Ask, question: Query, found: Slice, bodies: list[bytes]) -> bytes:
    lies = ask.lies
    first: str | None = found.entries[0].id if found.entries else None
    last: str | None = found.entries[-1].id or found.entries[-1].cursor if found.entries else None
    if bodies and lies & {"null_ids", "null_ids_and_cursor"}:
        bodies[-1] = raw.with_field(bodies[-1], "id", b"null")
        last = None if "null_ids_and_cursor" in lies else last
    if not bodies and "empty_page_has_more" in lies:
        first = last = question.after
    if "drops_envelope_empty_strings" in lies:
        first = last = ""
    ids = b"" if "no_envelope_ids" in lies else b'"first_id":%b,"last_id":%b,' % (raw.text(first), raw.text(last))
    more = b"true" if found.more else b"false"
    return b'{"object":"list","data":[%b],%b"has_more":%b}' % (b",".join(bodies), ids, more)
