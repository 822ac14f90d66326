"""A conversation as people read it: who, when, what; control characters cannot steer the terminal.

The idea: what belongs together is read together, whatever its API: the responses of a chain, the oldest first; each
subagent's own history after the session's; and at the end what the messages point to, kept or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exporter.archive import Archive
from exporter.formats import records
from exporter.formats._chain import Chain, chain
from exporter.formats._newest import deletions
from exporter.formats._pages import Reader
from exporter.model import Record, Registration, ThreadRef, printable
from exporter.rows import Deleted, identity, row
from exporter.text import loads

SAID = ("completed", "complete")
"A status that is nothing to speak of."


class Transcript:
    """The conversation that a thread is, or ends."""

    def __init__(self, archive: Archive, thread: ThreadRef) -> None:
        self._archive, self._thread = archive, thread
        self.messages = 0
        "How many were told so far."

    def paragraphs(self) -> Iterator[str]:
        """Yield each entry as a heading and its text."""
        found = chain(self._archive, self._thread)
        yield from self._before(found)
        for thread in found.threads:
            if len(found.threads) > 1:
                yield f"━━ {printable(thread.id)}\n"
            yield from self._entries(thread)
            yield from self._files(thread)

    def _before(self, found: Chain) -> Iterator[str]:
        """Say what is missing at the beginning."""
        if found.circular:
            yield f"━━ {printable(found.threads[0].id)} goes on from a later one: the server's chain is a circle\n"
        if found.missing is not None:
            known = self._archive.catalog.find(found.missing)
            why = (known.error if known else None) or "it is not in the archive; it may have expired before"
            yield f"━━ goes on from {printable(found.missing.id)}: {tame(why)}\n"

    def _entries(self, thread: ThreadRef) -> Iterator[str]:
        parent, names, several = None, Names(self._archive, thread), choices(self._archive, thread)
        gone = deletions(self._archive, thread, "message")
        for record in records(self._archive, thread, ("message",)):
            if record.parent is not None and record.parent != parent:
                yield f"══ subagent {printable(names[record.parent])}\n"
            parent = record.parent
            self.messages += 1
            yield _entry(record, names, several, gone.of(identity(record)))

    def _files(self, thread: ThreadRef) -> Iterator[str]:
        lines = [_file(record) for record in records(self._archive, thread, ("file",))]
        if lines:
            yield "\n".join([f"── files · {len(lines)}", *lines, ""])


def choices(archive: Reader, thread: ThreadRef) -> Mapping[int, str]:
    """Name the answers of a stored completion by their position, where it has several."""
    pages = archive.thread_pages(thread, "message") if thread.source == "completions" else ()
    found = sorted({record.seq for _, mark, page in pages if mark.list == "choices" for record in page})
    return {seq: f"choice {at} of {len(found)}" for at, seq in enumerate(found, 1)} if len(found) > 1 else {}


class Names:
    """What the subagents of a session are called; read when somebody asks."""

    def __init__(self, archive: Reader, thread: ThreadRef) -> None:
        self._archive, self._thread = archive, thread
        self._found: dict[str, str] | None = None

    def __getitem__(self, key: str) -> str:
        if self._found is None:
            runs = records(self._archive, self._thread, ("run",))
            bodies = ((record.id, _parsed(record.body)) for record in runs)
            self._found = {name: f"{body['name']} ({name})" for name, body in bodies if name and _is_named(body)}
        return self._found.get(key, key)


def _is_named(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("name"), str)


def _entry(record: Record, names: Names, several: Mapping[int, str], deleted: Deleted | None) -> str:
    known = row(record, Registration(record.thread)) or {}
    who = known.get("role") or str(known.get("type") or "?").removeprefix("chatkit.")
    head = [who, *remarks(known, names)]
    if record.seq in several and record.id is None:
        head.append(several[record.seq])
    if deleted:
        head.append(f"not on the server any more ({deleted[1]}), noticed {deleted[0]:%Y-%m-%d %H:%M} UTC")
    created = known.get("created_at")
    # without a time of its own, the position is what there is
    head.append(f"{created:%Y-%m-%d %H:%M:%S}" if created else f"#{record.seq}")
    text = known.get("text") or f"({known.get('type') or 'nothing'}, no text)"
    return f"── {' · '.join(printable(word) for word in head)}\n{tame(str(text))}\n"


def remarks(known: Mapping[str, Any], names: Names) -> Iterator[str]:
    """Say what an entry is besides: calls, between whom, and how far it came."""
    said = _parsed(str(known.get("extra_json") or "{}").encode())
    calls = [*_listed(said.get("tool_calls")), said.get("function_call")]
    called = [name for call in calls if (name := _called(call))]
    if called:
        yield f"calls {', '.join(called)}"
    if known.get("role") == "tool" and isinstance(said.get("name"), str):
        yield str(said["name"])
    to = [said.get("recipient_agent_id"), *_listed(said.get("recipient_agent_ids"))]
    if receivers := [names[one] for one in to if isinstance(one, str)]:
        yield f"to {', '.join(receivers)}"
    if (status := known.get("status")) and status not in SAID:
        yield str(status)


def _called(call: Any) -> str | None:
    """Return what a call in a message calls, whatever kind of tool."""
    parts = [call, *(call.get(key) for key in ("function", "custom"))] if isinstance(call, dict) else []
    found = (part.get("name") for part in parts if isinstance(part, dict))
    return next((name for name in found if isinstance(name, str)), None)


def _file(record: Record) -> str:
    """Tell of a file whether it is kept, and where."""
    known = row(record, Registration(record.thread)) or {}
    name = f"{known.get('name') or 'without a name'} ({known.get('type') or 'file'} {record.id})"
    size = "" if known.get("bytes") is None else f"{known['bytes']:,} bytes, "
    what = "its text, " if known.get("form") == "text" else ""
    kept = f"{what}{size}{known['blob']}" if known.get("blob") else "not kept"
    why = ": ".join(str(known[key]) for key in ("reason", "detail") if known.get(key))
    return printable(f"{name}: {kept}{'; ' + why if why else ''}")


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = loads(body)
    except (ValueError, RecursionError):  # nested deeper than any parser goes
        found = None
    return found if isinstance(found, dict) else {}


def tame(text: str) -> str:
    """Return text in a form that cannot steer a terminal; its lines and tabs stay."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.replace("\r\n", "\n").split("\n"))
