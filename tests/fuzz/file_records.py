"""Our own records of files, as a later visit and the tables read them."""

from __future__ import annotations

from hypothesis import strategies as st

from exporter.crawl._file_records import Got, body_of, read
from exporter.model import FileRef, Record, Registration
from exporter.rows import row
from exporter.sources._files import Fetched
from exporter.sources._split import compact
from tests.archive.making import AT, THREAD
from tests.fuzz._inputs import as_json, objects, texts

words = st.none() | st.text(max_size=6)
INPUT = st.tuples(
    st.sampled_from(["file", "container_file", "artifact", "attachment"]), words, words, objects.map(as_json) | texts
)


def parse(data: tuple[str, str | None, str | None, bytes]) -> None:
    type_, name, container, about = data
    try:
        about = compact(about)
    except ValueError:
        return  # what is no JSON is not kept as what a server said
    ref = FileRef(THREAD, type_, "file-1", container, name=name)  # type: ignore[arg-type]
    record = Record(
        THREAD, "file", "file-1", 0, AT, body_of(ref, Got(Fetched(name=name, object=about))), parent=container
    )
    found, held, _ = read(record)
    assert (found.type, found.container, held.sha256) == (type_, container, None)
    row(record, Registration(THREAD))
