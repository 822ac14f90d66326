"""Each lie lies as it is named, and only so."""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from exporter.errors import UsageError
from exporter.sandbox import LIES, Running, State, Switches, running

THREAD, CONVERSATION = "/threads/thread_seed1x00000", "/conversations/conv_seed1x00000"
Body = dict[str, Any]
Get = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    state = State.seed(threads=2, messages=45, conversations=2, items=45)
    state.put("completions", {"id": "chatcmpl-1"})
    with running(state) as sandbox:
        yield sandbox


@pytest.fixture
def get(sandbox: Running) -> Iterator[Get]:
    headers = {"Authorization": "Bearer sk-sandbox-one", "OpenAI-Beta": "assistants=v2"}
    with httpx.Client(base_url=sandbox.url, headers=headers) as http:

        def asked(path: str, *, lie: str = "", **params: Any) -> httpx.Response:
            sandbox.state.switches = Switches(lies=frozenset({lie} - {""}))
            return http.get(path, params=params)

        yield asked
    sandbox.state.switches = Switches()


def pages(get: Get, path: str, lie: str, most: int = 12, **params: Any) -> list[Body]:
    """What a naive client sees: follow last_id, else the last item's id, while has_more."""
    found: list[Body] = []
    after: Body = {}
    while len(found) < most:
        page = get(path, lie=lie, **params, **after).json()
        found.append(page)
        cursor = page.get("last_id") or (page["data"][-1]["id"] if page["data"] else None)
        if not page["has_more"] or not cursor:
            break
        after = {"after": cursor}
    return found


def ids(found: list[Body]) -> list[Any]:
    return [one["id"] for page in found for one in page["data"]]


PATHS = [f"{THREAD}/messages", f"{CONVERSATION}/items"]


