"""Objects of servers on their way into a row of a table."""

from __future__ import annotations

from hypothesis import strategies as st

from exporter.model import Record, Registration
from exporter.rows import TABLE_OF, row
from exporter.schemas import SCHEMAS
from exporter.sources._split import compact
from exporter.tables._content import state_of
from tests.archive.making import AT, THREAD
from tests.fuzz._inputs import KEYS, as_json, objects, texts, values

INPUT = st.tuples(
    st.sampled_from(["thread", "message", "run", "step"]),
    objects.map(as_json) | texts | st.dictionaries(st.sampled_from(KEYS), values, min_size=5).map(as_json),
    st.none() | st.text(max_size=4),
)


def parse(data: tuple[str, bytes, str | None]) -> None:
    import pyarrow as pa

    kind, body, parent = data
    try:
        body = compact(body)
    except ValueError:
        return  # what is no JSON is not archived
    record = Record(THREAD, kind, "id_1", 0, AT, body, parent=parent)  # type: ignore[arg-type]
    state_of(record)
    made = row(record, Registration(THREAD)) or {}
    table = TABLE_OF[record.kind]
    pa.Table.from_pylist([{name: made.get(name) for name in SCHEMAS[table].names}], schema=SCHEMAS[table])
