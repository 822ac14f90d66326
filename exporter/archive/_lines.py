"""The lines of a journal as bytes: header, records, page marks (`docs/format.md`).

Pure. A body is never parsed here: it goes in and comes out byte for byte.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast, get_args

import msgspec
import orjson

from exporter.errors import ArchiveError, Damaged
from exporter.model import Kind, Mark, Page, Position, Record, ThreadRef, printable

FORMAT = 1
BODY = b',"body":'
MARK = b'{"kind":"page",'
KINDS = frozenset(get_args(Kind))


def dump(value: Any) -> bytes:
    """JSON of our own values; lone surrogates in ids from outside become escapes."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return dump_ascii(value)


def dump_ascii(value: Any) -> bytes:
    """JSON of our own values with everything beyond ASCII escaped."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def load(line: bytes) -> Any:
    """Read what `dump` wrote; ValueError where that is no JSON, or nested deeper than anybody writes."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            return json.loads(line)
        except RecursionError:
            raise ValueError("nested too deep") from None


def stamp(time: datetime) -> str:
    """Time as it stands in lines: UTC, microseconds."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def header_line(archive: str, writer: str, started_at: datetime) -> bytes:
    """The first line of a journal."""
    fields = {
        "kind": "journal",
        "format": FORMAT,
        "archive": archive,
        "writer": writer,
        "started_at": stamp(started_at),
    }
    return dump(fields) + b"\n"


def record_line(record: Record) -> bytes:
    """A record as it stands in a segment, with its line end."""
    whose = _whose(record.thread, record.kind)
    place = {"id": record.id, "seq": record.seq, "observed_at": stamp(record.observed_at), "run": record.run}
    return _line({**whose, **place, **_parent(record.parent)}, record.body)


def page_lines(page: Page, run: str) -> bytes:
    """A page as it stands in the journal: its records, then its mark."""
    thread, observed_at = dump(_named(page.thread))[1:-1], stamp(page.fetched_at)
    begin = b'{"kind":"%b",%b,"id":' % (page.kind.encode(), thread)
    end = b",%b,%b" % (dump({"observed_at": observed_at, "run": run, **_parent(page.parent)})[1:-1], BODY[1:])
    parts: list[bytes] = []
    for seq, item in enumerate(page.items, page.seq):
        if b"\n" in item.body:
            raise ArchiveError(f"{page.thread}: object {seq} of {page.list!r} holds a line break, so it is no line")
        parts += (begin, b'%b,"seq":%d' % (dump(item.id), seq), end, item.body, b"}\n")
    records = b"".join(parts)
    return b"".join((records, MARK, thread, b",", _rest_of_mark(page, run, observed_at, records), b"\n"))


def _named(thread: ThreadRef) -> dict[str, str]:
    return {"source": thread.source, "endpoint": thread.endpoint, "thread": thread.id}


def _whose(thread: ThreadRef, kind: Kind) -> dict[str, Any]:
    return {"kind": kind, **_named(thread)}


def _parent(parent: str | None) -> dict[str, str]:
    return {} if parent is None else {"parent": parent}


def _line(fields: dict[str, Any], body: bytes) -> bytes:
    return b"".join((dump(fields)[:-1], BODY, body, b"}\n"))


def _rest_of_mark(page: Page, run: str, fetched_at: str, records: bytes) -> bytes:
    """Return what a mark says behind its thread."""
    position = page.position
    said = {
        "list": page.list,
        "of": page.kind,
        "cursor": position.cursor,
        "next": position.seq,
        "more": position.more,
        "count": len(page.items),
        "seq": page.seq,
        "fresh": page.fresh,
        "fetched_at": fetched_at,
        "run": run,
        "notes": page.notes,
        "bytes": len(records),
        "crc32": f"{zlib.crc32(records):08x}",
    }
    return dump(said)[1:]


def is_whole(records: Sequence[bytes], mark_line: bytes) -> bool:
    """Whether a page's record lines are what its mark says."""
    mark = sums(mark_line)
    crc = 0
    for line in records:
        crc = zlib.crc32(line, crc)
    size = sum(map(len, records))
    return mark.bytes == size and mark.crc32 == f"{crc:08x}" and mark.count == len(records)


class Sums(msgspec.Struct, gc=False):
    """Length and checksum of the lines of a page's records, and how many they are."""

    bytes: int
    crc32: str
    count: int


_SUMS = msgspec.json.Decoder(Sums)


def sums(mark_line: bytes) -> Sums:
    """Read what a mark line says of the bytes of its page."""
    try:
        return _SUMS.decode(mark_line)
    except msgspec.MsgspecError:  # half of a surrogate pair in an id, or no mark
        mark = load(mark_line)
        return Sums(mark["bytes"], mark["crc32"], mark["count"])


def read_mark(line: bytes) -> Mark:
    """Read a page mark; `Damaged` where it is none."""
    try:
        return _mark(load(line))
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(line, error) from error


def _mark(fields: dict[str, Any]) -> Mark:
    return Mark(
        thread=ThreadRef(fields["source"], fields["endpoint"], fields["thread"]),
        kind=_kind(fields["of"]),
        list=fields["list"],
        seq=fields["seq"],
        count=fields["count"],
        position=Position(fields["cursor"], fields["next"], fields["more"]),
        fresh=fields["fresh"],
        fetched_at=datetime.fromisoformat(fields["fetched_at"]),
        run=fields["run"],
        notes=tuple(fields["notes"]),
    )


