"""What a key may do: each API's scope by name, regions, and APIs that are no more."""

from collections.abc import Iterator

import httpx
import pytest

from exporter.errors import UsageError
from exporter.sandbox import Key, Running, State, Switches, running

BETAS = {"OpenAI-Beta": "assistants=v2,chatkit_beta=v1,agents=v1"}
SESSION = "asess_1"
PATHS = {
    "/threads/thread_1/messages": "api.threads.read",
    "/assistants": "api.assistants.read",
    "/conversations/conv_1/items": "api.responses.read",
    "/responses/resp_1": "api.responses.read",
    "/chat/completions": "api.model.read",
    "/chatkit/threads": "api.chatkit.read",
    "/agents/sessions": "api.agents.read",
    f"/agents/sessions/{SESSION}/items": "api.agents.read",
    f"/agents/sessions/{SESSION}/traces": "api.traces.read",
    "/files": "api.files.read",
    "/containers": "api.containers.read",
    "/vector_stores": "api.vector_stores.read",
}
ALL = frozenset(PATHS.values())


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    state = State()
    state.add_thread("thread_1")
    state.add_conversation("conv_1")
    state.add_response("resp_1")
    state.add_session(SESSION)
    with running(state) as server:
        yield server


@pytest.fixture
def sandbox(server: Running) -> Iterator[Running]:
    yield server
    server.state.switches = Switches()


def get(sandbox: Running, path: str, key: str = "sk-sandbox-one") -> httpx.Response:
    return httpx.get(sandbox.url + path, headers={"Authorization": f"Bearer {key}", **BETAS})


@pytest.mark.parametrize("path", PATHS)
def test_a_missing_scope_is_named_and_the_others_are_enough(sandbox: Running, path: str) -> None:
    sandbox.state.keys["sk-all-but-one"] = Key("proj_one", scopes=ALL - {PATHS[path]})
    sandbox.state.keys["sk-this-one"] = Key("proj_one", scopes=frozenset({PATHS[path]}))
    refused = get(sandbox, path, "sk-all-but-one")

    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "missing_scope")
    assert f"Missing scopes: {PATHS[path]}. " in refused.json()["error"]["message"]
    assert get(sandbox, path, "sk-this-one").status_code == 200


def test_to_write_takes_another_scope(sandbox: Running) -> None:
    sandbox.state.keys["sk-reads"] = Key("proj_one", scopes=ALL)
    for path, scope in (("/responses", "api.responses.write"), ("/chat/completions", "model.request")):
        answer = httpx.post(sandbox.url + path, headers={"Authorization": "Bearer sk-reads"}, json={"input": "Hello?"})
        assert f"Missing scopes: {scope}. " in answer.json()["error"]["message"]


def test_every_request_to_another_region_is_refused(sandbox: Running) -> None:
    sandbox.state.switches = Switches(hostname="eu.api.openai.com")
    for path in PATHS:
        answer = get(sandbox, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "incorrect_hostname")


def test_the_right_region_is_answered(sandbox: Running) -> None:
    sandbox.state.switches = Switches(hostname="localhost")

    assert get(sandbox, "/files").status_code == 401
    headers = {"Authorization": "Bearer sk-sandbox-one", "Host": f"localhost:{httpx.URL(sandbox.url).port}"}
    assert httpx.get(f"{sandbox.url}/files", headers=headers).status_code == 200


@pytest.mark.parametrize("key", ["sk-sandbox-one", "sk-wrong"])
def test_a_removed_api_is_an_unknown_url_to_everybody(sandbox: Running, key: str) -> None:
    sandbox.state.switches = Switches(removed=frozenset({"threads", "agents"}))
    for path in ("/threads/thread_1", "/threads/thread_1/messages", f"/agents/sessions/{SESSION}/items"):
        answer = get(sandbox, path, key)
        expected = {
            "message": f"Invalid URL (GET /v1{path})",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
        assert (answer.status_code, answer.json()["error"]) == (404, expected)
    assert get(sandbox, "/files").status_code == 200


def test_what_is_removed_can_be_switched_over_http(sandbox: Running) -> None:
    control = f"{sandbox.root}/_sandbox/switches"

    assert httpx.post(control, json={"removed": "chatkit,files"}).json()["removed"] == ["chatkit", "files"]
    assert get(sandbox, "/files").status_code == 404
    with pytest.raises(UsageError, match="knows no threadz"):
        Switches(removed=frozenset({"threadz"}))
