"""CSV: one row per message, the columns of the table `messages` that people read in a spreadsheet.

A cell that a spreadsheet would take for a formula begins with an apostrophe more; `unquoted` takes it away again, so
nothing is lost. A cell is one where apostrophes, if any, are followed by `=`, `+`, `-`, `@` (also the wide ones of
East Asian keyboards), a tab or the end of a line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, BinaryIO

from exporter.formats._job import Job
from exporter.formats._story import Story

SUFFIX = ".csv"
COLUMNS = (
    *("source", "endpoint", "thread_id", "title", "user", "customer", "seq", "message_id", "parent_id", "ts"),
    *("ts_source", "role", "type", "status", "text", "model", "agent_id", "run_id", "metadata_json"),
    *("attachments_json", "deleted_at", "deleted_reason", "thread_state"),
)
"As in the table; `thread_state` is `gone` where the server has deleted the whole thread."

_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_QUOTED = re.compile(r"'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def write(stories: Iterable[Story], out: BinaryIO, job: Job) -> None:
    """Write a heading and one row per message."""
    text = io.TextIOWrapper(out, "utf-8-sig" if job.bom else "utf-8", newline="", write_through=True)
    try:
        table = csv.writer(text, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
        table.writerow(COLUMNS)
        for story in stories:
            job.threads += 1
            for row in story.rows("message"):
                row["thread_state"] = story.known.state
                table.writerow([quoted(_shown(row.get(name))) for name in COLUMNS])
                job.messages += 1
                job.records += 1
    finally:
        text.detach()


def quoted(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unquoted(text: str) -> str:
    """Return what `quoted` was given."""
    return text[1:] if _QUOTED.match(text) else text


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)
