"""A conversation as people read it: who, when, what; control characters cannot steer the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exporter.model import Record, Registration, printable
from exporter.rows import row


def paragraphs(records: Iterable[Record]) -> Iterator[str]:
    """Yield each entry as a heading and its text."""
    for record in records:
        known = row(record, Registration(record.thread)) or {}
        who = known.get("role") or known.get("type") or "?"
        created = known.get("created_at")
        # without a time of its own, the position is what there is
        when = f"{created:%Y-%m-%d %H:%M:%S}" if created else f"#{record.seq}"
        text = known.get("text") or f"({known.get('type') or 'nothing'}, no text)"
        yield f"── {printable(str(who))} · {when}\n{tame(str(text))}\n"


def tame(text: str) -> str:
    """Return text in a form that cannot steer a terminal; its lines and tabs stay."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.replace("\r\n", "\n").split("\n"))