@pytest.fixture(params=PATHS, ids=["messages", "items"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def honest(get: Get, path: str) -> list[Any]:
    return ids(pages(get, path, "", limit=100, order="asc"))


def test_no_envelope_ids(get: Get, path: str, honest: list[Any]) -> None:
    found = pages(get, path, "no_envelope_ids", limit=10, order="asc")

    assert all(set(page) == {"object", "data", "has_more"} for page in found)
    assert ids(found) == honest


def test_drops_envelope_empty_strings(get: Get, path: str) -> None:
    page = get(path, lie="drops_envelope_empty_strings").json()

    assert (page["first_id"], page["last_id"]) == ("", "")


def test_ignores_parameters(get: Get, path: str, honest: list[Any]) -> None:
    found = pages(get, path, "ignores_parameters", limit=7, order="asc")

    assert len(found) == 12
    assert all(ids([page]) == honest[:-21:-1] for page in found)


def test_descending(get: Get, path: str, honest: list[Any]) -> None:
    assert ids(pages(get, path, "descending", limit=20, order="asc")) == honest[::-1]


def test_inclusive_cursor(get: Get, path: str, honest: list[Any]) -> None:
    found = pages(get, path, "inclusive_cursor", limit=10, order="asc")

    assert all(ids([b])[0] == ids([a])[-1] for a, b in itertools.pairwise(found))
    assert sorted(set(ids(found))) == sorted(honest)
    assert not found[-1]["has_more"]


def test_inclusive_cursor_forever(get: Get, path: str, honest: list[Any]) -> None:
    found = pages(get, path, "inclusive_cursor_forever", limit=100, order="asc")

    assert len(found) == 12 or found[0]["has_more"] is False
    assert ids(pages(get, path, "inclusive_cursor_forever", limit=20, order="asc")[-2:]) == honest[-1:] * 2


def test_has_more_always_false(get: Get, path: str) -> None:
    assert [page["has_more"] for page in pages(get, path, "has_more_always_false", limit=10)] == [False]


def test_has_more_forever(get: Get, path: str, honest: list[Any]) -> None:
    found = pages(get, path, "has_more_forever", limit=20, order="asc")

    assert len(found) == 12
    assert {page["last_id"] for page in found[2:]} == {honest[-1]}
    assert all(page["data"] for page in found)


def test_empty_page_has_more(get: Get, path: str, honest: list[Any]) -> None:
    found = pages(get, path, "empty_page_has_more", limit=20, order="asc")

    assert ids(found) == honest
    assert all(page["data"] == [] and page["has_more"] for page in found[3:])
    assert {page["last_id"] for page in found[3:]} == {honest[-1]}


def test_cursor_by_second(get: Get, sandbox: Running) -> None:
    found = ids(pages(get, PATHS[0], "cursor_by_second", limit=7, order="asc"))
    everything = [json.loads(body)["id"] for body in sandbox.state.messages("thread_seed1x00000")]

    assert len(found) == len(set(found))
    assert set(found) < set(everything)


def test_unknown_after_restarts(get: Get, path: str) -> None:
    assert get(path, after="nobody").status_code == 400
    assert get(path, lie="unknown_after_restarts", after="nobody").content == get(path).content


@pytest.mark.parametrize("path", ["/threads/thread_x/messages", "/conversations/conv_x/items"])
def test_unknown_thread_empty(get: Get, path: str) -> None:
    answer = get(path, lie="unknown_thread_empty")

    assert (answer.status_code, answer.json()["data"]) == (200, [])
    assert get(path.rpartition("/")[0], lie="unknown_thread_empty").status_code == 404


@pytest.mark.parametrize("status", [400, 422])
def test_limit_too_large(get: Get, path: str, status: int) -> None:
    answer = get(path, lie=f"limit_too_large_{status}", limit=51)

    assert answer.status_code == status
    assert ("error" if status == 400 else "detail") in answer.json()
    assert get(path, lie=f"limit_too_large_{status}", limit=50).status_code == 200


def test_limit_silently_capped(get: Get, sandbox: Running) -> None:
    sandbox.state.add_generated("thread_long", 120)
    page = get("/threads/thread_long/messages", lie="limit_silently_capped", limit=100).json()

    assert len(page["data"]) == 50
    assert page["has_more"]


CREATED = {
    "created_at_milliseconds": lambda at: at * 1000,
    "created_at_float": lambda at: at + 0.123456,
    "created_at_negative": lambda at: -at,
}


@pytest.mark.parametrize("lie", CREATED)
@pytest.mark.parametrize("path", [f"{THREAD}/messages", THREAD, CONVERSATION])
def test_created_at(get: Get, path: str, lie: str) -> None:
    true, told = (get(path, lie=name).json() for name in ("", lie))
    if "data" in true:
        true, told = true["data"][0], told["data"][0]

    assert told["created_at"] == CREATED[lie](true["created_at"])


TEXTS: dict[str, Callable[[str], Any]] = {
    "text_as_string": lambda text: text,
    "text_as_object": lambda text: {"value": text},
    "text_as_list": lambda text: [text],
}


@pytest.mark.parametrize("lie", TEXTS)
def test_text(get: Get, path: str, lie: str) -> None:
    true, told = (get(path, lie=name, order="asc").json()["data"][0]["content"][0]["text"] for name in ("", lie))

    assert told == TEXTS[lie](true["value"] if isinstance(true, dict) else true)


def test_content_bare_string(get: Get, path: str) -> None:
    body = get(path, lie="content_bare_string", order="asc").json()["data"][0]

    assert isinstance(body["content"], str)
    assert body["content"]


def test_status_null(get: Get, path: str) -> None:
    assert {one["status"] for one in get(path, lie="status_null").json()["data"]} == {None}


@pytest.mark.parametrize("where", [THREAD, CONVERSATION])
def test_metadata_underscore(get: Get, where: str) -> None:
    true, told = (get(where, lie=name).json() for name in ("", "metadata_underscore"))

    assert told == {("metadata_" if key == "metadata" else key): value for key, value in true.items()}


def test_position_ids(get: Get, path: str) -> None:
    found = ids(pages(get, path, "position_ids", limit=10, order="asc"))
    other = path.replace("x00000", "x00001")

    assert found == ids(pages(get, other, "position_ids", limit=10, order="asc"))
    assert found == [f"item_{n}" for n in range(45)]
    assert get(f"{path}/item_7", lie="position_ids").json()["id"] == "item_7"


def test_duplicate_ids(get: Get, path: str, honest: list[Any]) -> None:
    found = get(path, lie="duplicate_ids", limit=100, order="asc").json()["data"]

    assert [one["id"] for one in found] == [honest[n - 1 if n % 7 == 6 else n] for n in range(45)]


def test_null_ids(get: Get, path: str, honest: list[Any]) -> None:
    known, unknown = (get(path, lie=lie, limit=5, order="asc").json() for lie in ("null_ids", "null_ids_and_cursor"))

    assert ids([known]) == ids([unknown]) == [*honest[:4], None]
    assert (known["last_id"], unknown["last_id"]) == (honest[4], None)


def test_retrieve_404_first(get: Get) -> None:
    first, second = (get("/chat/completions/chatcmpl-1", lie="retrieve_404_first") for _ in range(2))

    assert (first.status_code, second.status_code) == (404, 200)
    assert get("/chat/completions", lie="retrieve_404_first").json()["data"]


def test_include_refused(get: Get) -> None:
    asked = {"include[]": ["reasoning.encrypted_content", "file_search_call.results"]}
    answer = get(PATHS[1], lie="include_refused", **asked)

    assert answer.json()["error"]["param"] == "include"
    assert "Invalid value: 'reasoning.encrypted_content'" in answer.json()["error"]["message"]
    assert get(PATHS[1], lie="include_refused").status_code == 200


def test_include_refused_one(get: Get, sandbox: Running) -> None:
    good, bad = "reasoning.encrypted_content", "file_search_call.results"
    assert get(PATHS[1], lie="include_refused_one", **{"include[]": good}).status_code == 200
    assert f"'{bad}'" in get(PATHS[1], lie="include_refused_one", **{"include[]": [good, bad]}).text
    sandbox.state.switches = Switches(refuse=(good,))
    answer = httpx.get(
        f"{sandbox.url}{PATHS[1]}", params={"include[]": good}, headers={"Authorization": "Bearer sk-sandbox-one"}
    )

    assert answer.status_code == 400


EVERYWHERE: dict[str, Body] = {
    "no_envelope_ids": {},
    "drops_envelope_empty_strings": {},
    "ignores_parameters": {"limit": 2, "order": "asc"},
    "descending": {"order": "asc"},
    "inclusive_cursor": {"order": "asc", "after": "first"},
    "inclusive_cursor_forever": {"order": "asc", "after": "first"},
    "has_more_always_false": {"limit": 2},
    "has_more_forever": {"limit": 100},
    "empty_page_has_more": {"limit": 100},
    "unknown_after_restarts": {"after": "nobody"},
    "limit_too_large_400": {"limit": 51},
    "limit_too_large_422": {"limit": 51},
    "null_ids": {},
    "null_ids_and_cursor": {},
    "position_ids": {},
    "duplicate_ids": {"limit": 100},
}
"""Lies about any list, with a question that each of them answers otherwise than the truth."""


def every_list() -> tuple[State, list[str]]:
    """A state with a list of every kind that has eight objects, and where they are."""
    state = State()
    for number in range(8):
        state.add_container(f"cntr_{number}")
        state.add_container_file("cntr_0", {"id": f"cfile_{number}"})
        state.add_vector_store(f"vs_{number}")
        state.add_vector_file("vs_0", f"file-{number}")
        state.add_file(f"file-{number}")
        state.add_chatkit_thread(f"cthr_{number}")
        state.add_chatkit_item("cthr_0", {})
        state.add_completion(f"chatcmpl-{number}")
        state.add_completion_message("chatcmpl-0", {})
        state.add_response(f"resp_{number}")
        state.add_input_item("resp_0", "Hello?")
        state.add_session(f"asess_{number}")
        state.add_turn("asess_0", {"id": f"aturn_{number}"})
        state.add_subagent("asess_0", {"id": f"asub_{number}"})
        state.add_artifact("asess_0")
        state.add_trace("asess_0", {"id": f"aturn_{number}"})
    for _ in range(8):
        state.add_session_item("asess_0", {"turn_id": "aturn_0"})
        state.add_turn("asess_0", {}, "asub_0")
        state.add_session_item("asess_0", {}, "asub_0")
    under = ("items", "turns", "turns/aturn_0/items", "subagents", "subagents/asub_0/items", "subagents/asub_0/turns")
    paths = [f"/agents/sessions/asess_0/{name}" for name in (*under, "artifacts", "traces")]
    paths += ["/agents/sessions", "/containers", "/containers/cntr_0/files", "/vector_stores"]
    paths += ["/vector_stores/vs_0/files", "/chatkit/threads", "/chatkit/threads/cthr_0/items", "/chat/completions"]
    paths += ["/chat/completions/chatcmpl-0/messages", "/responses", "/responses/resp_0/input_items", "/files"]
    return state, paths


@pytest.mark.parametrize("lie", EVERYWHERE)
def test_lies_are_told_of_every_list(lie: str) -> None:
    state, paths = every_list()
    headers = {"Authorization": "Bearer sk-sandbox-one", "OpenAI-Beta": "chatkit_beta=v1,agents=v1"}
    with running(state, listable=True) as sandbox, httpx.Client(base_url=sandbox.url, headers=headers) as http:
        for path in paths:
            params = dict(EVERYWHERE[lie])
            whole = http.get(path, params={"order": "asc"}).json()["data"]
            if params.get("after") == "first":
                params["after"] = whole[0]["id"]
            truth = http.get(path, params=params)
            state.switches = Switches(lies=frozenset({lie}), listable=True)
            told = http.get(path, params=params)
            state.switches = Switches(listable=True)

            assert len(whole) == 8, path
            assert (told.status_code, told.content) != (truth.status_code, truth.content), path


def test_changing_ids(get: Get, path: str, honest: list[Any]) -> None:
    one, two = (ids(pages(get, path, "changing_ids", limit=5, order="asc")) for _ in range(2))
    changed = [n for n, (first, second) in enumerate(zip(one, two, strict=True)) if first != second]

    assert [name.partition("_changed")[0] for name in one] == honest
    assert changed == list(range(6, len(honest), 7))


def test_overlapping_pages(get: Get, path: str, honest: list[Any]) -> None:
    found = [ids([page]) for page in pages(get, path, "overlapping_pages", limit=8, order="asc")]

    assert [page[:3] for page in found[1:]] == [page[-3:] for page in found[:-1]]
    assert list(dict.fromkeys(name for page in found for name in page)) == honest


def test_every_lie_is_tested_here() -> None:
    told = set(globals()) | {f"test_{lie}" for lie in (*CREATED, *TEXTS, "limit_too_large_400", "limit_too_large_422")}

    assert {f"test_{lie}" for lie in LIES} - told == {"test_null_ids_and_cursor"}


def test_lies_are_told_only_where_they_are_switched(get: Get, sandbox: Running) -> None:
    honest = get(PATHS[1]).content
    sandbox.state.switches = Switches(lies=frozenset({"has_more_always_false"}), lies_only="/threads/")
    headers = {"Authorization": "Bearer sk-sandbox-one"}

    assert httpx.get(sandbox.url + PATHS[1], headers=headers).content == honest


def test_an_unknown_name_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="the sandbox knows no white"):
        Switches(lies=frozenset({"white"}))
    with pytest.raises(UsageError, match="the sandbox knows no fire"):
        Switches(fault="fire")


def test_refusing_one_include_leaves_answers_alone_that_know_none() -> None:
    state = State()
    state.add_thread("thread_a")

    with running(state, lies={"include_refused_one"}) as sandbox:
        headers = {"Authorization": "Bearer sk-sandbox-one", "OpenAI-Beta": "assistants=v2"}
        answer = httpx.get(f"{sandbox.url}/threads/thread_a", headers=headers)

    assert answer.status_code == 200
