"""Responses with their chains, stored chat completions, ChatKit: read, listed, filtered, made by an application."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import BadRequestError, OpenAI
from openai.types.beta.chatkit import ChatKitThread
from openai.types.beta.chatkit.chatkit_thread_item_list import Data
from pydantic import TypeAdapter

from exporter.sandbox import Running, State, Switches, running

HEADERS = {"Authorization": "Bearer sk-sandbox-one", "OpenAI-Beta": "chatkit_beta=v1"}
SAID = {"role": "assistant", "content": "Yes."}


@pytest.fixture
def sandbox() -> Iterator[Running]:
    with running(State(start=1_765_000_000)) as sandbox:
        yield sandbox


@pytest.fixture
def http(sandbox: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, headers=HEADERS) as http:
        yield http


@pytest.fixture
def openai(sandbox: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=sandbox.url, api_key="sk-sandbox-one", max_retries=0) as openai:
        yield openai


def ids(answer: httpx.Response) -> list[Any]:
    return [one["id"] for one in answer.json()["data"]]


def chain(state: State, length: int = 3) -> list[str]:
    names: list[str] = []
    for number in range(length):
        before = names[-1] if names else None
        output = [{"id": f"msg_out{number}", **SAID}]
        body = {"id": f"resp_{number}", "previous_response_id": before, "output": output}
        names.append(state.add_response(body, [{"id": f"msg_in{number}", "role": "user", "content": f"{number}?"}]))
    return names


def test_a_response_holds_its_turn_only(sandbox: Running, http: httpx.Client) -> None:
    chain(sandbox.state)
    body = http.get("/responses/resp_2").json()

    assert body["previous_response_id"] == "resp_1"
    assert body["output"][0]["content"][0]["text"] == "Yes."
    assert ids(http.get("/responses/resp_2/input_items")) == ["msg_in2"]


def test_input_items_hold_the_whole_chain_where_it_is_switched(sandbox: Running, http: httpx.Client) -> None:
    chain(sandbox.state)
    sandbox.state.switches = Switches(cumulative_input_items=True)
    path = "/responses/resp_2/input_items?order=asc"
    whole = ["msg_in0", "msg_out0", "msg_in1", "msg_out1", "msg_in2"]

    assert ids(http.get(path)) == whole
    assert ids(http.get(f"{path}&limit=2&after=msg_out0")) == ["msg_in1", "msg_out1"]
    assert ids(http.get("/responses/resp_0/input_items")) == ["msg_in0"]
    sandbox.state.delete_response("resp_0")
    assert ids(http.get(path)) == whole[2:]


def test_include_opens_what_is_closed_in_an_output(sandbox: Running, http: httpx.Client) -> None:
    search = {"type": "file_search_call", "queries": ["a"], "results": [{"file_id": "file-1", "text": "found"}]}
    sandbox.state.add_response({"id": "resp_1", "output": [search, SAID]}, [search])
    opened = {"include[]": "file_search_call.results"}

    assert http.get("/responses/resp_1").json()["output"][0]["results"] is None
    assert http.get("/responses/resp_1", params=opened).json()["output"][0]["results"] == search["results"]
    assert http.get("/responses/resp_1/input_items").json()["data"][0]["results"] is None


def test_a_response_in_progress_ends_later(sandbox: Running, http: httpx.Client) -> None:
    name = sandbox.state.add_response({"status": "in_progress"}, ["Are you there?"])
    before = http.get(f"/responses/{name}").json()
    sandbox.state.finish_response(name, [SAID])
    after = http.get(f"/responses/{name}").json()

    assert (before["status"], before["output"]) == ("in_progress", [])
    assert (after["status"], after["output"][0]["role"]) == ("completed", "assistant")
    assert {k for k in before if before[k] != after[k]} == {"status", "output"}


def test_an_application_chains_responses(sandbox: Running, openai: OpenAI) -> None:
    first = openai.responses.create(model="gpt-5.4", input="Hello?", metadata={"user": "u1"})
    second = openai.responses.create(model="gpt-5.4", input="And now?", previous_response_id=first.id)
    gone = openai.responses.create(model="gpt-5.4", input="Forget me.", store=False)
    late = openai.responses.create(model="gpt-5.4", input="Take your time.", background=True)
    asked: Any = openai.responses.input_items.list(second.id, order="asc").data
    read = openai.responses.retrieve(second.id)

    assert read.to_dict() == second.to_dict()
    assert (second.previous_response_id, second.output_text) == (first.id, "Understood: 1 message.")
    assert [item.content[0].text for item in asked] == ["And now?"]
    assert (late.status, late.output) == ("in_progress", [])
    assert set(sandbox.state.shelves["responses"].holders) == {first.id, second.id, late.id}
    assert gone.output_text == second.output_text


def test_an_application_talks_in_a_conversation(sandbox: Running, openai: OpenAI) -> None:
    talk = openai.conversations.create(metadata={})
    made = openai.responses.create(model="gpt-5.4", input="Hello?", conversation=talk.id)
    items = list(openai.conversations.items.list(talk.id, order="asc"))

    assert made.conversation is not None
    assert made.conversation.id == talk.id
    assert [item.id for item in items] == [
        openai.responses.input_items.list(made.id).data[0].id,
        made.output[0].id,
    ]
    assert sandbox.state.items(talk.id)[1:] == sandbox.state.output_items(made.id)


WRONG: dict[str, tuple[dict[str, Any], int, str | None]] = {
    "unknown before": ({"previous_response_id": "resp_x"}, 400, "previous_response_not_found"),
    "unknown conversation": ({"conversation": "conv_x"}, 404, None),
    "both": ({"previous_response_id": "resp_x", "conversation": "conv_x"}, 400, "mutually_exclusive_parameters"),
    "streamed": ({"stream": True}, 400, None),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_answered_is_refused(http: httpx.Client, case: str) -> None:
    more, status, code = WRONG[case]
    answer = http.post("/responses", json={"input": "Hello?", **more})

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_responses_are_listed_for_a_session_only_and_each_other_key_is_told_why(sandbox: Running) -> None:
    chain(sandbox.state)
    texts = {}
    for key in ("sk-sandbox-one", "sk-admin-sandbox", "sess-sandbox-one"):
        answer = httpx.get(f"{sandbox.url}/responses", headers={"Authorization": f"Bearer {key}"})
        texts[key] = answer.json().get("error", {}).get("message", answer.status_code)

    assert texts["sess-sandbox-one"] == 200
    assert texts["sk-sandbox-one"].startswith("Your request to GET /v1/responses must be made with a session key")
    assert "Missing scopes: api.responses.read." in texts["sk-admin-sandbox"]


@pytest.mark.parametrize("shelf", ["threads", "conversations", "responses"])
def test_a_session_chooses_its_project(sandbox: Running, shelf: str) -> None:
    mine = sandbox.state.put(shelf)
    theirs = sandbox.state.put(shelf, project="proj_two")

    def listed(**headers: str) -> httpx.Response:
        known = {"Authorization": "Bearer sess-sandbox-one", "OpenAI-Beta": "assistants=v2"}
        return httpx.get(f"{sandbox.url}/{shelf}", headers=known | headers)

    assert ids(listed()) == [mine]
    assert ids(listed(**{"OpenAI-Project": "proj_two", "OpenAI-Organization": "org_sandbox"})) == [theirs]
    assert listed(**{"OpenAI-Project": "proj_none"}).json()["error"]["code"] == "mismatched_project"
    assert listed(**{"OpenAI-Organization": "org_none"}).json()["error"]["code"] == "mismatched_organization"


def test_an_application_stores_completions(sandbox: Running, openai: OpenAI) -> None:
    asked: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
    kept = openai.chat.completions.create(model="gpt-5.4", messages=asked, store=True, metadata={"customer": "acme"})
    openai.chat.completions.create(model="gpt-5.4", messages=asked)
    read = openai.chat.completions.retrieve(kept.id)
    messages = list(openai.chat.completions.messages.list(kept.id, order="asc"))

    assert read.to_dict() == kept.to_dict()
    assert read.choices[0].message.content == "Understood: 2 messages."
    assert [(m.id, m.role, m.content) for m in messages] == [
        (f"{kept.id}-0", "system", "Be brief."),
        (f"{kept.id}-1", "user", "Hello?"),
    ]
    assert list(sandbox.state.shelves["completions"].holders) == [kept.id]
    assert kept.id.startswith("chatcmpl-")


def test_completions_are_filtered_and_ordered_when_asked(sandbox: Running, http: httpx.Client) -> None:
    for number in range(4):
        body = {"id": f"chatcmpl-{number}", "created": 1_765_000_000 + number // 2, "model": f"m{number % 2}"}
        sandbox.state.add_completion({**body, "metadata": {"user": f"u{number // 2}"}})
    names = [f"chatcmpl-{number}" for number in range(4)]

    assert ids(http.get("/chat/completions?order=asc")) == names
    assert ids(http.get("/chat/completions")) == names[::-1]
    assert ids(http.get("/chat/completions?order=asc&after=chatcmpl-0")) == names[1:]
    assert ids(http.get("/chat/completions?order=asc&model=m1")) == names[1::2]
    assert ids(http.get("/chat/completions?order=asc&metadata[user]=u1")) == names[2:]
    assert ids(http.get("/chat/completions?metadata[user]=u1&model=m0")) == names[2:3]


def test_a_listed_completion_is_not_found_so_many_times(sandbox: Running, http: httpx.Client) -> None:
    sandbox.state.add_completion("chatcmpl-1", [{"content": "Hello?"}])
    sandbox.state.switches = Switches(lies=frozenset({"retrieve_404_first"}), denials=3)
    for path in ("/chat/completions/chatcmpl-1", "/chat/completions/chatcmpl-1/messages"):
        assert ids(http.get("/chat/completions")) == ["chatcmpl-1"]
        assert [http.get(path).status_code for _ in range(5)] == [404, 404, 404, 200, 200]


KINDS: list[dict[str, Any]] = [
    {"type": "user_message", "content": [{"type": "input_text", "text": "Hello?"}]},
    {"type": "chatkit.assistant_message", "content": [{"type": "output_text", "text": "Yes.", "annotations": []}]},
    {"type": "widget", "widget": '{"type":"Card"}'},
    {"type": "client_tool_call", "name": "open"},
    {"type": "task", "heading": "Thinking"},
    {"type": "task_group", "tasks": [{"type": "thought", "heading": None, "summary": "Hm."}]},
]


def test_chatkit_has_every_type_of_item_as_the_sdk_knows_it(sandbox: Running, http: httpx.Client) -> None:
    sandbox.state.add_chatkit_thread("cthr_1")
    for item in KINDS:
        sandbox.state.add_chatkit_item("cthr_1", item)
    page = http.get("/chatkit/threads/cthr_1/items?order=asc").json()["data"]
    adapter: TypeAdapter[Data] = TypeAdapter(Data)

    assert [one["type"].removeprefix("chatkit.") for one in page] == [
        str(item["type"]).removeprefix("chatkit.") for item in KINDS
    ]
    assert [adapter.validate_python(one, strict=True).id for one in page] == [one["id"] for one in page]
    assert ChatKitThread.model_validate(http.get("/chatkit/threads/cthr_1").json(), strict=True).status.type == "active"


def test_chatkit_threads_are_listed_by_user_both_ways(sandbox: Running, http: httpx.Client) -> None:
    for number in range(6):
        sandbox.state.add_chatkit_thread({"id": f"cthr_{number}", "user": f"u{number % 2}"})

    assert ids(http.get("/chatkit/threads?order=asc&user=u1")) == ["cthr_1", "cthr_3", "cthr_5"]
    assert ids(http.get("/chatkit/threads?order=asc&after=cthr_3&before=cthr_5")) == ["cthr_4"]
    assert ids(http.get("/chatkit/threads?order=asc&before=cthr_2&limit=1")) == ["cthr_1"]
    assert len(ids(http.get("/chatkit/threads"))) == 6


def test_edits_and_deletions_by_the_test_itself(sandbox: Running, http: httpx.Client, openai: OpenAI) -> None:
    state = sandbox.state
    thread, completion = state.add_chatkit_thread("cthr_1"), state.add_completion("chatcmpl-1")
    item = state.add_chatkit_item(thread, KINDS[0])
    assert item is not None
    state.edit_chatkit_thread(thread, {"id": thread, "title": "New"})
    state.edit_chatkit_item(thread, item, b'{"id":"%b","n":1.10}' % item.encode())
    state.edit_completion(completion, {"id": completion, "choices": []})

    assert http.get(f"/chatkit/threads/{thread}").json()["title"] == "New"
    assert b'"n":1.10}' in http.get(f"/chatkit/threads/{thread}/items").content
    assert http.get(f"/chat/completions/{completion}").json() == {"id": completion, "choices": []}
    assert state.delete_chatkit_item(thread, item)
    assert state.chatkit_items(thread) == []
    assert openai.beta.chatkit.threads.delete(thread).deleted
    assert openai.chat.completions.delete(completion).deleted
    assert not state.delete_completion(completion)
    with pytest.raises(BadRequestError):
        openai.beta.chatkit.threads.list(limit=101)
