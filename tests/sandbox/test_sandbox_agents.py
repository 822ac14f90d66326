"""The Agents API: sessions, and everything under them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import OpenAI
from openai.types.beta import AgentSession, AgentSessionItem, Subagent
from openai.types.beta.agents.sessions import SessionArtifact, SessionTrace, Turn
from pydantic import BaseModel, TypeAdapter

from exporter.sandbox import Running, State, Switches, running

SESSION = "asess_1"
BETA = {"OpenAI-Beta": "agents=v1"}
ITEMS: list[dict[str, Any]] = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi."}]},
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Think."}]},
    {"type": "function_call", "arguments": {"a": 1}},
    {"type": "function_call_output", "output": "1"},
    {"type": "mcp_call", "output": {"a": 1}},
    {"type": "web_search_call", "action": {"type": "search", "query": "a", "queries": ["a"]}},
    {"type": "command_execution", "command": "ls"},
    {"type": "create_subagent_call", "content": [{"type": "output_text", "text": "Do."}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Ho."}]},
]


@pytest.fixture
def state() -> State:
    state = State(start=1_765_000_000)
    state.add_session({"id": SESSION, "metadata": {"customer": "acme", "tier": "a"}})
    state.add_session({"id": "asess_2", "metadata": {"customer": "acme"}, "agent": {"id": "agent_other"}})
    state.add_session("asess_theirs", project="proj_two")
    for turn in ("aturn_1", "aturn_2"):
        state.add_turn(SESSION, {"id": turn})
        for item in ITEMS:
            state.add_session_item(SESSION, item)
    state.add_subagent(SESSION, {"id": "asub_1"})
    state.add_turn(SESSION, {"id": "aturn_s"}, "asub_1")
    state.add_session_item(SESSION, {"id": "msg_s", **ITEMS[0]}, "asub_1")
    state.add_artifact(SESSION, {"id": "art_1", "environment_id": "aenv_1", "turn_id": "aturn_1"}, b"\x00\xff")
    state.add_artifact(SESSION, {"id": "art_2", "environment_id": "aenv_2", "turn_id": "aturn_2"}, b"")
    state.add_trace(SESSION, {"id": "aturn_1", "otlp": {"resourceSpans": [{"scopeSpans": []}]}})
    return state


@pytest.fixture
def sandbox(state: State) -> Iterator[Running]:
    with running(state) as sandbox:
        yield sandbox


@pytest.fixture
def http(sandbox: Running) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer sk-sandbox-one", **BETA}
    with httpx.Client(base_url=sandbox.url, headers=headers) as http:
        yield http


def at(path: str, question: str = "") -> str:
    return "/agents/sessions" + (f"/{path}" if path else "") + question


def ids(answer: httpx.Response) -> list[Any]:
    return [one["id"] for one in answer.json()["data"]]


def extras(found: Any) -> list[str]:
    """Fields that the SDK's type does not know."""
    if isinstance(found, list):
        return [name for one in found for name in extras(one)]
    if not isinstance(found, BaseModel):
        return []
    return [
        *(found.model_extra or {}),
        *(name for key in type(found).model_fields for name in extras(getattr(found, key))),
    ]


TYPES: dict[str, Any] = {
    "": AgentSession,
    f"{SESSION}/items": AgentSessionItem,
    f"{SESSION}/turns": Turn,
    f"{SESSION}/turns/aturn_1/items": AgentSessionItem,
    f"{SESSION}/subagents": Subagent,
    f"{SESSION}/subagents/asub_1/items": AgentSessionItem,
    f"{SESSION}/subagents/asub_1/turns": Turn,
    f"{SESSION}/subagents/asub_1/turns/aturn_s/items": AgentSessionItem,
    f"{SESSION}/artifacts": SessionArtifact,
    f"{SESSION}/traces": SessionTrace,
}


@pytest.mark.parametrize("path", TYPES)
def test_no_public_description_so_lists_are_strictly_what_the_sdk_s_types_say(http: httpx.Client, path: str) -> None:
    page = http.get(at(path), params={"limit": 100}).json()
    found = [TypeAdapter(TYPES[path]).validate_python(one, strict=True) for one in page["data"]]

    assert found
    assert extras(found) == []
    assert (page["object"], page["has_more"], page["last_id"]) == ("list", False, page["data"][-1]["id"])


ONE: dict[str, Any] = {
    SESSION: AgentSession,
    f"{SESSION}/turns/aturn_2": Turn,
    f"{SESSION}/subagents/asub_1": Subagent,
    f"{SESSION}/subagents/asub_1/turns/aturn_s": Turn,
    f"{SESSION}/artifacts/art_1": SessionArtifact,
}


@pytest.mark.parametrize("path", ONE)
def test_no_public_description_so_objects_are_strictly_what_the_sdk_s_types_say(http: httpx.Client, path: str) -> None:
    answer = http.get(at(path))
    found = ONE[path].model_validate(answer.json(), strict=True)

    assert answer.status_code == 200
    assert extras(found) == []
    assert found.id == path.rpartition("/")[2]


def test_lists_are_filtered_and_newest_first(http: httpx.Client) -> None:
    assert ids(http.get(at(""))) == ["asess_2", SESSION]
    assert ids(http.get(at(""), params={"order": "asc", "limit": 1})) == [SESSION]
    assert ids(http.get(at(""), params={"order": "asc", "after": SESSION})) == ["asess_2"]
    assert ids(http.get(at("", "?agent_id=agent_other"))) == ["asess_2"]
    assert ids(http.get(at("", "?metadata[customer]=acme"))) == ["asess_2", SESSION]
    assert ids(http.get(at("", "?metadata[customer]=acme&metadata[tier]=a"))) == [SESSION]
    assert ids(http.get(at("", "?metadata[customer]=nobody"))) == []
    assert ids(http.get(at(f"{SESSION}/artifacts?environment_id=aenv_2"))) == ["art_2"]


