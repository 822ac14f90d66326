"""Files, containers, vector stores and attachments: objects, bytes, refusals, and what goes wrong with downloads."""

import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai.types import FileObject, VectorStore
from openai.types.vector_stores import VectorStoreFile
from pydantic import TypeAdapter

from exporter.sandbox import Content, Generated, Running, State, Switches, running
from exporter.sandbox.content import head, pieces, size

LARGE = Generated(3_000_001, seed=7)
HEADERS = {"Authorization": "Bearer sk-sandbox-one", "OpenAI-Beta": "chatkit_beta=v1"}


@pytest.fixture
def sandbox() -> Iterator[Running]:
    state = State(start=1_765_000_000)
    state.add_file({"id": "file-large"}, LARGE)
    with running(state) as sandbox:
        yield sandbox


@pytest.fixture
def http(sandbox: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, headers=HEADERS) as http:
        yield http


def ids(answer: httpx.Response) -> list[Any]:
    return [one["id"] for one in answer.json()["data"]]


def message(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["message"]


@pytest.mark.parametrize("content", [b"", b"abc" * 1000, Generated(0), Generated(1), Generated(200_001)])
def test_content_is_the_same_however_it_is_cut(content: Content) -> None:
    whole = b"".join(pieces(content))

    assert len(whole) == size(content)
    assert b"".join(pieces(content, 999)) == whole
    assert b"".join(pieces(head(content, 1234))) == whole[:1234]


def test_a_large_file_is_streamed_with_its_length(http: httpx.Client) -> None:
    answer = http.get("/files/file-large/content")

    assert int(answer.headers["content-length"]) == len(answer.content) == LARGE.size
    assert hashlib.sha256(answer.content).hexdigest() == LARGE.sha256()
    assert http.get("/files/file-large").json()["bytes"] == LARGE.size


def test_a_file_of_many_gigabytes_begins_at_once(sandbox: Running, http: httpx.Client) -> None:
    sandbox.state.add_file({"id": "file-vast"}, Generated(1 << 40))
    with http.stream("GET", "/files/file-vast/content") as answer:
        first = next(answer.iter_bytes())

    assert answer.headers["content-length"] == str(1 << 40)
    assert first


def test_each_fault_strikes_downloads(sandbox: Running, http: httpx.Client) -> None:
    whole = b"".join(pieces(LARGE))
    found: dict[str, bytes] = {}
    for fault in ("cut_json", "slow_drip", "no_length"):
        sandbox.state.switches = Switches(fault=fault, only="/content")
        found[fault] = http.get("/files/file-large/content").content

    assert found == {"cut_json": whole[: len(whole) // 2], "slow_drip": whole, "no_length": whole}
    for fault in ("truncated", "wrong_length", "reset"):
        sandbox.state.switches = Switches(fault=fault, only="/content")
        with pytest.raises(httpx.TransportError):
            http.get("/files/file-large/content")
    sandbox.state.switches = Switches(fault="endless", only="/content")
    with http.stream("GET", "/files/file-large/content") as answer:
        got = 0
        for piece in answer.iter_bytes():
            got += len(piece)
            if got > 2 * LARGE.size:
                break
    assert got > 2 * LARGE.size


@pytest.mark.parametrize("purpose", ["assistants", "user_data"])
def test_what_users_uploaded_is_not_given_back(sandbox: Running, http: httpx.Client, purpose: str) -> None:
    name = sandbox.state.add_file({"purpose": purpose}, b"secret")

    assert message(http.get(f"/files/{name}/content")) == (
        400,
        f"Not allowed to download files of purpose: {purpose}",
    )
    assert http.get(f"/files/{name}").json()["purpose"] == purpose


def test_files_come_by_ten_thousand_and_by_purpose(sandbox: Running, http: httpx.Client) -> None:
    for number in range(150):
        sandbox.state.add_file({"id": f"file-{number}", "purpose": "vision"})

    assert len(ids(http.get("/files"))) == 151
    assert len(ids(http.get("/files?limit=10000&purpose=vision"))) == 150
    assert message(http.get("/files?limit=10001"))[0] == 400
    assert ids(http.get("/files?order=asc&after=file-148")) == ["file-149"]


def test_a_container_lives_twenty_minutes_after_its_last_use(sandbox: Running, http: httpx.Client) -> None:
    container = sandbox.state.add_container({"created_at": 1_700_000_000})
    file = sandbox.state.add_container_file(container, {"path": "/mnt/data/../a.csv"}, b"a,b\n")
    path = f"/containers/{container}"
    assert ids(http.get("/containers")) == [container]
    assert ids(http.get(f"{path}/files")) == [file]
    assert http.get(f"{path}/files/{file}").json()["bytes"] == 4
    sandbox.state.clock.advance(1199)
    assert http.get(f"{path}/files/{file}/content").content == b"a,b\n"
    sandbox.state.clock.advance(1199)
    assert http.get(path).json()["last_active_at"] == 1_765_000_000 + 2398
    assert message(http.get(f"{path}/files/cfile_x/content")) == (
        404,
        f"File cfile_x not found on container {container}.",
    )
    sandbox.state.clock.advance(1201)

    assert message(http.get(f"{path}/files/{file}/content")) == (404, f"Container with id '{container}' not found.")
    assert http.get(path).status_code == 404
    assert ids(http.get("/containers")) == []


def test_listing_containers_keeps_none_of_them_alive(sandbox: Running, http: httpx.Client) -> None:
    sandbox.state.add_container("cntr_1")
    sandbox.state.add_container({"id": "cntr_2", "name": "mine"})
    sandbox.state.clock.advance(1000)

    assert ids(http.get("/containers?order=asc")) == ["cntr_1", "cntr_2"]
    assert ids(http.get("/containers?name=mine")) == ["cntr_2"]
    sandbox.state.clock.advance(201)
    assert ids(http.get("/containers")) == []


def test_a_vector_store_has_the_texts_of_its_files_page_by_page(sandbox: Running, http: httpx.Client) -> None:
    store = sandbox.state.add_vector_store("vs_1")
    texts = [f"part {number}" for number in range(45)]
    sandbox.state.add_vector_file(store, "file-1", texts)
    sandbox.state.add_vector_file(store, {"id": "file-2", "status": "failed"})
    seen: list[str] = []
    params: dict[str, str] = {}
    while True:
        page = http.get("/vector_stores/vs_1/files/file-1/content", params=params).json()
        assert page["object"] == "vector_store.file_content.page"
        seen += [part["text"] for part in page["data"]]
        if not page["has_more"]:
            break
        params = {"page": page["next_page"]}

    assert seen == texts
    assert page["next_page"] is None
    assert ids(http.get("/vector_stores/vs_1/files?filter=failed")) == ["file-2"]
    assert http.get("/vector_stores/vs_1/files/file-2/content").json()["data"] == []
    assert http.get("/vector_stores/vs_1/files/file-3/content").status_code == 404
    assert http.get("/vector_stores/vs_1/files/file-1/content?page=x").status_code == 400


TYPES: dict[str, Any] = {
    "/files/file-large": FileObject,
    "/vector_stores/vs_1": VectorStore,
    "/vector_stores/vs_1/files/file-1": VectorStoreFile,
}


@pytest.mark.parametrize("path", TYPES)
def test_vector_stores_have_no_public_description_so_the_sdk_s_types_must_fit(
    sandbox: Running, http: httpx.Client, path: str
) -> None:
    sandbox.state.add_vector_store("vs_1")
    sandbox.state.add_vector_file("vs_1", "file-1")
    one = http.get(path).json()

    assert TypeAdapter(TYPES[path]).validate_python(one, strict=True).id == one["id"]
    assert http.get(path.rpartition("/")[0]).json()["data"] == [one]


def attached(sandbox: Running, http: httpx.Client) -> dict[str, Any]:
    """The attachment that a user's message shows."""
    found = http.get("/chatkit/threads/cthr_1/items").json()["data"][0]["attachments"][0]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def picture(sandbox: Running) -> dict[str, Any]:
    state = sandbox.state
    attachment = state.add_attachment(b"\x89PNG", name="../é.png", mime_type="image/png")
    state.put("chatkit", "cthr_1")
    state.add("chatkit", "cthr_1", "items", {"attachments": [attachment]}, kind="chatkit_item")
    return attachment


def test_an_attachment_answers_anybody_for_ten_minutes(
    sandbox: Running, http: httpx.Client, picture: dict[str, Any]
) -> None:
    first = attached(sandbox, http)
    sandbox.state.clock.advance(599)
    answer = httpx.get(first["preview_url"])
    later = attached(sandbox, http)
    sandbox.state.clock.advance(2)

    assert (answer.content, answer.headers["content-type"]) == (b"\x89PNG", "image/png")
    assert {k: v for k, v in first.items() if k != "preview_url"} == {
        k: v for k, v in picture.items() if k != "preview_url"
    }
    assert httpx.get(first["preview_url"]).status_code == 403
    assert httpx.get(later["preview_url"]).status_code == 200
    assert httpx.get(later["preview_url"] + "0").status_code == 403
    assert sandbox.state.leaks == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer sk-anything"},
        {"api-key": "sk-anything"},
        {"Cookie": "a=b"},
        {"X-Else": "sk-sandbox-one"},
    ],
)
@pytest.mark.usefixtures("picture")
def test_an_attachment_refuses_a_credential_and_remembers_it(
    sandbox: Running, http: httpx.Client, headers: dict[str, str]
) -> None:
    url = attached(sandbox, http)["preview_url"]
    answer = httpx.get(url, headers=headers)

    assert (answer.status_code, "InvalidAuthenticationInfo" in answer.text) == (400, True)
    assert sandbox.state.leaks == [httpx.URL(url).path]
    assert sandbox.state.requests[-1].status == 400


@pytest.mark.usefixtures("picture")
def test_faults_strike_attachments(sandbox: Running, http: httpx.Client) -> None:
    url = attached(sandbox, http)["preview_url"]
    sandbox.state.switches = Switches(fault="truncated", only="/_attachments")
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url)


def test_bytes_may_lie_elsewhere_where_no_key_belongs(sandbox: Running, http: httpx.Client) -> None:
    sandbox.state.switches = Switches(redirects=True)
    answer = http.get("/files/file-large/content")
    there = answer.headers["location"]

    assert (answer.status_code, answer.content) == (302, b"")
    assert httpx.get(there).content == b"".join(pieces(LARGE))
    assert sandbox.state.leaks == []
    assert http.get(there).status_code == 400
    assert sandbox.state.leaks == [httpx.URL(there).path]
