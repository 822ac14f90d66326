"""Addresses and headers that somebody sends to the viewer."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from tests.archive.publishing import published
from tests.view.asking import TOKEN, client

PATHS = (
    "/",
    "/t/assistants/thread_1",
    "/t/",
    "/t/assistants/",
    "/t/assistants/%00",
    "/blob/x",
    "/search",
    "/static/x",
    "/part",
)
NAMES = (
    "q",
    "at",
    "after",
    "before",
    "from",
    "source",
    "endpoint",
    "id",
    "user",
    "token",
    "state",
    "sort",
    "kind",
    "page",
)
text = st.text(max_size=8) | st.sampled_from(
    ["-1", "9" * 30, "../..", "\0", "thread_1", "messages:2", "1:2:3", '"', "*"]
)
INPUT = st.tuples(
    st.sampled_from(PATHS) | text.map(lambda t: "/" + t) | text.map(lambda t: f"/t/assistants/{t}"),
    st.dictionaries(st.sampled_from(NAMES), text, max_size=4),
    st.dictionaries(
        st.sampled_from(["cookie", "x-y", "if-none-match", "range"]),
        st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=9),
    ),
    st.booleans(),
)
_made: list[Path] = []


def parse(data: tuple[str, dict[str, str], dict[str, str], bool]) -> None:
    path, params, headers, known = data
    if not _made:
        _made.append(published(Path(mkdtemp(prefix="exporter-fuzz-")) / "a"))
    address = quote(path.encode("utf-8", "replace"), safe="/%:")
    query = urlencode({k: v.encode("utf-8", "replace") for k, v in params.items()})
    if known and "cookie" in headers:
        del headers["cookie"]
    answer = client(_made[0], known=known).get(f"{address}?{query}", headers=headers)
    assert answer.status_code < 500, answer.text
    assert known or answer.status_code in (303, 403) or params.get("token") == TOKEN
