"""The APIs as clients meet them: the SDK, httpx, errors, keys, includes, clock, log."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from exporter.errors import UsageError
from exporter.sandbox import LIES, Retention, Running, State, Switches, running, serve

THREAD, CONVERSATION = "thread_seed1x00000", "conv_seed1x00000"
BETA = {"OpenAI-Beta": "assistants=v2"}
INCLUDES = [
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]


@pytest.fixture
def sandbox() -> Iterator[Running]:
    with running(State.seed(threads=2, messages=45, conversations=2, items=45, start=1_765_000_000)) as sandbox:
        yield sandbox


@pytest.fixture
def http(sandbox: Running) -> Iterator[httpx.Client]:
    with client(sandbox) as http:
        yield http


def client(sandbox: Running, key: str = "sk-sandbox-one", **headers: str) -> httpx.Client:
    return httpx.Client(base_url=sandbox.url, headers={"Authorization": f"Bearer {key}", **BETA, **headers})


def error(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json()["error"]
    assert set(body) == {"message", "type", "param", "code"}
    return {"status": answer.status_code, **body}


@pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
@pytest.mark.parametrize("limit", [1, 7, 20, 100])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_the_sdk_walks_messages_and_items(sandbox: Running, limit: int, order: Any) -> None:
    with OpenAI(base_url=sandbox.url, api_key="sk-sandbox-one") as openai:
        messages = [m.id for m in openai.beta.threads.messages.list(THREAD, limit=limit, order=order)]
        items = [i.id for i in openai.conversations.items.list(CONVERSATION, limit=limit, order=order)]

    expected = [f"msg_seed1x00000{n:05d}" for n in range(45)]
    assert messages == (expected if order == "asc" else expected[::-1])
    assert len(items) == len(set(items)) == 45


@pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
def test_the_sdk_writes_and_reads_back(sandbox: Running) -> None:
    with OpenAI(base_url=sandbox.url, api_key="sk-sandbox-one") as openai:
        threads = openai.beta.threads
        thread = threads.create(messages=[{"role": "user", "content": "Hello?"}], metadata={"a": "b"})
        run = threads.runs.create(thread.id, assistant_id="asst_1")
        step = threads.runs.steps.list(run.id, thread_id=thread.id).data[0]
        answer = threads.messages.list(thread.id, run_id=run.id).data
        other = threads.create_and_run(assistant_id="asst_1", thread={"messages": []})
        threads.messages.update(answer[0].id, thread_id=thread.id, metadata={"seen": "yes"})
        seen = threads.messages.retrieve(answer[0].id, thread_id=thread.id)
        assert threads.messages.delete(answer[0].id, thread_id=thread.id).deleted
        assert threads.retrieve(thread.id).metadata == {"a": "b"}
        assert threads.runs.retrieve(run.id, thread_id=thread.id).status == other.status == "completed"
        assert threads.runs.steps.retrieve(step.id, thread_id=thread.id, run_id=run.id) == step
        assert threads.delete(thread.id).deleted
        with pytest.raises(NotFoundError, match=f"No thread found with id '{thread.id}'"):
            threads.retrieve(thread.id)

    assert [m.id for m in answer] == [step.to_dict()["step_details"]["message_creation"]["message_id"]]  # type: ignore[index]
    assert seen.metadata == {"seen": "yes"}


def test_the_sdk_restores_into_a_conversation(sandbox: Running) -> None:
    hello: Any = {"type": "message", "role": "user", "content": "Hello.", "id": "msg_mine"}
    with OpenAI(base_url=sandbox.url, api_key="sk-sandbox-one") as openai:
        made = openai.conversations.create(metadata={"a": "b"}, items=[hello])
        more = openai.conversations.items.create(made.id, items=[hello] * 20)
        with pytest.raises(BadRequestError, match="maximum length 20, but got an array with length 21"):
            openai.conversations.items.create(made.id, items=[hello] * 21)
        listed = list(openai.conversations.items.list(made.id, order="asc"))
        one = openai.conversations.items.retrieve(listed[0].id or "", conversation_id=made.id)
        openai.conversations.items.delete(listed[0].id or "", conversation_id=made.id)
        changed = openai.conversations.update(made.id, metadata={"c": "d"})
        raw = openai.get(f"/conversations/{made.id}", cast_to=httpx.Response)

    assert one == listed[0]
    assert len(more.data) == 20
    assert len({item.id for item in listed} - {"msg_mine"}) == 21
    assert changed.metadata == {"c": "d"}
    assert b'"metadata":{"c":"d"}' in raw.content
    assert len(sandbox.state.items(made.id)) == 20


def test_edits_and_deletions_by_the_test_itself(sandbox: Running, http: httpx.Client) -> None:
    state, run = sandbox.state, "run_seed1x0000000001"
    state.edit_run(THREAD, run, {"id": run, "status": "failed"})
    state.edit_message(THREAD, "msg_seed1x0000000000", b'{"id":"msg_seed1x0000000000","n":1.10}')
    assert state.delete_message(THREAD, "msg_seed1x0000000001")
    page = http.get(f"/threads/{THREAD}/messages?limit=2&order=asc").content

    assert http.get(f"/threads/{THREAD}/runs/{run}").json() == {"id": run, "status": "failed"}
    assert page.startswith(
        b'{"object":"list","data":[{"id":"msg_seed1x0000000000","n":1.10},{"id":"msg_seed1x0000000002"'
    )
    assert state.delete_thread(THREAD)
    assert not state.delete_thread(THREAD)


def test_bytes_come_out_as_they_went_in(sandbox: Running, http: httpx.Client) -> None:
    wild = rb'{"id":"msg_w", "n":123456789012345678901,"e":1e400,"p":1.10,"d":1,"d":2,"s":"\ud800\u0000"}'
    sandbox.state.add_message(THREAD, wild)

    assert http.get(f"/threads/{THREAD}/messages/msg_w").content == wild
    assert wild in http.get(f"/threads/{THREAD}/messages?limit=3").content
    sandbox.state.switches = Switches(pretty=True)
    assert b'\n      "p": 1.10,\n      "d": 1,\n' in http.get(f"/threads/{THREAD}/messages?limit=3").content


NOT_FOUND = {
    "/threads/thread_x": "No thread found with id 'thread_x'.",
    "/threads/thread_x/messages": "No thread found with id 'thread_x'.",
    "/threads/thread_x/runs/run_x/steps": "No thread found with id 'thread_x'.",
    f"/threads/{THREAD}/messages/msg_x": "No message found with id 'msg_x'.",
    f"/threads/{THREAD}/runs/run_x/steps": "No run found with id 'run_x'.",
    "/conversations/conv_x": "Conversation with id 'conv_x' not found.",
    "/conversations/conv_x/items": "Conversation with id 'conv_x' not found.",
    f"/conversations/{CONVERSATION}/items/msg_x": "Item with id 'msg_x' not found in conversation.",
    "/responses/resp_x": "Response with id 'resp_x' not found.",
    "/nowhere": "Invalid URL (GET /v1/nowhere)",
}


@pytest.mark.parametrize("path", NOT_FOUND)
def test_what_is_not_there_is_named(http: httpx.Client, path: str) -> None:
    found = error(http.get(path))

    assert found["status"] == 404
    assert found["message"] == NOT_FOUND[path]
    assert (found["type"], found["code"]) == ("invalid_request_error", None)


BAD = {
    "limit=1000": ("limit", "integer_above_max_value"),
    "limit=0": ("limit", "integer_below_min_value"),
    "limit=many": ("limit", "invalid_type"),
    "order=sideways": ("order", "invalid_value"),
    "after=nobody": ("after", None),
    "include[]=nothing": ("include", "invalid_value"),
}


@pytest.mark.parametrize("question", BAD)
@pytest.mark.parametrize("path", [f"/threads/{THREAD}/messages", f"/conversations/{CONVERSATION}/items"])
def test_a_bad_question_is_refused_with_its_parameter(http: httpx.Client, question: str, path: str) -> None:
    found = error(http.get(f"{path}?{question}"))

    assert (found["status"], found["param"], found["code"]) == (400, *BAD[question])


def test_the_text_for_a_limit_is_the_recorded_one(http: httpx.Client) -> None:
    found = error(http.get(f"/threads/{THREAD}/messages?limit=1000"))

    text = "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 1000 instead."
    assert found["message"] == text


def test_an_empty_page_has_null_ids(sandbox: Running, http: httpx.Client) -> None:
    sandbox.state.add_thread("thread_empty")

    expected: dict[str, Any] = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert http.get("/threads/thread_empty/messages").json() == expected


def test_before_works_on_threads_and_means_nothing_on_conversations(http: httpx.Client) -> None:
    messages = http.get(f"/threads/{THREAD}/messages?order=asc&before=msg_seed1x0000000003").json()
    items = http.get(f"/conversations/{CONVERSATION}/items?limit=100&before=nothing").json()

    assert [m["id"][-2:] for m in messages["data"]] == ["00", "01", "02"]
    assert len(items["data"]) == 45


def test_each_project_sees_its_own(sandbox: Running) -> None:
    sandbox.state.add_thread("thread_two", project="proj_two")
    with client(sandbox) as one, client(sandbox, "sk-sandbox-two") as two:
        assert error(one.get("/threads/thread_two"))["message"] == "No thread found with id 'thread_two'."
        assert two.get("/threads/thread_two").status_code == 200
        assert error(two.get(f"/threads/{THREAD}"))["status"] == 404


KEYS = {
    "sk-wrong": (401, "invalid_api_key", "Incorrect API key provided"),
    "sk-sandbox-restricted": (403, "missing_scope", "Missing scopes: api.threads.read"),
}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_may_not(sandbox: Running, key: str) -> None:
    with client(sandbox, key) as http:
        found = error(http.get(f"/threads/{THREAD}"))

    assert (found["status"], found["code"]) == KEYS[key][:2]
    assert KEYS[key][2] in found["message"]


@pytest.mark.parametrize("name", ["Project", "Organization"])
def test_a_mismatched_header(sandbox: Running, name: str) -> None:
    with client(sandbox, **{f"OpenAI-{name}": "other"}) as http:
        assert error(http.get(f"/threads/{THREAD}"))["code"] == f"mismatched_{name.lower()}"


def test_no_key_and_no_beta_header(sandbox: Running) -> None:
    assert error(httpx.get(f"{sandbox.url}/conversations/{CONVERSATION}"))["status"] == 401
    headers = {"Authorization": "Bearer sk-sandbox-one"}
    assert error(httpx.get(f"{sandbox.url}/threads/{THREAD}", headers=headers))["code"] == "invalid_beta"
    assert httpx.get(f"{sandbox.url}/conversations/{CONVERSATION}", headers=headers).status_code == 200


@pytest.mark.parametrize("shelf", ["threads", "conversations", "responses"])
def test_only_a_session_lists_what_keys_cannot(sandbox: Running, shelf: str) -> None:
    with client(sandbox) as key, client(sandbox, "sess-sandbox-one") as session:
        assert error(key.get(f"/{shelf}"))["code"] == "missing_scope"
        listed = session.get(f"/{shelf}?order=asc").json()["data"]
        sandbox.state.switches = Switches(listable=True)
        assert key.get(f"/{shelf}?order=asc").json()["data"] == listed

    assert [one["id"] for one in listed] == list(sandbox.state.shelves[shelf].holders)


def test_include_opens_what_is_closed(sandbox: Running, http: httpx.Client) -> None:
    path = f"/conversations/{CONVERSATION}/items?limit=9&order=asc"
    closed = {i["type"] + i.get("role", ""): i for i in http.get(path).json()["data"]}
    asked = "".join(f"&include[]={name}" for name in INCLUDES)

    assert b",".join(sandbox.state.items(CONVERSATION)[:9]) in http.get(path + asked).content
    assert http.get(f"{path}&include={','.join(INCLUDES)}").content == http.get(path + asked).content
    assert closed["code_interpreter_call"]["outputs"] is None
    assert closed["file_search_call"]["results"] is None
    assert closed["messageuser"]["content"][1]["image_url"] is None
    assert closed["messageassistant"]["content"][0]["logprobs"] == []
    assert "encrypted_content" not in closed["reasoning"]
    assert "sources" not in closed["web_search_call"]["action"]
    assert "image_url" not in closed["computer_call_output"]["output"]


def test_steps_show_what_file_search_found_only_when_asked(sandbox: Running, http: httpx.Client) -> None:
    runs = [run["id"] for run in http.get(f"/threads/{THREAD}/runs?limit=100").json()["data"]]
    name = "step_details.tool_calls[*].file_search.results[*].content"
    closed = [http.get(f"/threads/{THREAD}/runs/{run}/steps").text for run in runs]
    opened = [http.get(f"/threads/{THREAD}/runs/{run}/steps", params={"include[]": name}).text for run in runs]

    assert '"content"' not in "".join(closed)
    assert '"content"' in "".join(opened)


def test_files_are_read_unless_their_purpose_forbids_it(sandbox: Running, http: httpx.Client) -> None:
    mine = sandbox.state.add_file({"purpose": "assistants_output"}, b"\x00\xff")
    theirs = sandbox.state.add_file({"purpose": "user_data"}, b"secret")

    assert http.get(f"/files/{mine}/content").content == b"\x00\xff"
    assert http.get(f"/files/{mine}").json()["bytes"] == 2
    assert error(http.get(f"/files/{theirs}/content"))["message"].endswith("files of purpose: user_data")
    assert [f["id"] for f in http.get("/files?purpose=user_data").json()["data"]] == [theirs]
    assert http.delete(f"/files/{mine}").json() == {"id": mine, "object": "file", "deleted": True}


def test_a_thread_is_forgotten_when_its_time_is_over(sandbox: Running, http: httpx.Client) -> None:
    sandbox.state.retention["threads"] = Retention(60)
    name = sandbox.state.add_thread()
    control = f"{sandbox.root}/_sandbox"
    httpx.post(f"{control}/clock", json={"advance": 59})
    http.post(f"/threads/{name}/messages", json={"role": "user", "content": "still here"})
    httpx.post(f"{control}/clock", json={"advance": 59})
    assert http.get(f"/threads/{name}").status_code == 200
    httpx.post(f"{control}/clock", json={"advance": 2})

    assert error(http.get(f"/threads/{name}"))["message"] == f"No thread found with id '{name}'."
    httpx.post(f"{control}/retention", json={"conversations": {"ttl": 10, "anchor": "created"}})
    assert error(http.get(f"/conversations/{CONVERSATION}"))["status"] == 404


def test_the_log_knows_who_asked_what(sandbox: Running, http: httpx.Client) -> None:
    http.get(f"/threads/{THREAD}/messages?include[]=a&limit=2")
    expected = {
        "method": "GET",
        "path": f"/v1/threads/{THREAD}/messages",
        "params": [["include[]", "a"], ["limit", "2"]],
        "status": 400,
        "project": "proj_one",
    }

    assert httpx.get(f"{sandbox.root}/_sandbox/requests").json() == [expected]
    assert sandbox.state.requests[0].params == [("include[]", "a"), ("limit", "2")]
    assert set(httpx.get(f"{sandbox.root}/_sandbox").json()["lies"]) == set(LIES)


def test_switches_are_changed_while_it_runs(sandbox: Running, http: httpx.Client) -> None:
    control = f"{sandbox.root}/_sandbox/switches"

    assert httpx.post(control, json={"lies": ["no_envelope_ids"]}).json()["lies"] == ["no_envelope_ids"]
    assert "last_id" not in http.get(f"/threads/{THREAD}/messages").json()
    assert httpx.post(control, json={"lies": "white"}).status_code == 400
    assert httpx.post(control, json={"nonsense": 1}).status_code == 400


def test_it_listens_on_loopback_only_unless_told() -> None:
    with pytest.raises(UsageError, match=r"0\.0\.0\.0 is not a loopback address"):
        serve(State(), "0.0.0.0")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    with pytest.raises(UsageError, match=r"pip install 'conversation-exporter\[sandbox\]'"), running():
        pass


def test_importing_it_is_light() -> None:
    code = "import sys, exporter.sandbox; print({'starlette', 'uvicorn', 'openai'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_stored_completions_are_listed_newest_first_by_the_live_dialect(http: httpx.Client, sandbox: Running) -> None:
    for number in (1, 2):
        sandbox.state.put("completions", {"id": f"chatcmpl-{number}"})
    live = http.get("/chat/completions").json()
    sandbox.state.dialect = "described"
    described = http.get("/chat/completions").json()

    assert [one["id"] for one in live["data"]] == ["chatcmpl-2", "chatcmpl-1"]
    assert described["data"] == live["data"][::-1]


MADE_UP = {
    "assistants/assistant_id": "assistant",
    "threads/thread_id": "thread",
    "threads/thread_id/messages": "list",
    "threads/thread_id/messages/message_id": "thread.message",
    "threads/thread_id/runs/run_id": "thread.run",
    "threads/thread_id/runs/run_id/steps": "list",
    "threads/thread_id/runs/run_id/steps/step_id": "thread.run.step",
    "conversations/conv_123": "conversation",
    "conversations/conv_123/items": "list",
    "chatkit/threads/cthr_123": "chatkit.thread",
    "chatkit/threads/cthr_123/items": "list",
    "chat/completions/completion_id": "chat.completion",
    "chat/completions/completion_id/messages": "list",
    "responses/response_id": "response",
    "responses/response_id/input_items": "list",
    "responses/resp_677efb5139a88190b512bc3fef8e535d": "response",
    "files/file_id": "file",
    "containers/container_id": "container",
    "containers/container_id/files/file_id": "container.file",
    "vector_stores/vector_store_id": "vector_store",
    "vector_stores/vector_store_id/files/file_id": "vector_store.file",
    "vector_stores/vs_abc123/files/file-abc123": "vector_store.file",
}


@pytest.fixture(scope="module")
def fixture() -> Iterator[httpx.Client]:
    beta = {"OpenAI-Beta": "assistants=v2,chatkit_beta=v1,agents=v1"}
    with (
        running(State.sdk_fixture()) as sandbox,
        httpx.Client(base_url=sandbox.url, headers={"Authorization": "Bearer My API Key", **beta}) as http,
    ):
        yield http


@pytest.mark.parametrize(("path", "kind"), MADE_UP.items())
def test_what_the_sdks_own_tests_ask_for_is_there(path: str, kind: str, fixture: httpx.Client) -> None:
    answer = fixture.get(f"/{path}")

    assert (answer.status_code, answer.json()["object"]) == (200, kind)
    assert kind != "list" or answer.json()["data"]


def test_a_session_of_the_sdks_own_tests_has_all_its_lists(fixture: httpx.Client) -> None:
    for path in ("items", "turns", "subagents", "subagents/subagent_id/items", "subagents/subagent_id/turns"):
        assert fixture.get(f"/agents/sessions/session_id/{path}").json()["data"], path
    assert fixture.get("/agents/sessions/session_id/artifacts/artifact_id/content").content == b"hello"


@pytest.mark.parametrize("body", ["{no json", "[]", '"text"'])
def test_a_body_that_is_no_object_is_refused(body: str, http: httpx.Client) -> None:
    told = error(http.post("/conversations", content=body))

    assert (told["status"], told["type"]) == (400, "invalid_request_error")
    assert told["message"] == "We could not parse the JSON body of your request."


def test_more_messages_than_a_new_thread_takes_are_refused(http: httpx.Client) -> None:
    hello = {"role": "user", "content": "Hello."}
    told = error(http.post("/threads", json={"messages": [hello] * 33}))

    assert (told["status"], told["param"], told["code"]) == (400, "messages", "array_above_max_length")
    assert "maximum length 32, but got an array with length 33" in told["message"]
    assert http.post("/threads", json={"messages": [hello] * 32}).status_code == 200


def test_what_is_said_with_a_run_comes_before_its_answer(http: httpx.Client) -> None:
    parts: list[Any] = [{"type": "text", "text": "And this?"}, {"type": "image_file", "image_file": {"file_id": "f"}}]
    more = [{"role": "user", "content": parts}, {"role": "user"}]
    run = http.post(f"/threads/{THREAD}/runs", json={"assistant_id": "asst_1", "additional_messages": more}).json()
    answer, empty, asked = http.get(f"/threads/{THREAD}/messages?limit=3").json()["data"]

    assert answer["run_id"] == run["id"]
    assert (empty["role"], empty["content"]) == ("user", [])
    assert asked["content"] == [{"type": "text", "text": {"value": "And this?", "annotations": []}}, parts[1]]


def test_only_what_may_be_changed_is_changed(http: httpx.Client) -> None:
    before = http.get(f"/threads/{THREAD}").json()
    changed = http.post(f"/threads/{THREAD}", json={"metadata": {"a": "b"}, "created_at": 7, "id": "other"}).json()

    assert changed == {**before, "metadata": {"a": "b"}}
    assert http.get(f"/threads/{THREAD}").json() == changed


@pytest.mark.parametrize("lie", ["inclusive_cursor", "overlapping_pages", "cursor_by_second"])
def test_a_liar_knows_no_cursor_that_was_never_given(lie: str, sandbox: Running, http: httpx.Client) -> None:
    sandbox.state.switches = sandbox.state.switches.with_changes({"lies": [lie]})
    told = error(http.get(f"/threads/{THREAD}/messages?after=msg_never"))

    assert told["status"] in (400, 404)
    assert "msg_never" in told["message"]


def test_what_a_test_names_has_to_be_there() -> None:
    state = State()
    state.add_thread("thread_1")
    with pytest.raises(KeyError, match="msg_1"):
        state.edit_message("thread_1", "msg_1", {"id": "msg_1"})
    with pytest.raises(KeyError, match="conv_1"):
        state.body("conversations", "conv_1")
    state.add_crowd("conversations", 3)
    with pytest.raises(KeyError, match="conv_1"):
        state.add_item("conv_1", {"id": "msg_1"})
    with pytest.raises(ValueError, match="an object of threads needs an id"):
        state.add_thread(b"{}")
    with pytest.raises(UsageError, match="no dialect 'spoken'; it has described, live"):
        State(dialect="spoken").add_thread("thread_1")


def test_whoever_has_no_id_is_listed_as_it_is() -> None:
    state = State()
    container, session = b'{"id":"cntr_1","object":"container"}', state.add_session("asess_1")
    assert state.add_container(container) == "cntr_1"
    assert state.add_container_file("cntr_1", b'{"id":null}', b"x") is None
    assert state.add_container_file("cntr_1", {"id": "cfile_1"}, b"y") == "cfile_1"
    assert state.add_artifact(session, b'{"id":7}', b"x") is None
    assert state.add_response(b'{"id":"resp_1","output":{}}', ["Hello?"]) == "resp_1"
    with running(state) as sandbox, client(sandbox, **{"OpenAI-Beta": "agents=v1"}) as http:
        assert b'{"id":null}' in http.get("/containers/cntr_1/files").content
        assert http.get("/containers/cntr_1/files/cfile_1/content").content == b"y"
        assert http.get("/containers/cntr_1").content == container
        assert b'{"id":7}' in http.get(f"/agents/sessions/{session}/artifacts").content
        assert http.get("/responses/resp_1").content == b'{"id":"resp_1","output":{}}'
        assert len(http.get("/responses/resp_1/input_items").json()["data"]) == 1


@pytest.mark.parametrize("number", ["00000050", "7", "x", "\u0663", "-0000001"])
def test_a_generated_thread_has_its_ids_and_no_others(number: str) -> None:
    state = State()
    state.add_generated("thread_g", 50)
    with running(state) as sandbox, client(sandbox) as http:
        assert http.get("/threads/thread_g/messages/msg_generated00000049").json()["id"] == "msg_generated00000049"
        assert http.get(f"/threads/thread_g/messages/msg_generated{number}").status_code == 404
