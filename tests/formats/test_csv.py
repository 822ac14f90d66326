"""CSV: what comes out of a spreadsheet's mouth is what went in, and no cell is a formula."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.formats.csv import COLUMNS, quoted, unquoted
from tests.conftest import Bench, rows
from tests.formats import hostile
from tests.formats.conftest import Library

DANGEROUS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


@pytest.mark.parametrize("bom", [False, True])
@pytest.mark.parametrize("which", ["library", "nasty"])
def test_pandas_reads_the_table_back(which: str, bom: bool, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    archive: Library = request.getfixturevalue(which)
    archive.write("csv", tmp_path / "out.csv", bom=bom)
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf") == bom

    found = pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False, na_filter=False)
    assert tuple(found.columns) == COLUMNS
    got = [{name: unquoted(str(cell)) for name, cell in row.items()} for row in found.to_dict("records")]
    want = [
        {name: _text(row.get(name)) for name in COLUMNS} | {"thread_state": "complete"} for row in rows(archive.path)
    ]
    place = ("source", "endpoint", "thread_id", "parent_id", "seq", "message_id")
    assert sorted(got, key=lambda row: [row[name] for name in place]) == sorted(
        want, key=lambda row: [row[name] for name in place]
    )


def _text(value: object) -> str:
    return "" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)


def test_an_item_that_changed_keeps_its_place_and_its_time(bench: Bench, tmp_path: Path) -> None:
    conversation = bench.state.add_conversation("conv_1")
    ids = [bench.state.add_item(conversation, hostile.said(str(number))) or "" for number in range(5)]
    bench.backup("conv_1")
    series = bench.state.shelves["conversations"].holders["conv_1"].series("items")
    body = (
        bench.state.items(conversation)[1]
        .replace(b'"text":"1"', b'"text":"edited"')
        .replace(b'"text": "1"', b'"text":"edited"')
    )
    series.edit(ids[1], body)
    bench.backup("conv_1", full=True)
    Library(bench.path).write("csv", tmp_path / "out.csv")

    found = pd.read_csv(tmp_path / "out.csv", dtype=str)
    table = sorted(rows(bench.path), key=lambda row: int(row["seq"]))
    assert list(found.text) == ["0", "edited", "2", "3", "4"]
    for name in ("seq", "ts", "ts_source", "message_id"):
        assert list(found[name]) == [_text(row[name]) for row in table]


def test_the_rows_of_a_thread_are_in_its_order(library: Library, tmp_path: Path) -> None:
    library.write("csv", tmp_path / "out.csv")
    found = pd.read_csv(tmp_path / "out.csv")

    for _, part in found.groupby(["thread_id", found.parent_id.fillna("")], sort=False):
        assert list(part.seq) == sorted(part.seq)


def test_no_cell_of_a_hostile_transcript_is_a_formula(nasty: Library, tmp_path: Path) -> None:
    nasty.write("csv", tmp_path / "out.csv")
    found = pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False, na_filter=False)
    cells = [str(cell) for row in found.itertuples(index=False) for cell in row]

    assert not [cell for cell in cells if cell.startswith(DANGEROUS)]
    assert "'=cmd|' /C calc'!A0" in cells


@given(st.text() | st.sampled_from(hostile.FORMULAS) | st.from_regex(re.compile(r"'*[=+\-@\t\r\n].*"), fullmatch=True))
def test_quoting_is_undone_exactly(text: str) -> None:
    assert unquoted(quoted(text)) == text
    assert not quoted(text).startswith(DANGEROUS)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_row_of_anything_is_one_row(cells: list[str]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerow([quoted(cell) for cell in ["first", *cells]])

    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [[quoted(cell) for cell in ["first", *cells]]]
