"""Files and streams that are to hold ids of threads: CSV, JSON lines, any text."""

from __future__ import annotations

from hypothesis import strategies as st

from exporter.ids import COLUMNS, Said, entries
from tests.archive.making import in_memory
from tests.fuzz._inputs import as_json, mutated, objects

SAMPLE = b'thread_id,user,tags\nthread_abc123,ann,"a,b"\nconv_1,ben,\n'
words = st.sampled_from(
    ["thread_abc123", "conv_1", "sk-x", "msg_1", "\n", "\r", ",", ";", "\t", '"', "{", "#", "thread_", " ", "\0", "é"]
) | st.sampled_from([name for names in COLUMNS.values() for name in names])
INPUT = st.tuples(
    mutated(SAMPLE)
    | st.lists(words, max_size=12).map(lambda found: "".join(found).encode())
    | st.lists(objects.map(as_json), max_size=3).map(b"\n".join)
    | st.binary(max_size=50),
    st.sampled_from([None, "assistants"]),
)


def parse(data: tuple[bytes, str | None]) -> None:
    text, source = data
    said = Said("http://127.0.0.1:1/v1", source=source)
    with in_memory() as folder:
        (folder / "ids").write_bytes(text)
        list(entries([f"@{folder / 'ids'}"], said))
    shown = text.decode("utf-8", "surrogateescape")
    list(entries(["-"], said, shown.splitlines(keepends=True)))
    list(entries([shown], said))
