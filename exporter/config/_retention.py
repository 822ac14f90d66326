"""What `exporter.toml` says about how long servers keep threads, and how often they are visited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

from exporter.config._settings import only, suggest
from exporter.errors import UsageError
from exporter.model import printable
from exporter.retention import RHYTHM, Anchor, Policy, Rhythm

DAYS = {"margin_days": "margin", "least_days": "least", "most_days": "most", "sweep_days": "sweep"}
ANCHORS: tuple[str, ...] = get_args(Anchor)


def retention(said: Any, where: str) -> dict[str, Policy]:
    """Return what is said below `[profiles.NAME.retention]`, by source."""
    if not isinstance(said, dict) or not all(isinstance(one, dict) for one in said.values()):
        raise UsageError(f"{where}: retention has a table for each source: [profiles.NAME.retention.responses]")
    return {source: _policy(one, f"{where[:-1]}.retention.{printable(source)}]") for source, one in said.items()}


def rhythm(said: Any, where: str) -> Rhythm:
    """Return what is said in `[rhythm]`."""
    if not isinstance(said, dict):
        raise UsageError(f"{where}: rhythm is a table: write [rhythm] and its settings below")
    where = f"{where}: [rhythm]"
    only(said, (*DAYS, "warmth"), where)
    days = {field: _days(said[name], f"{where}: {name}") for name, field in DAYS.items() if name in said}
    warmth = said.get("warmth", RHYTHM.warmth)
    if isinstance(warmth, bool) or not isinstance(warmth, int | float) or not 0 < warmth <= 1:
        raise UsageError(f"{where}: warmth is a number above 0, at most 1: the part of its quiet time a thread waits")
    made = Rhythm(warmth=float(warmth), **days)
    if made.least > made.most:
        raise UsageError(f"{where}: least_days is more than most_days")
    return made


def _policy(said: Mapping[str, Any], where: str) -> Policy:
    only(said, ("ttl_days", "anchor", "ends"), where)
    anchor = said.get("anchor", "activity" if "ttl_days" in said else "none")
    if anchor not in ANCHORS:
        near = suggest(str(anchor), ANCHORS)
        raise UsageError(f"{where}: anchor = {printable(str(anchor))!r} is none{near}; it is {', '.join(ANCHORS)}")
    ttl = _days(said["ttl_days"], f"{where}: ttl_days") if "ttl_days" in said else None
    if (ttl is None) != (anchor == "none"):
        raise UsageError(f"{where}: ttl_days says after how long, anchor says after what; give both")
    return Policy("exporter.toml says so", ttl, anchor, _ends(said.get("ends"), where), confidence="configured")


def _days(value: Any, where: str) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 36_525:
        raise UsageError(f"{where} is a number of days above 0")
    return timedelta(days=value)


def _ends(value: Any, where: str) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise UsageError(f"{where}: ends is a date without quotes, such as 2027-03-31")
