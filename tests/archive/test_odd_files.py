"""Small files that are whole and yet not what this program wrote: our own errors, never a traceback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.archive import Archive, read_id
from exporter.archive._lines import body_of, read_mark, read_marks, read_own, read_record, read_records, record_line
from exporter.archive._lock import Lock
from exporter.archive._manifests import decode
from exporter.errors import Damaged, NoArchive
from exporter.model import Item, Record
from tests.archive.making import AT, THREAD, made, page, recover
from tests.fuzz.manifests import hashed


@pytest.mark.parametrize("note", [b"[1]", b'"x"', b"1", b"{}", b"[" * 9999])
def test_a_note_of_the_lock_that_is_none_names_nobody(tmp_path: Path, note: bytes) -> None:
    (tmp_path / ".exporter").mkdir()
    (tmp_path / ".exporter" / "holder.json").write_bytes(note)

    assert Lock(tmp_path).who() == "another process"


def test_an_archive_file_that_is_nested_too_deep_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "archive.json").write_bytes(b"[" * 9999 + b"]" * 9999)

    with pytest.raises(NoArchive, match="nested too deep"):
        read_id(tmp_path)


@pytest.mark.parametrize("fields", [{}, {"segments": 1}, {"segments": [{"name": "x"}]}, {"segments": [[]]}])
def test_a_manifest_whose_hash_is_right_and_whose_fields_are_not_is_damaged(fields: dict[str, object]) -> None:
    with pytest.raises(Damaged, match=r"manifests/000000001.json: .* upgrade exporter"):
        decode(hashed(fields), "manifests/000000001.json")


@pytest.mark.parametrize(
    "line", [b"{}\n", b'{"kind":"page","of":"x"}\n', b"[]\n", b"x\n", b'{"kind":1,"body":{}}\n', b"\x1b\xff\n"]
)
def test_a_line_that_is_no_mark_and_no_record_is_damaged(line: bytes) -> None:
    for read in (read_mark, read_record, read_own, lambda one: read_records([one]), lambda one: read_marks([one])):
        with pytest.raises(Damaged, match=r"another program wrote this line \(\w+\(") as caught:
            read(line)
        shown = line.decode("utf-8", "replace").replace("\x1b", "\\x1b").replace("\n", "\\n")
        assert str(caught.value).startswith(f"{shown}...: ")
    if b"body" not in line:
        with pytest.raises(Damaged, match=r"another program wrote this line \(\w+\("):
            body_of(line)


@pytest.mark.parametrize("body", [b"[1]", b'"x"', b"x", b"[" * 9999])
def test_a_record_of_ours_whose_body_is_none_of_ours_is_damaged(body: bytes) -> None:
    line = record_line(Record(THREAD, "visit", None, 0, AT, body, "run"))

    with pytest.raises(Damaged, match=r"another program wrote this line \(\w+\("):
        read_own(line)


@pytest.mark.parametrize("body", [b"{}", b'{"state":"complete"}', b'{"state":[],"code":{},"error":1}'])
def test_a_visit_that_says_not_how_it_ended_is_damaged(tmp_path: Path, body: bytes) -> None:
    visit = replace(page(0), kind="visit", list="visits", items=(Item(None, body),))
    with Archive.write(made(tmp_path / "a")) as archive:
        archive.append([visit])

    with pytest.raises(Damaged):
        recover(tmp_path / "a")
