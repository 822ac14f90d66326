"""What the visits of a thread say together: its state, and what is known to be missing.

The idea: a visit tells all that is open, so what it does not name any more is closed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from exporter.model import BY_US, Record
from exporter.text import loads, plain

Visits = list[tuple[int, Record]]
"In order, with the number of their manifest."


def visited(
    visits: Visits,
    observed_at: datetime,
    state: str | None = None,
    gone_since: datetime | None = None,
    why: str | None = None,
) -> dict[str, Any]:
    """Return what the visits say of a thread's state, as columns of its row; goes on from what earlier ones said."""
    for _, visit in visits:
        said = _said(visit)
        state = said.get("state")
        observed_at = max(observed_at, visit.observed_at)
        gone_since = (gone_since or visit.observed_at) if state == "gone" else None
        why = _why(said) if state == "gone" else None
    return {"state": state, "observed_at": observed_at, "deleted_at": gone_since, "deleted_reason": why}


def _why(said: dict[str, Any]) -> str:
    """Return why a thread is gone: we deleted it, or the server has it no more, whoever deleted it."""
    return BY_US if said.get("code") == BY_US else "gone"


def gaps(visits: Visits, since: int) -> tuple[dict[tuple[str, str], dict[str, Any]], set[Any]]:
    """Return the gaps by list and reason, open and closed, and which of them changed after manifest `since`."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    changed = set()
    for number, visit in visits:
        named = {(str(gap.get("list")), str(gap.get("code"))): gap for gap in _said(visit).get("gaps") or ()}
        closed = {key for key, gap in found.items() if key not in named and gap["closed_at"] is None}
        changed |= closed | named.keys() if number > since else set()
        for key in closed:
            found[key]["closed_at"] = visit.observed_at
        for key, gap in named.items():
            values: dict[str, Any] = {"list": plain(key[0]), "code": plain(key[1])}
            values |= {k: plain(str(gap[k])) for k in ("after", "detail") if gap.get(k) is not None}
            first = found[key]["ts"] if key in found else visit.observed_at
            found[key] = values | {"observed_at": visit.observed_at, "ts": first, "closed_at": None}
    return found, changed


def names_gaps(visits: Visits) -> bool:
    """Tell whether anything is missing that these visits wanted."""
    return any(_said(visit).get("gaps") for _, visit in visits)


def _said(visit: Record) -> dict[str, Any]:
    said = loads(visit.body)
    return said if isinstance(said, dict) else {}
