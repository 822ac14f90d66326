"""The bytes on disk are what docs/format.md says, read here by Python's own json, zlib and hashlib."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict, replace
from datetime import timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.archive import Archive, _manifests
from exporter.archive._journal import header, pages_until_torn, salvage, whole_pages
from exporter.archive._lines import (
    body_of,
    dump,
    header_line,
    is_whole,
    page_lines,
    read_mark,
    read_marks,
    read_own,
    read_record,
    read_records,
    read_seqs,
    record_line,
)
from exporter.archive._manifests import Amended, Erasure, Manifest, Replaced, decode, encode
from exporter.archive._segments import is_named, is_remainder
from exporter.errors import Damaged
from exporter.model import Item, Mark, Page, Position, Record, Segment, ThreadRef
from tests.archive.making import AT, filled, page
from tests.archive.test_archive_laws import BODY, TEXT, THREADS

NAME = "manifests/000000007.json"
SEGMENT = Segment("segments/2026/11/000000007-0123456789ab.jsonl.zst", "ab" * 32, 4, 2, 900, 1700, "w")
ERASURE = Erasure(
    ("stone",),
    ("id",),
    (Replaced(SEGMENT, replace(SEGMENT, records=1)),),
    (Amended(3, "old", "new"),),
    {"by": "thread"},
)
MANIFEST = Manifest("a" * 32, 7, "b" * 64, "2026-11-21T05:00:00.000000Z", "r", (SEGMENT,), {"command": "backup"})


@st.composite
def pages(draw: st.DrawFn) -> Page:
    return Page(
        draw(THREADS),
        draw(st.sampled_from(["message", "run", "step", "file"])),
        tuple(Item(id_, body) for id_, body in draw(st.lists(st.tuples(st.none() | TEXT, BODY), max_size=4))),
        draw(st.none() | TEXT),
        draw(st.booleans()),
        AT.replace(microsecond=draw(st.sampled_from([0, 7])), tzinfo=timezone(timedelta(hours=9))),
        draw(TEXT),
        draw(st.integers(0, 10**6)),
        draw(st.none() | st.integers(0, 10**6)),
        draw(st.booleans()),
        draw(st.none() | TEXT),
        tuple(draw(st.lists(st.sampled_from(["descending", "repeated_ids"]), max_size=2))),
    )


@given(pages())
def test_a_page_is_its_records_and_a_mark_that_tells_their_bytes(one: Page) -> None:
    *records, mark = lines_of(one)
    whose = {"source": one.thread.source, "endpoint": one.thread.endpoint, "thread": one.thread.id}
    at = one.fetched_at.astimezone(AT.tzinfo).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    parent = {} if one.parent is None else {"parent": one.parent}

    assert json.loads(mark) == {
        **whose, "kind": "page", "list": one.list, "of": one.kind, "cursor": one.cursor, "next": one.position.seq,
        "more": one.more, "count": len(one.items), "seq": one.seq, "fresh": one.fresh, "fetched_at": at, "run": "run",
        "notes": list(one.notes), "bytes": len(b"".join(records)), "crc32": f"{zlib.crc32(b''.join(records)):08x}",
    }  # fmt: skip
    assert mark.startswith(b'{"kind":"page",')
    for seq, (line, item) in enumerate(zip(records, one.items, strict=True), one.seq):
        begin, body = line.split(b',"body":', 1)
        assert json.loads(begin + b"}") == {
            **whose, "kind": one.kind, "id": item.id, "seq": seq, "observed_at": at, "run": "run", **parent
        }  # fmt: skip
        assert body == item.body + b"}\n"


def lines_of(one: Page) -> list[bytes]:
    return list(BytesIO(page_lines(one, "run")))


@given(pages())
def test_what_is_read_is_what_was_written(one: Page) -> None:
    *records, mark = lines_of(one)
    expected = [
        Record(one.thread, one.kind, item.id, seq, one.fetched_at, item.body, "run", one.parent)
        for seq, item in enumerate(one.items, one.seq)
    ]

    assert read_mark(mark) == Mark(
        one.thread,
        one.kind,
        one.list,
        one.seq,
        len(one.items),
        one.position,
        one.fresh,
        one.fetched_at,
        "run",
        one.notes,
    )
    assert read_records(records) == [read_record(line) for line in records] == expected
    assert read_seqs(records) == [record.seq for record in expected]
    assert [read_record(record_line(record)) for record in expected] == expected
    assert [body_of(line) for line in records] == [record.body for record in expected]


@given(st.lists(pages(), max_size=3))
def test_records_of_several_pages_are_read_at_once_as_each_alone(made: list[Page]) -> None:
    lines = [line for one in made for line in lines_of(one)[:-1]]

    assert read_records(lines) == [read_record(line) for line in lines]


@given(st.lists(pages(), max_size=3))
def test_marks_that_are_read_at_once_say_what_each_says(made: list[Page]) -> None:
    marks = [lines_of(one)[-1] for one in made]

    for one, said, mark in zip(map(read_mark, marks), read_marks(marks), made, strict=True):
        assert ThreadRef(said.source, said.endpoint, said.thread) == one.thread
        assert (said.of, said.list, said.count, said.notes) == (one.kind, one.list, one.count, one.notes)
        assert said.fresh is one.fresh
        assert Position(said.cursor, said.next, said.more) == one.position
        assert said.fetched_at == mark.fetched_at.astimezone(AT.tzinfo).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@given(pages(), st.dictionaries(st.sampled_from(["user", "customer"]), TEXT))
def test_a_record_of_ours_is_read_with_its_body_as_a_value(one: Page, body: dict[str, str]) -> None:
    line, _ = lines_of(replace(one, items=(Item(None, dump(body)),)))
    own = read_own(line)

    assert own.body == body
    assert own.observed_at == one.fetched_at.astimezone(AT.tzinfo).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@given(pages(), pages(), st.data())
def test_a_page_with_any_change_is_none(one: Page, other: Page, data: st.DataObject) -> None:
    *records, mark = lines_of(one)
    *others, _ = lines_of(other)

    assert is_whole(records, mark)
    if records:
        at = data.draw(st.integers(0, len(records) - 1))
        cut = data.draw(st.integers(0, len(records[at]) - 1))
        line = bytearray(records[at])
        line[cut] ^= data.draw(st.sampled_from([1, 32, 128]))
        assert not is_whole([*records[:at], bytes(line), *records[at + 1 :]], mark)
        assert not is_whole([*records[:at], *records[at + 1 :]], mark)
        assert not is_whole([*records, records[at]], mark)
    if records != others:
        assert not is_whole(others, mark)


def test_a_journal_begins_with_its_header_and_is_read_up_to_the_first_page_that_is_torn(tmp_path: Path) -> None:
    line = header_line("a" * 32, "w", AT.astimezone(timezone(timedelta(hours=-5))))
    made = [page_lines(page(n * 2, 2), "r") for n in range(3)]
    named = {
        "kind": "journal",
        "format": 1,
        "archive": "a" * 32,
        "writer": "w",
        "started_at": "2026-11-21T05:00:00.000000Z",
    }
    whole = line + b"".join(made)

    assert json.loads(line) == named
    for torn in (b"", b"{}", b"[1]\n", b'{"kind":"page"}\n', b"{", line[:-1]):
        assert header(BytesIO(torn + made[0])) == {}
    for cut in range(len(whole) + 1):
        file = BytesIO(whole[:cut])
        found = header(file)
        assert found == (named if cut >= len(line) else {})
        if found:
            ends = [len(line) + sum(map(len, made[:n])) for n in range(4)]
            assert len(list(whole_pages(file))) == max(n for n, end in enumerate(ends) if end <= cut)
    changed = bytearray(whole)
    changed[len(line) + len(made[0]) + 9] ^= 1
    file = BytesIO(bytes(changed))
    header(file)
    assert len(list(pages_until_torn(BytesIO(whole)))) == 3
    assert len(list(whole_pages(file))) == 1, "what follows a page that is none is not read"
    journal = tmp_path / "w.jsonl"
    journal.write_bytes(changed)
    assert salvage(journal, tmp_path / "aside") == 1
    assert journal.read_bytes() == line + made[0]
    assert (tmp_path / "aside" / "w.jsonl").read_bytes() == changed


def test_a_journal_of_another_name_is_damaged(tmp_path: Path) -> None:
    journal = tmp_path / "v.jsonl"
    journal.write_bytes(header_line("a" * 32, "w", AT) + page_lines(page(0), "r"))

    with pytest.raises(Damaged, match="its header names another journal"):
        salvage(journal, tmp_path / "aside")


MANIFESTS = {
    "usual": MANIFEST,
    "bare": replace(MANIFEST, previous=None, segments=(), report=None),
    "quotes": replace(MANIFEST, segments=(), report={"help": '"erased":{ is no word of ours', "sha256": "0" * 64}),
    "erased": replace(MANIFEST, erased=ERASURE),
}
manifests = pytest.mark.parametrize("one", MANIFESTS.values(), ids=MANIFESTS)


@manifests
def test_a_manifest_is_one_line_of_json_with_its_own_hash(one: Manifest) -> None:
    data = encode(one)
    fields = json.loads(data)
    digest = fields.pop("sha256")

    assert (data.count(b"\n"), data[-1:]) == (1, b"\n")
    assert data.endswith(f'"sha256":"{digest}"}}\n'.encode())
    assert hashlib.sha256(data[:-67] + b"0" * 64 + data[-3:]).hexdigest() == digest
    assert fields == {
        "format": 1, "archive": "a" * 32, "number": 7, "previous": one.previous, "created_at": one.created_at,
        "run": "r", "segments": [asdict(SEGMENT) for _ in one.segments], "report": one.report,
        **({"erased": as_json(asdict(ERASURE))} if one.erased else {}),
    }  # fmt: skip
    assert decode(data, NAME) == replace(one, file_sha256=hashlib.sha256(data).hexdigest())
    assert (decode(data, NAME).name, _manifests.number_of(NAME)) == (NAME, 7)


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@manifests
def test_any_changed_byte_of_a_manifest_is_found(one: Manifest) -> None:
    data = encode(one)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(Damaged, match=f"{NAME}: .*restore this file from a copy"):
            decode(bytes(changed), NAME)
    for other in (data[:-1], data + b"\n", data + b" ", data[1:], b"", data[:90] + data[91:]):
        with pytest.raises(Damaged, match=NAME):
            decode(other, NAME)


def test_the_log_is_read_from_anywhere_and_each_manifest_follows_the_one_before(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", *[[page(n)] for n in range(12)])
    with Archive.open(path) as archive:
        whole = list(archive.manifests())

        assert [one.number for one in whole] == list(range(1, 13))
        assert [one.previous for one in whole] == [None, *(one.file_sha256 for one in whole[:-1])]
        for since in range(13):
            assert list(archive.manifests(since)) == whole[since:]
        with pytest.raises(Damaged, match=r"manifests/000000013\.json: it is missing"):
            list(archive.manifests(13))
        (path / "manifests" / "000000005.json").unlink()
        for since in (0, 3, 5):
            with pytest.raises(Damaged, match=r"manifests/000000005\.json: it is missing"):
                list(archive.manifests(since))
        assert list(archive.manifests(6)) == whole[6:]


def test_a_segment_is_named_by_its_number_and_its_hash() -> None:
    digest = "0123456789ab" + "c" * 52

    for ending in ("", ".enc"):
        assert is_named(f"segments/2026/11/000000007-0123456789ab.jsonl.zst{ending}", 7, digest)
        assert not is_named(f"segments/2026/11/000000008-0123456789ab.jsonl.zst{ending}", 7, digest)
        assert not is_named(f"segments/2026/11/000000007-0123456789ac.jsonl.zst{ending}", 7, digest)
    assert not is_named("segments/2026/11/000000007-0123456789ab.jsonl.zst.part", 7, digest)
    assert is_named("000000007-0123456789ab.jsonl.zst", 7, digest)
    assert is_remainder("segments/2026/11/000000007-0123456789ab-left.jsonl.zst.enc")
    assert not is_remainder("segments/2026/11/000000007-0123456789ab.jsonl.zst")


def test_a_position_is_where_the_next_object_stands() -> None:
    assert replace(page(3, 2), next_seq=4).position == Position("msg_4", 4, more=True)
    assert page(3, 2).position == Position("msg_4", 5, more=True)