class MarkLine(msgspec.Struct, gc=False):
    """What a mark line says, as it stands there: of thousands of pages no more is made than this."""

    source: str
    endpoint: str
    thread: str
    of: Kind
    list: str
    count: int
    cursor: str | None
    next: int
    more: bool
    fresh: bool
    fetched_at: str
    notes: tuple[str, ...]

    @property
    def ref(self) -> ThreadRef:
        """The thread, by all its names."""
        return ThreadRef(self.source, self.endpoint, self.thread)


_MARKS = msgspec.json.Decoder(list[MarkLine])


def read_marks(lines: Sequence[bytes]) -> list[MarkLine]:
    """Read page marks all at once; `Damaged` where one is none."""
    try:
        return _MARKS.decode(b"[%b]" % b",".join(lines))
    except msgspec.MsgspecError:  # half of a surrogate pair in an id, or a line that is no mark
        return [mark_line_of(read_mark(line)) for line in lines]


def mark_line_of(mark: Mark) -> MarkLine:
    """Say again what a mark says."""
    thread, at = mark.thread, mark.position
    whose = (thread.source, thread.endpoint, thread.id, mark.kind, mark.list)
    return MarkLine(*whose, mark.count, at.cursor, at.seq, at.more, mark.fresh, stamp(mark.fetched_at), mark.notes)


class OwnLine(msgspec.Struct, gc=False):
    """A record of ours, with its body as a value."""

    observed_at: str
    body: dict[str, Any]


_OWN = msgspec.json.Decoder(OwnLine)


def read_own(line: bytes) -> OwnLine:
    """Read a record whose body we wrote: of a registration or a visit; `Damaged` where it is none."""
    try:
        return _OWN.decode(line)
    except msgspec.MsgspecError as error:  # as above, or a body that is not ours
        record = read_record(line)
        body = _own_body(record.body)
        if body is None:
            raise _unreadable(line, error) from error
        return OwnLine(stamp(record.observed_at), body)


def _own_body(body: bytes) -> dict[str, Any] | None:
    try:
        fields = load(body)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def body_of(line: bytes) -> bytes:
    """Return the body of a record line, and read nothing else; `Damaged` where it has none."""
    try:
        return _body(line, line.index(BODY))
    except ValueError as error:
        raise _unreadable(line, error) from error


def _body(line: bytes, at: int) -> bytes:
    return line[at + len(BODY) :].rstrip(b"\n")[:-1]


def read_record(line: bytes) -> Record:
    """Read a record line; its body stays as it is. `Damaged` where it is none."""
    try:
        return _record(line, line.index(BODY))
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(line, error) from error


def _unreadable(line: bytes, error: Exception) -> Damaged:
    """Say that a line is no mark or record although its page is as it was written."""
    shown = printable(line[:60].decode("utf-8", "replace"))
    return Damaged(f"{shown}...: another program wrote this line ({error!r}); restore this file from a copy")


def _record(line: bytes, at: int) -> Record:
    fields = load(line[:at] + b"}")
    return Record(
        thread=ThreadRef(fields["source"], fields["endpoint"], fields["thread"]),
        kind=_kind(fields["kind"]),
        id=fields["id"],
        seq=fields["seq"],
        observed_at=datetime.fromisoformat(fields["observed_at"]),
        body=_body(line, at),
        run=fields["run"],
        parent=fields.get("parent"),
    )


class _Head(msgspec.Struct, gc=False):
    """What stands before the body of a record."""

    kind: str
    source: str
    endpoint: str
    thread: str
    id: str | None
    seq: int
    observed_at: str
    run: str
    parent: str | None = None


_HEADS = msgspec.json.Decoder(list[_Head])


def read_records(lines: Sequence[bytes]) -> list[Record]:
    """Read record lines, as `read_record` does each; what they have in common is made once."""
    try:
        cuts = [line.index(BODY) for line in lines]
        heads = _HEADS.decode(_heads(lines, cuts))
        return _records(lines, cuts, heads)
    except ValueError:  # half of a surrogate pair in an id, or a line that is no record
        return [read_record(line) for line in lines]


def _records(lines: Sequence[bytes], cuts: Sequence[int], heads: Sequence[_Head]) -> list[Record]:
    records: list[Record] = []
    common: tuple[str, ...] = ()
    for line, at, head in zip(lines, cuts, heads, strict=True):
        said = (head.kind, head.source, head.endpoint, head.thread, head.observed_at)
        if said != common:
            common, kind, thread = said, _kind(head.kind), ThreadRef(head.source, head.endpoint, head.thread)
            time = datetime.fromisoformat(head.observed_at)
        body = _body(line, at)
        records.append(Record(thread, kind, head.id, head.seq, time, body, head.run, head.parent))
    return records


class _Place(msgspec.Struct, gc=False):
    seq: int


_PLACES = msgspec.json.Decoder(list[_Place])


def read_seqs(lines: Sequence[bytes]) -> list[int]:
    """Read the positions that record lines tell; ValueError where one tells none."""
    heads = _heads(lines, [line.index(BODY) for line in lines])
    try:
        return [place.seq for place in _PLACES.decode(heads)]
    except msgspec.MsgspecError:  # half of a surrogate pair in an id
        return [fields["seq"] for fields in load(heads)]


def _heads(lines: Sequence[bytes], cuts: Sequence[int]) -> bytes:
    """Return what stands before the bodies of record lines, as a JSON array."""
    return b"[%b]" % b",".join([line[:at] + b"}" for line, at in zip(lines, cuts, strict=True)])


def _kind(text: str) -> Kind:
    if text not in KINDS:
        raise Damaged(f"a record of kind {text!r}: a newer version of exporter wrote it, or it is damaged")
    return cast("Kind", text)
