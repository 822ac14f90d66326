"""Times as people write them on a command line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click


class Time(click.types.StringParamType):
    """A date, or a time; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take ISO 8601."""
        try:
            time = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time; write 2026-11-21 or 2026-11-21T05:00:00+01:00", param, ctx)
        return time if time.tzinfo else time.replace(tzinfo=UTC)


def in_order(since: datetime | None, until: datetime | None) -> None:
    """Refuse a span in which nothing can lie: the two are likely the wrong way round."""
    if since and until and since >= until:
        from exporter.errors import UsageError

        raise UsageError(f"nothing is from --since {since.isoformat()} on and before --until {until.isoformat()}")
