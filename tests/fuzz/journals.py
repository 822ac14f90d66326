"""Journals that a crash, a disk or a hand left, salvaged as the next opening does."""

from __future__ import annotations

from hypothesis import strategies as st

from exporter.archive._journal import salvage
from exporter.check._log import left_behind
from tests.archive.making import in_memory
from tests.fuzz._inputs import mutated, objects
from tests.fuzz.segments import RAW, _named

INPUT = mutated(RAW) | objects.map(_named) | st.binary(max_size=90)


def parse(data: bytes) -> None:
    with in_memory() as folder:
        journal = folder / "journal" / "w.jsonl"
        journal.parent.mkdir()
        journal.write_bytes(data)
        list(left_behind(folder, lambda *_: None))
        pages = salvage(journal, folder / "salvaged")
        kept = journal.read_bytes()
        assert data.startswith(kept)
        assert (pages == 0) or kept.endswith(b"\n")
        assert salvage(journal, folder / "salvaged") == pages
