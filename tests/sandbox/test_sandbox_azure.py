"""Azure's face: who may come in where, which versions are asked for, what is listed, how refusals look."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import AzureOpenAI, OpenAI

from exporter.sandbox import Running, State, Switches, running

THREAD, CONVERSATION = "thread_seed1x00000", "conv_seed1x00000"
AUDIENCE = (
    "Unauthorized. Access token is missing, invalid, audience is incorrect (https://ai.azure.com), or have expired."
)
BAD_KEY = "Access denied due to invalid subscription key or wrong API endpoint."
V1 = {"api-version": "v1"}
DATED = {"api-version": "2024-05-01-preview"}


@pytest.fixture
def sandbox() -> Iterator[Running]:
    state = State.seed(threads=2, messages=3, conversations=2, items=3, start=1_765_000_000)
    state.add_response("resp_1", ["Hello?"])
    with running(state) as sandbox:
        yield sandbox


def token(name: str = "one") -> dict[str, str]:
    return {"Authorization": f"Bearer entra-sandbox-{name}"}


def key(name: str = "one") -> dict[str, str]:
    return {"api-key": f"sk-sandbox-{name}"}


def ids(answer: httpx.Response) -> list[Any]:
    return [one["id"] for one in answer.json()["data"]]


def test_foundry_classic_lists_threads_and_reads_them(sandbox: Running) -> None:
    with httpx.Client(base_url=sandbox.foundry_classic(), headers=token()) as http:
        assert ids(http.get("/threads", params={"order": "asc", **V1})) == [THREAD, "thread_seed1x00001"]
        assert ids(http.get("/threads", params={"order": "asc", "before": "thread_seed1x00001", **V1})) == [THREAD]
        assert len(ids(http.get(f"/threads/{THREAD}/messages", params=V1))) == 3
        assert len(ids(http.get(f"/threads/{THREAD}/runs", params=V1))) == 1
        missing = http.get("/threads/thread_x", params=V1).json()["error"]["message"]
        other = http.get("/conversations", params=V1).json()

    assert missing == "No thread found with id 'thread_x'."
    assert other == {"error": {"code": "404", "message": "Resource not found"}}


def test_new_foundry_lists_conversations_and_responses(sandbox: Running) -> None:
    sandbox.state.add_conversation({"id": "conv_agent", "agent": {"name": "helper"}})
    sandbox.state.add_response({"id": "resp_2", "conversation": CONVERSATION, "agent": {"name": "helper"}})
    with httpx.Client(base_url=sandbox.foundry(), headers=token()) as http:
        assert ids(http.get("/conversations?order=asc")) == [CONVERSATION, "conv_seed1x00001", "conv_agent"]
        assert ids(http.get("/conversations?agent_name=helper")) == ["conv_agent"]
        assert ids(http.get("/responses?order=asc")) == ["resp_1", "resp_2"]
        assert ids(http.get(f"/responses?conversation_id={CONVERSATION}")) == ["resp_2"]
        items = ids(http.get(f"/conversations/{CONVERSATION}/items?order=asc"))
        assert ids(http.get(f"/conversations/{CONVERSATION}/items?order=asc&before={items[1]}")) == items[:1]
        missing = http.get("/conversations/conv_x").json()["error"]

    assert missing["message"] == "Conversation with id 'conv_x' not found."
    assert (missing["code"], missing["param"]) == ("invalid_request_error", "conversation_id")


def test_the_sdk_s_clients_come_in(sandbox: Running) -> None:
    with OpenAI(base_url=sandbox.foundry(), api_key="entra-sandbox-one") as openai:
        assert len(list(openai.conversations.items.list(CONVERSATION))) == 3
    with AzureOpenAI(base_url=sandbox.azure, api_key="sk-sandbox-one", api_version="preview") as azure:
        assert azure.responses.retrieve("resp_1").id == "resp_1"
    classic = AzureOpenAI(base_url=sandbox.azure_classic, api_key="sk-sandbox-one", api_version="2024-05-01-preview")
    with classic, pytest.warns(DeprecationWarning, match="Assistants API"):
        assert len(list(classic.beta.threads.messages.list(THREAD))) == 3


def test_a_resource_takes_its_key_and_tokens(sandbox: Running) -> None:
    for headers in (key(), token(), token("audience")):
        assert httpx.get(f"{sandbox.azure}/conversations/{CONVERSATION}", headers=headers).status_code == 200
        listed = httpx.get(f"{sandbox.azure_classic}/threads", headers=headers, params=DATED)
        assert len(ids(listed)) == 2


WRONG: dict[str, tuple[dict[str, str], int, Any]] = {
    "no credential": ({}, 401, AUDIENCE),
    "a key as token": ({"Authorization": "Bearer sk-sandbox-one"}, 401, AUDIENCE),
    "a key": (key(), 401, BAD_KEY),
    "another audience": (token("audience"), 401, AUDIENCE),
    "no role": (token("role"), 401, "lacks the required data action `Microsoft.CognitiveServices/accounts/AIServices/"),
    "another project's": (token("two"), 401, "lacks the required data action"),
    "no scheme": ({"Authorization": "entra-sandbox-one"}, 401, AUDIENCE),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("classic", [True, False])
def test_a_project_refuses_what_is_no_token_for_it(sandbox: Running, case: str, *, classic: bool) -> None:
    headers, status, text = WRONG[case]
    url = f"{sandbox.foundry_classic()}/threads?api-version=v1" if classic else f"{sandbox.foundry()}/conversations"
    answer = httpx.get(url, headers=headers)

    assert answer.status_code == status
    assert text in answer.text.replace("\\u0060", "`")
    assert set(answer.json()) in ({"error"}, {"statusCode", "message"})


@pytest.mark.parametrize("headers", [{}, {"api-key": "sk-wrong"}, {"api-key": "sess-sandbox-one"}])
@pytest.mark.parametrize("classic", [True, False])
def test_a_resource_refuses_what_is_no_key_of_it(sandbox: Running, headers: dict[str, str], *, classic: bool) -> None:
    url = f"{sandbox.azure_classic}/threads" if classic else f"{sandbox.azure}/conversations/{CONVERSATION}"
    answer = httpx.get(url, headers=headers, params=DATED if classic else {})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "401")
    assert BAD_KEY in answer.json()["error"]["message"]


def test_openai_s_face_takes_no_token_and_no_azure_header(sandbox: Running) -> None:
    for headers in (key(), token()):
        assert httpx.get(f"{sandbox.url}/conversations/{CONVERSATION}", headers=headers).status_code == 401


def test_a_role_names_what_is_missing(sandbox: Running) -> None:
    text = httpx.get(f"{sandbox.foundry_classic()}/files?api-version=v1", headers=token("role")).json()["error"]

    assert text["code"] == "PermissionDenied"
    assert "AIServices/assets/read` to perform `GET /api/projects/{projectName}/files` operation" in text["message"]


VERSIONS = [
    ("foundry_classic", "/threads", None, 400, "Missing required query parameter: api-version"),
    ("foundry_classic", "/threads", "2020-01-01", 400, "Unsupported api version '2020-01-01'."),
    ("foundry", "/conversations", "v1", 400, "api-version query parameter is not allowed when using /v1 path"),
    ("azure", "/conversations", "2024-05-01-preview", 400, "api-version query parameter is not allowed"),
    ("azure", "/conversations", "preview", 200, '"data"'),
    ("azure_classic", "/threads", None, 404, "Resource not found"),
    ("azure_classic", "/threads", "v1", 404, "Resource not found"),
    ("azure_classic", "/threads", "2024-05-01-preview", 200, '"data"'),
]


@pytest.mark.parametrize(("face", "path", "version", "status", "text"), VERSIONS)
def test_each_root_has_its_own_rule_for_the_version(
    sandbox: Running, *, face: str, path: str, version: str | None, status: int, text: str
) -> None:
    root = getattr(sandbox, face)
    url = (root() if callable(root) else root) + path
    answer = httpx.get(url, headers=token(), params={"api-version": version} if version else {})

    assert (answer.status_code, text in answer.text) == (status, True)


def test_a_token_expires_by_the_sandbox_s_clock_and_a_new_one_is_good(sandbox: Running) -> None:
    url = f"{sandbox.foundry()}/conversations"
    minted = sandbox.state.new_token(lasts=60)
    assert httpx.get(url, headers=token("hour")).status_code == 200
    assert httpx.get(url, headers={"Authorization": f"Bearer {minted}"}).status_code == 200
    sandbox.state.clock.advance(61)
    assert httpx.get(url, headers={"Authorization": f"Bearer {minted}"}).json()["message"] == AUDIENCE
    sandbox.state.clock.advance(3600)
    assert httpx.get(url, headers=token("hour")).status_code == 401
    fresh = sandbox.state.new_token(lasts=60)

    assert httpx.get(url, headers={"Authorization": f"Bearer {fresh}"}).status_code == 200
    assert httpx.get(url, headers=token()).status_code == 200


def test_an_unknown_project_and_an_unknown_path(sandbox: Running) -> None:
    unknown = httpx.get(f"{sandbox.foundry('proj_none')}/conversations", headers=token())

    assert (unknown.status_code, unknown.json()["error"]["message"]) == (404, "The project does not exist.")
    for url in (f"{sandbox.azure}/nowhere", f"{sandbox.foundry()}/nowhere", f"{sandbox.root}/api/elsewhere"):
        answer = httpx.get(url, headers=token())
        assert answer.json() == {"error": {"code": "404", "message": "Resource not found"}}


def test_lists_can_be_closed_and_apis_removed_here_too(sandbox: Running) -> None:
    closed = {"error": {"code": "404", "message": "Resource not found"}}
    sandbox.state.switches = Switches(listable=False)
    assert httpx.get(f"{sandbox.foundry()}/conversations", headers=token()).json() == closed
    assert httpx.get(f"{sandbox.foundry()}/conversations/{CONVERSATION}", headers=token()).status_code == 200
    sandbox.state.switches = Switches(removed=frozenset({"threads"}))
    removed = httpx.get(f"{sandbox.foundry_classic()}/threads/{THREAD}", headers=token(), params=V1)
    assert removed.json() == closed


def test_lies_and_faults_reach_this_face(sandbox: Running) -> None:
    sandbox.state.switches = Switches(lies=frozenset({"has_more_forever"}), lies_only="/api/projects/")
    assert httpx.get(f"{sandbox.foundry()}/conversations", headers=token()).json()["has_more"]
    assert not httpx.get(f"{sandbox.azure}/conversations", headers=token()).json()["has_more"]
    sandbox.state.switches = Switches(fault="error_503", only="/openai/v1")
    assert httpx.get(f"{sandbox.azure}/conversations", headers=key()).status_code == 503