def test_items_belong_to_their_turn_and_to_their_agent(http: httpx.Client) -> None:
    whole = ids(http.get(at(f"{SESSION}/items?limit=100&order=asc")))
    first = ids(http.get(at(f"{SESSION}/turns/aturn_1/items?limit=100&order=asc")))

    assert first == whole[: len(ITEMS)]
    assert len(whole) == 2 * len(ITEMS)
    assert "msg_s" not in whole
    assert ids(http.get(at(f"{SESSION}/subagents/asub_1/items"))) == ["msg_s"]
    assert ids(http.get(at(f"{SESSION}/turns"))) == ["aturn_2", "aturn_1"]


def test_an_item_without_an_id_is_listed_and_passed(state: State, http: httpx.Client) -> None:
    state.add_session("asess_old")
    state.add_turn("asess_old", {"id": "aturn_old"})
    for number in range(5):
        state.add_session_item("asess_old", {**ITEMS[0], "id": None, "phase": None, "n": number})
    seen: list[Any] = []
    after: dict[str, str] = {}
    while True:
        page = http.get(at("asess_old/items"), params={"limit": 2, "order": "asc", **after}).json()
        seen += [(one["id"], one["n"]) for one in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["last_id"]}

    assert seen == [(None, number) for number in range(5)]


def test_the_sdk_stops_silently_at_an_item_without_an_id(state: State, sandbox: Running) -> None:
    state.add_session("asess_old")
    for number in range(5):
        state.add_session_item("asess_old", {**ITEMS[0], "id": None if number == 1 else f"msg_{number}"})
    with OpenAI(base_url=sandbox.url, api_key="sk-sandbox-one") as openai:
        found = list(openai.beta.agents.sessions.items.list("asess_old", limit=2, order="asc"))

    assert len(found) == 2


def test_an_artifact_has_its_bytes(http: httpx.Client) -> None:
    answer = http.get(at(f"{SESSION}/artifacts/art_1/content"))

    assert (answer.content, answer.headers["content-length"]) == (b"\x00\xff", "2")
    assert http.get(at(f"{SESSION}/artifacts/art_1")).json()["size_bytes"] == 2
    assert http.delete(at(f"{SESSION}/artifacts/art_1")).json()["deleted"]
    assert http.get(at(f"{SESSION}/artifacts/art_1/content")).status_code == 404


MISSING = {
    "asess_x": "Session with id 'asess_x' not found.",
    "asess_theirs": "Session with id 'asess_theirs' not found.",
    "asess_x/items": "Session with id 'asess_x' not found.",
    f"{SESSION}/turns/aturn_x/items": "Turn with id 'aturn_x' not found in session.",
    f"{SESSION}/subagents/asub_x/items": "Subagent with id 'asub_x' not found in session.",
    f"{SESSION}/subagents/asub_1/turns/aturn_x": "Turn with id 'aturn_x' not found in session.",
    f"{SESSION}/artifacts/art_x/content": "Artifact with id 'art_x' not found in session.",
}


@pytest.mark.parametrize("path", MISSING)
def test_what_is_not_there_is_named(http: httpx.Client, path: str) -> None:
    answer = http.get(at(path))

    assert (answer.status_code, answer.json()["error"]["message"]) == (404, MISSING[path])


def test_edits_and_deletion(state: State, http: httpx.Client) -> None:
    state.edit_session(SESSION, {"id": SESSION, "status": "failed"})
    state.edit_turn(SESSION, "aturn_s", {"id": "aturn_s", "status": "failed"}, "asub_1")
    state.edit_subagent(SESSION, "asub_1", {"id": "asub_1", "status": "closed"})
    state.edit_session_item(SESSION, "msg_s", b'{"id":"msg_s","n":1.10}', "asub_1")

    assert http.get(at(SESSION)).json()["status"] == "failed"
    assert http.get(at(f"{SESSION}/subagents/asub_1")).json()["status"] == "closed"
    assert http.get(at(f"{SESSION}/subagents/asub_1/turns/aturn_s")).json()["status"] == "failed"
    assert b'{"id":"msg_s","n":1.10}' in http.get(at(f"{SESSION}/subagents/asub_1/items")).content
    assert http.delete(at(SESSION)).json() == {"id": SESSION, "object": "agent.session.deleted", "deleted": True}
    assert http.get(at(f"{SESSION}/items")).status_code == 404


def test_the_beta_header_is_demanded(sandbox: Running) -> None:
    answer = httpx.get(f"{sandbox.url}/agents/sessions", headers={"Authorization": "Bearer sk-sandbox-one"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_beta")


@pytest.mark.parametrize("path", ["", f"{SESSION}/items", f"{SESSION}/turns", f"{SESSION}/traces"])
def test_lies_are_told_of_these_lists_too(sandbox: Running, http: httpx.Client, path: str) -> None:
    sandbox.state.switches = Switches(lies=frozenset({"no_envelope_ids", "has_more_forever"}))
    page = http.get(at(path)).json()

    assert set(page) == {"object", "data", "has_more"}
    assert page["has_more"]
