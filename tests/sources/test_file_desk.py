"""One file at a time: what the server says of it, its bytes or the text that is left of them, or the reason why not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest

from exporter.errors import BadAnswer, BudgetReached, Temporary
from exporter.model import FileRef, ThreadRef
from exporter.sources import NO_HEADERS, Answer, Sink
from exporter.sources._files import UNWELL, Fetched, FileDesk
from exporter.sources._places import Reason

ENDPOINT = "http://127.0.0.1:1/v1"
THREAD = ThreadRef("assistants", ENDPOINT, "thread_1")
FILE = FileRef(THREAD, "file", "file-1", message="msg_1")
IN_CONTAINER = FileRef(THREAD, "container_file", "cfile_1", "cntr_1")
REFUSED = (400, "Not allowed to download files of purpose: assistants")
ABOUT = b'{"id":"file-1","bytes":5,"n":1.10,"filename":"a.txt","purpose":"vision"}'

Word = bytes | tuple[int, str] | Exception
"A body, a status with its message, or what the transport raises."


class Memory:
    """A sink."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def restart(self) -> None:
        self.data = b""


class Server:
    """What a server says under each path, and what it was asked."""

    endpoint = ENDPOINT

    def __init__(self, says: Mapping[str, Word]) -> None:
        self.says = says
        self.asked: list[str] = []
        self.headers: dict[str, dict[str, str]] = {}
        self.kind = "application/octet-stream"

    async def get(
        self, path: str, params: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        return self._answer("".join([path, *(f"?{key}={value}" for key, value in params)]), headers)

    async def download(self, path: str, sink: Sink, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
        answer = self._answer(path, headers)
        if answer.status != 200:
            return answer
        for start in range(0, len(answer.body), 3):
            sink.write(answer.body[start : start + 3])
        return Answer(200, answer.headers, b"")

    def _answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        self.asked.append(path)
        self.headers[path] = dict(headers)
        word = self.says.get(path, (404, f"No such File object: {path}"))
        if isinstance(word, Exception):
            raise word
        if isinstance(word, bytes):
            return Answer(200, {"content-type": self.kind}, word)
        return Answer(word[0], {}, json.dumps({"error": {"message": word[1]}}).encode())


def fetched(
    server: Server, ref: FileRef = FILE, stores: Callable[[], Iterable[str]] = tuple, desk: FileDesk | None = None
) -> tuple[Fetched, bytes]:
    sink = Memory()
    got = asyncio.run((desk or FileDesk(server, 2**30)).fetch(ref, sink, stores))
    assert (got.form is None) <= (sink.data == b"")
    return got, sink.data


def content(*texts: str, token: str | None = None, more: bool = False) -> bytes:
    data = [{"type": "text", "text": text} for text in texts]
    return json.dumps({"data": data, "has_more": more, "next_page": token}).encode()


def test_a_file_comes_with_what_the_server_says_of_it_token_by_token() -> None:
    server = Server(
        {"/files/file-1": b'{ "id":"file-1", "bytes":5,"n":1.10,"filename":"a.txt"}', "/files/file-1/content": b"hello"}
    )
    server.kind = "text/plain; charset=utf-8"

    got, data = fetched(server)

    assert data == b"hello"
    assert got.object == b'{"id":"file-1","bytes":5,"n":1.10,"filename":"a.txt"}'
    assert (got.form, got.reason, got.name, got.mime_type) == ("bytes", None, "a.txt", "text/plain")


def test_a_containers_file_is_asked_for_in_its_container() -> None:
    where = "/containers/cntr_1/files/cfile_1"
    server = Server({where: b'{"id":"cfile_1","path":"/mnt/data/p.png","bytes":3}', f"{where}/content": b"png"})

    got, data = fetched(server, IN_CONTAINER)

    assert (got.reason, got.name, data) == (None, "/mnt/data/p.png", b"png")


def test_an_artifact_whose_object_a_list_gave_costs_one_request() -> None:
    session = ThreadRef("agents", ENDPOINT, "asess_1")
    about = b'{"id":"art_1","path":"/out/../../x","size_bytes":2,"created_at":1}'
    where = "/agents/sessions/asess_1/artifacts/art_1/content"
    server = Server({where: b"ok"})

    got, data = fetched(server, FileRef(session, "artifact", "art_1", name="/out/../../x", object=about))

    assert (got.reason, got.name, got.object, data) == (None, "/out/../../x", about, b"ok")
    assert server.headers == {where: {"OpenAI-Beta": "agents=v1"}}


def test_an_attachment_is_asked_for_where_its_object_says() -> None:
    about = b'{"id":"att_1","name":"a.png","mime_type":"image/png"}'
    server = Server({"https://files.example/a?sig=x": b"png"})

    got, data = fetched(
        server, FileRef(THREAD, "attachment", "att_1", None, "m", "a.png", "https://files.example/a?sig=x", about)
    )

    assert (got.reason, got.mime_type, data) == (None, "image/png", b"png")


@pytest.mark.parametrize(
    "url", [None, "data:image/png;base64,AAAA", "/files/file-secret/content", "files/x", "ftp://x/y"]
)
def test_an_attachment_without_an_address_of_the_web_is_not_asked_for(url: str | None) -> None:
    server = Server({})

    got, _ = fetched(server, FileRef(THREAD, "attachment", "att_1", url=url))

    assert (got.reason, server.asked) == ("no_address", [])


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_address_that_was_signed_too_long_ago_is_expired_and_stops_no_other(status: int) -> None:
    server = Server({"https://x/1": (status, "signature"), "https://x/2": b"ok"})
    desk = FileDesk(server, 2**30)

    assert fetched(server, FileRef(THREAD, "attachment", "a", url="https://x/1"), desk=desk)[0].reason == "expired"
    assert fetched(server, FileRef(THREAD, "attachment", "b", url="https://x/2"), desk=desk)[1] == b"ok"


@pytest.mark.parametrize(
    "bad", ["../../../etc/passwd", "file/1", "file-1/content", "file 1", "-x", "", "x" * 100_000, "ä"]
)
def test_an_id_that_is_a_path_is_never_part_of_one(bad: str) -> None:
    server = Server({})

    for ref in (FileRef(THREAD, "file", bad), FileRef(THREAD, "container_file", "cfile_1", bad)):
        got, _ = fetched(server, ref)
        assert got.reason == "refused"
        assert got.detail is not None
        assert len(got.detail) < 1000
    assert server.asked == []


REASONS: dict[str, tuple[dict[str, Word], FileRef, str]] = {
    "unknown file": ({}, FILE, "not_found"),
    "a file gone between the two requests": (
        {"/files/file-1": ABOUT, "/files/file-1/content": (404, "gone")},
        FILE,
        "not_found",
    ),
    "a container's file that is forgotten": ({}, IN_CONTAINER, "expired"),
    "an expired container": (
        {"/containers/cntr_1/files/cfile_1": (400, "Container is expired.")},
        IN_CONTAINER,
        "expired",
    ),
    "refused purpose": ({"/files/file-1": ABOUT, "/files/file-1/content": REFUSED}, FILE, "purpose_refused"),
    "no scope": ({"/files/file-1": (403, "Missing scopes: api.files.read.")}, FILE, "missing_scope"),
    "server unwell": ({"/files/file-1": Temporary("GET /files/file-1: HTTP 503")}, FILE, "temporary"),
    "server that wants no other try": ({"/files/file-1": (500, "x-should-retry: false")}, FILE, "temporary"),
    "a broken download": ({"/files/file-1": ABOUT, "/files/file-1/content": Temporary("broken")}, FILE, "temporary"),
    "html": ({"/files/file-1": b"<html>Login</html>"}, FILE, "refused"),
    "a list": ({"/files/file-1": b"[]"}, FILE, "refused"),
    "another object": ({"/files/file-1": b'{"id":"file-2"}'}, FILE, "refused"),
    "a redirect": ({"/files/file-1": ABOUT, "/files/file-1/content": (302, "")}, FILE, "refused"),
    "an address that is not asked": (
        {"/files/file-1": ABOUT, "/files/file-1/content": BadAnswer("private")},
        FILE,
        "refused",
    ),
    "any other no": ({"/files/file-1": (418, "teapot")}, FILE, "refused"),
    "fewer bytes than were said": ({"/files/file-1": ABOUT, "/files/file-1/content": b"hell"}, FILE, "size_differs"),
    "html in place of the bytes": (
        {"/files/file-1": ABOUT, "/files/file-1/content": b"<html>Login"},
        FILE,
        "size_differs",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_a_file_that_cannot_be_had_whole_says_why_in_a_word_and_a_sentence(case: str) -> None:
    says, ref, reason = REASONS[case]

    got, data = fetched(Server(says), ref)

    assert got.reason == reason
    assert got.detail
    assert (got.form == "bytes") == (reason == "size_differs")
    assert bool(data) == (reason == "size_differs")
    assert got.object == (ABOUT if says.get("/files/file-1") == ABOUT else None)


def test_a_size_the_server_does_not_tell_is_not_compared() -> None:
    for about in (b'{"id":"file-1"}', b'{"id":"file-1","bytes":null}', b'{"id":"file-1","bytes":"5"}', b'{"bytes":-1}'):
        got, _ = fetched(Server({"/files/file-1": about, "/files/file-1/content": b"whatever"}))
        assert got.reason is None


def test_a_file_over_the_cap_is_not_begun_and_an_endless_one_is_ended() -> None:
    server = Server({"/files/file-1": ABOUT, "/files/file-1/content": b"hello"})
    got, _ = fetched(server, desk=FileDesk(server, most=4))
    assert (got.reason, got.object, server.asked) == ("too_large", ABOUT, ["/files/file-1"])

    server = Server({"/files/file-1": b'{"id":"file-1"}', "/files/file-1/content": b"x" * 10_000})
    got, data = fetched(server, desk=FileDesk(server, most=4))
    assert (got.reason, data) == ("too_large", b"")

    server = Server({"/files/file-1": ABOUT, "/files/file-1/content": b"hello"})
    assert fetched(server, desk=FileDesk(server, most=5))[1] == b"hello"


def test_the_text_of_a_vector_store_is_kept_where_the_bytes_are_refused_with_all_its_pages() -> None:
    text = "/vector_stores/vs_2/files/file-1/content"
    says: dict[str, Word] = {
        "/files/file-1": ABOUT,
        "/files/file-1/content": REFUSED,
        text: content("one \ud800", "two", token="p2", more=True),
        f"{text}?page=p2": content("three"),
    }
    server = Server(says)

    got, data = fetched(server, stores=lambda: ["../x", "vs_1", "vs_2", "vs_3"])

    assert data.decode() == "one \ufffd\ntwo\nthree\n"
    assert (got.form, got.reason, got.object) == ("text", "purpose_refused", ABOUT)
    assert got.detail is not None
    assert "vs_2" in got.detail
    assert server.asked[2:] == ["/vector_stores/vs_1/files/file-1/content", text, f"{text}?page=p2"]
    assert server.headers[text] == {"OpenAI-Beta": "assistants=v2"}


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ([content("one", token="p", more=True), content("two", token="p", more=True)], b"one\ntwo\n"),
        ([content("one", token="p", more=True), content(token="q", more=True)], b"one\n"),
        ([content("one", more=True)], b"one\n"),
        ([content("one", token="p", more=True), (404, "what page?")], b"one\n"),
    ],
    ids=["the same page again", "a page of nothing", "more, but not after what", "a page refused"],
)
def test_a_text_whose_end_is_not_proven_is_kept_and_says_so(pages: list[Word], expected: bytes) -> None:
    text = "/vector_stores/vs_1/files/file-1/content"
    says: dict[str, Any] = {"/files/file-1": ABOUT, "/files/file-1/content": REFUSED, text: pages[0]}
    says |= {f"{text}?page=p": page for page in pages[1:]}

    got, data = fetched(Server(says), stores=lambda: ["vs_1"])

    assert (got.form, data) == ("text", expected)
    assert got.detail is not None
    assert "more follows" in got.detail or "not all of it" in got.detail


@pytest.mark.parametrize("word", [content(), b"<html>", (404, "no"), b'{"data":[{"text":7},3],"next_page":{}}'])
def test_where_no_vector_store_has_text_the_refusal_stands(word: Word) -> None:
    says = {"/files/file-1": ABOUT, "/files/file-1/content": REFUSED, "/vector_stores/v/files/file-1/content": word}

    got, _ = fetched(Server(says), stores=lambda: ["v"])

    assert (got.form, got.reason, got.detail) == (None, "purpose_refused", f"HTTP 400: {REFUSED[1]}")


@pytest.mark.parametrize(
    ("word", "reason"), [(Temporary("503"), "temporary"), ((403, "Missing scopes: vs"), "missing_scope")], ids=str
)
def test_text_that_may_be_had_later_is_asked_for_later(word: Word, reason: str) -> None:
    says = {"/files/file-1": ABOUT, "/files/file-1/content": REFUSED, "/vector_stores/v/files/file-1/content": word}

    got, _ = fetched(Server(says), stores=lambda: ["v"])

    assert (got.form, got.reason) == (None, reason)


def test_a_missing_scope_is_named_and_nothing_more_is_asked_that_needs_it() -> None:
    where = "/containers/cntr_1/files/cfile_1"
    message = "You have insufficient permissions for this operation. Missing scopes: api.files.read."
    server = Server({"/files/file-1": (403, message), where: b'{"id":"cfile_1"}', f"{where}/content": b"ok"})
    desk = FileDesk(server, 2**30)

    first, again, other = (fetched(server, ref, desk=desk)[0] for ref in (FILE, FILE, IN_CONTAINER))

    assert first.reason == again.reason == "missing_scope"
    assert "the scope api.files.read" in (again.detail or "")
    assert other.reason is None
    assert server.asked == ["/files/file-1", where, f"{where}/content"]


def test_after_too_much_trouble_in_a_row_no_more_is_asked() -> None:
    server = Server(
        {"/files/file-1": Temporary("503"), "/files/file-2": b'{"id":"file-2"}', "/files/file-2/content": b"x"}
    )
    desk, other = FileDesk(server, 2**30), FileRef(THREAD, "file", "file-2")

    for _ in range(UNWELL - 1):
        fetched(server, desk=desk)
    assert fetched(server, other, desk=desk)[0].reason is None
    for _ in range(UNWELL):
        fetched(server, desk=desk)
    asked = len(server.asked)

    assert fetched(server, other, desk=desk)[0].reason == "temporary"
    assert len(server.asked) == asked


def test_a_spent_budget_and_a_full_disk_are_no_matter_of_the_file() -> None:
    class Full(Memory):
        def write(self, data: bytes) -> None:
            raise OSError(28, f"full: no room for {len(data)} bytes")

    with pytest.raises(BudgetReached):
        fetched(Server({"/files/file-1": BudgetReached("spent")}))
    with pytest.raises(OSError, match="full"):
        asyncio.run(FileDesk(Server({"/files/file-1": ABOUT, "/files/file-1/content": b"x"}), 9).fetch(FILE, Full()))


def test_the_guide_explains_every_reason_and_no_other() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text("utf-8")
    table = guide.split("\n## Files\n")[1].split("\n## ")[0]

    rows = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(get_args(Reason))
