"""What people type into a search."""

from __future__ import annotations

from hypothesis import strategies as st

from exporter.search import _words
from exporter.search._needles import needles

INPUT = (
    st.text(max_size=60)
    | st.text('ab"* “”中文ก가ß\u0301\u200b\ud83d\ude00-', max_size=40)
    | st.text().map(lambda t: t * 40)
)


def parse(data: str) -> None:
    _words.words(data)
    assert all(needle.words for needle in needles(data))
