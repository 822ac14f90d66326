"""What one list of a server does: how much fits on a page, in which order it comes, and whether it obeys `order`.

Found out with at most three questions after the first object is known; what they do not prove stays unknown (None).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from exporter.doctor._probe import Probe, Question, refused
from exporter.errors import BudgetReached, Temporary
from exporter.sources import Answer

MANY = 101
"One more than a backup asks for at once; what a server takes beyond that makes no difference."
MAXIMUM = re.compile(r"(?:<=|equal to|at most|max\w*(?: value)?(?: of| is|:)?)\s*['\"]?(\d+)", re.IGNORECASE)

Order = Literal["asc", "desc"]
How = Literal["named", "capped", "above"]


@dataclass(frozen=True, slots=True)
class Traits:
    """What was seen of one list."""

    page_maximum: int | None = None
    page_maximum_from: How | None = None
    "The server named it, gave no more than that, or gave more than a backup asks for."
    default_order: Order | None = None
    order_obeyed: bool | None = None


@dataclass(frozen=True, slots=True)
class _Objects:
    """The objects of a page."""

    names: tuple[str, ...]
    times: tuple[float, ...]
    more: bool

    @property
    def order(self) -> Order | None:
        """How the times go, where they go one way."""
        if any(a < b for a, b in pairwise(self.times)):
            return None if any(a > b for a, b in pairwise(self.times)) else "asc"
        return "desc" if any(a > b for a, b in pairwise(self.times)) else None


async def observe(probe: Probe, question: Question) -> Traits:
    """Ask a list what it does; what cannot be asked any more is not known."""
    try:
        return await _observed(probe, question)
    except (BudgetReached, Temporary):
        return Traits()


async def _observed(probe: Probe, question: Question) -> Traits:
    first = _objects(question.first)
    answer = await _ask(probe, question, limit=MANY, order="asc")
    many = _objects(answer)
    maximum, how = _maximum(answer, MANY)
    if first is None or not first.names or not (first.more or (many and len(many.names) > 1)):
        return Traits(maximum, how)
    # what a server names as its maximum it does not always give
    limit = maximum if maximum is not None and how == "named" else 2
    answer = await _ask(probe, question, limit=limit)
    plain = _objects(answer)
    if how == "named" and (seen := _maximum(answer, limit))[1] in ("named", "capped"):
        maximum, how = seen
    falls = (many and many.order) or (plain and plain.order) or None
    if not question.ordered:
        return Traits(maximum, how, falls)
    newest = _objects(await _ask(probe, question, limit=1, order="desc"))
    if not newest or not newest.names:
        return Traits(maximum, how)
    obeyed = newest.names[0] != first.names[0]
    return Traits(maximum, how, _default(plain, first, newest) if obeyed else falls, obeyed)


def _default(plain: _Objects | None, first: _Objects, newest: _Objects) -> Order | None:
    begins = plain.names[0] if plain and plain.names else None
    orders: dict[str | None, Order] = {first.names[0]: "asc", newest.names[0]: "desc"}
    return orders.get(begins)


async def _ask(probe: Probe, question: Question, *, limit: int, order: Order | None = None) -> Answer:
    if probe.asked >= probe.most:
        raise BudgetReached("enough was asked")
    asked = (("order", order),) if order and question.ordered else ()
    return await probe.ask(question.path, (("limit", str(limit)), *asked, *question.params), question.headers)


def _maximum(answer: Answer, asked: int) -> tuple[int | None, How | None]:
    """Return how much fits on a page, and how that is known, from the answer to a question for so many."""
    found = _objects(answer)
    if found is not None:
        if len(found.names) >= asked:
            return len(found.names), "above"
        return (len(found.names), "capped") if found.more and found.names else (None, None)
    no = refused(answer)
    said = MAXIMUM.search(no.text) if no and no.status in (400, 422) else None
    return (int(said[1]), "named") if said and 0 < int(said[1][:9]) < asked else (None, None)


def _objects(answer: Answer) -> _Objects | None:
    """Read the objects of a page; None where it is no list."""
    try:
        body = json.loads(answer.body) if answer.status == 200 else None
    except (ValueError, RecursionError):
        return None
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list):
        return None
    more = isinstance(body, dict) and body.get("has_more") in (True, "true")
    times = (one.get("created_at", one.get("created")) for one in data if isinstance(one, dict))
    known = tuple(float(time) for time in times if isinstance(time, int | float))
    return _Objects(tuple(map(_name, data)), known, more)


def _name(one: Any) -> str:
    """What tells an object from others: its id, else all of it."""
    name = one.get("id") if isinstance(one, dict) else None
    return name if isinstance(name, str) else json.dumps(one, sort_keys=True)
