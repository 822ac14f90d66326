"""Bodies of refusals, in whatever envelope."""

from __future__ import annotations

from hypothesis import strategies as st

from exporter.complaints import complaint
from exporter.model import ThreadRef
from exporter.sources import Answer
from exporter.sources._answers import refusal
from tests.fuzz._inputs import as_json, objects, texts, values

INPUT = st.tuples(st.integers(300, 599), texts | objects.map(as_json) | values.map(lambda v: as_json({"error": v})))


def parse(data: tuple[int, bytes]) -> None:
    status, body = data
    told = complaint(body)
    assert all(text.isprintable() and len(text) <= 300 for text in (told.message, told.code, told.param))
    said = refusal(Answer(status, {}, body), ThreadRef("assistants", "http://x", "thread_1"), "/x", identified=True)
    assert str(said).isprintable()
