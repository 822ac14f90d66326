"""How a line on stderr looks where no person reads it: for journald, as dated text, or as JSON.

On a terminal, and where nobody asked for anything else, a line is its text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    import logging

Style = Literal["plain", "journal", "text", "json"]
Severity = Literal["error", "warning", "info", "debug"]

FORMATS = ("text", "json")
VARIABLE = "EXPORTER_LOG_FORMAT"
PRIORITIES: Mapping[Severity, int] = {"error": 3, "warning": 4, "info": 6, "debug": 7}
"Of syslog, which journald reads as `<N>` at the beginning of a line."
STDERR = 2


def style_of(chosen: str | None) -> Style:
    """Return the style by what was asked for and by where stderr leads."""
    if chosen == "json":
        return "json"
    if _is_journal():
        return "journal"
    return "text" if chosen == "text" else "plain"


def chosen_in(words: Sequence[str], environ: Mapping[str, str] = os.environ) -> str | None:
    """Return what a command line and an environment ask for, where the command line could not be taken apart."""
    for before, word in zip(("", *words), words, strict=False):
        name, _, value = word.partition("=")
        if name == "--log-format" and value in FORMATS:
            return value
        if before == "--log-format" and word in FORMATS:
            return word
    return environ.get(VARIABLE)


def lines(style: Style, severity: Severity, text: str, fields: Mapping[str, Any]) -> str:
    """Return the lines that say something, without the last line break."""
    if style == "json":
        import json

        head = {"time": _time(), "level": severity, "event": fields.get("event", "message"), "message": text}
        return json.dumps({**head, **fields}, ensure_ascii=False, separators=(",", ":"), default=str)
    prefix = {"plain": "", "journal": f"<{PRIORITIES[severity]}>", "text": f"{_time()} {severity.upper()} "}[style]
    return "\n".join(f"{prefix}{line}" for line in text.splitlines())


def guard_logs(redacted: Callable[[str], str]) -> None:
    """Let no logger of any library write a key: whatever is logged from now on is redacted before any handler has it.

    For the process of the command line alone: where we are a library, logging is our caller's.
    """
    import logging
    import traceback

    made = logging.getLogRecordFactory()

    def guarded(*args: Any, **said: Any) -> logging.LogRecord:
        record = made(*args, **said)
        try:
            record.msg, record.args = redacted(record.getMessage()), ()
        except Exception:  # noqa: BLE001 - a message that cannot be made is not told
            record.msg, record.args = "(a log message that cannot be formatted)", ()
        if record.exc_info and record.exc_info[0]:
            record.exc_text = redacted("".join(traceback.format_exception(*record.exc_info))).rstrip()
        return record

    logging.setLogRecordFactory(guarded)


def _time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_journal() -> bool:
    """Whether stderr is the stream that systemd says leads to the journal, and was not led elsewhere since."""
    try:
        stream = os.fstat(STDERR)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}"


def as_style(value: object) -> Style:
    """Return a style that a context kept."""
    return cast("Style", value or "plain")
