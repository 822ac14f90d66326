"""The list of threads beside everything: by newest activity, under the day, filtered, endless."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from exporter.archive import Archive
from exporter.archive._recent import Filter, Key, recent
from exporter.archive.catalog import Known
from exporter.formats._harmless import line
from exporter.model import ThreadRef
from exporter.view._names import doubled_in, path_of
from exporter.view._previews import Previews

FIELDS = ("text", "user", "customer", "source", "state")
STATES = ("new", "complete", "partial", "failed", "gone")
PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see in the list."""

    filter: Filter
    params: dict[str, str]
    "The same, as it stands in addresses."

    @property
    def query(self) -> str:
        """The same, as the end of an address."""
        return urlencode(self.params)

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Asked:
        """Read an address."""
        params = {name: query[name].strip()[:200] for name in FIELDS if query.get(name, "").strip()}
        return cls(Filter(**params), params)


def listed(
    archive: Archive, asked: Asked, after: str | None, current: ThreadRef | None, today: datetime, *, previews: Previews
) -> dict[str, Any]:
    """Return a page of the list as the template `list.html` takes it."""
    found = recent(archive.catalog, asked.filter, Key.read(after) if after else None, PER_PAGE)
    here = archive.catalog.find(current) if current else None
    opened = [here] if here and all(one.thread != current for one in found.threads) else []
    threads = [*opened, *found.threads]
    words = previews.of(archive, threads)
    rows = [_row(archive, one, asked, current, today) for one in threads]
    for row, one in zip(rows, threads, strict=True):
        row["title"] = line(one.title or "") or words.get(one.thread) or line(one.thread.id)
    for row in rows[: len(opened)]:
        row["group"] = "Open now"
    following = str(found.next) if found.next else None
    return {
        "groups": list(_grouped(rows)),
        "more": urlencode(asked.params | {"after": following}) if following else None,
        "looked": f"{datetime.fromtimestamp(found.next.active, UTC):%Y-%m-%d}"
        if found.next and found.next.active and len(found.threads) < PER_PAGE
        else None,
        "first": after is None,
        "empty": not rows and not following and after is None,
    }


def _row(archive: Archive, one: Known, asked: Asked, current: ThreadRef | None, today: datetime) -> dict[str, Any]:
    active = datetime.fromisoformat(one.active_at) if one.active_at else None
    return {
        "group": group_of(active, today),
        "href": path_of(one.thread, endpoint=doubled_in(archive, one.thread), **asked.params),
        "key": f"{one.thread.source}/{line(one.thread.id)}",
        "who": " · ".join(filter(None, (line(one.user or ""), line(one.customer or "")))),
        "source": one.thread.source,
        "state": one.state,
        "time": active and active.isoformat(),
        "when": _short(active, today) if active else "",
        "current": one.thread == current,
    }


def group_of(time: datetime | None, today: datetime) -> str:
    """Return the heading under which a time stands: relative where that is clear, else the month."""
    if time is None:
        return "Without a date"
    days = (today.date() - time.astimezone(today.tzinfo).date()).days
    if days <= 0:
        return "Today"
    if days == 1:
        return "Yesterday"
    if days < 7:
        return "Last 7 days"
    if days < 30:
        return "Last 30 days"
    return f"{time.astimezone(today.tzinfo):%B %Y}"


def _short(time: datetime, today: datetime) -> str:
    local = time.astimezone(today.tzinfo)
    if today - time < timedelta(days=1) and local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b}" if local.year == today.year else f"{local:%Y-%m-%d}"


def _grouped(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    group: dict[str, Any] | None = None
    for row in rows:
        if group is None or group["name"] != row["group"]:
            if group:
                yield group
            group = {"name": row["group"], "rows": []}
        group["rows"].append(row)
    if group:
        yield group
