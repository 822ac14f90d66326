"""Recorded objects come out as they went in; the described dialect answers as the description says."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from exporter.sandbox import State, running
from exporter.sandbox.includes import ITEM_LOCKS, STEP_LOCKS

ROOT = Path(__file__).parents[2]
PAYLOADS = Path(os.environ.get("EXPORTER_PAYLOADS", ROOT.parent / "shared" / "payloads"))
OPENAPI = Path(os.environ.get("EXPORTER_OPENAPI", ROOT.parent / "shared" / "openapi-conversations.json"))
FILES = [
    "recorded_openai_dotnet_threads.json",
    "recorded_openai_dotnet_conversations_responses.json",
    "recorded_response_items_variety.json",
    "spec_examples.json",
]
HEADERS = {"Authorization": "Bearer sk-sandbox-one", "OpenAI-Beta": "assistants=v2,chatkit_beta=v1"}

needs_payloads = pytest.mark.skipif(not PAYLOADS.is_dir(), reason="no recorded payloads (EXPORTER_PAYLOADS)")
needs_openapi = pytest.mark.skipif(not OPENAPI.is_file(), reason="no public description (EXPORTER_OPENAPI)")


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with (
        running(State.recorded(*(PAYLOADS / name for name in FILES[:3]))) as sandbox,
        httpx.Client(base_url=sandbox.url, headers=HEADERS) as client,
    ):
        yield client


def included(path: str) -> dict[str, list[str]]:
    """All include[] values that a path takes."""
    locks = STEP_LOCKS if "/steps" in path else ITEM_LOCKS if "items" in path or "/resp" in path else {}
    locks = {} if "chatkit" in path else locks
    return {"include[]": list(locks)} if locks else {}


def last_versions() -> dict[str, Any]:
    """The path of each object that a recording shows, with its last version."""
    seen: dict[str, Any] = {}
    for name in FILES[:2]:
        for exchange in json.loads((PAYLOADS / name).read_text("utf-8"))["exchanges"]:
            body, path = exchange["body"], urlsplit(exchange["url"]).path.removeprefix("/v1")
            if exchange["status"] != 200 or exchange["method"] == "DELETE":
                continue
            for one in body["data"] if body.get("object") == "list" else [body]:
                if place := where(path, one):
                    seen[place] = one
    return seen


def where(path: str, body: dict[str, Any]) -> str:
    kind, name = body.get("object"), body.get("id")
    under = f"/threads/{body.get('thread_id')}"
    return {
        "thread": f"/threads/{name}",
        "thread.message": f"{under}/messages/{name}",
        "thread.run": f"{under}/runs/{name}",
        "thread.run.step": f"{under}/runs/{body.get('run_id')}/steps/{name}",
        "conversation": f"/conversations/{name}",
        "response": f"/responses/{name}",
        None: f"{path}/{name}" if path.startswith("/conversations") and path.endswith("/items") else "",
    }[kind]


@needs_payloads
def test_every_recorded_object_is_fetched_back_equal(http: httpx.Client) -> None:
    expected = last_versions()
    found = {path: http.get(path, params=included(path)).json() for path in expected}

    assert len(expected) > 120
    assert found == expected


def lists() -> Iterator[tuple[str, list[Any]]]:
    """The recorded lists that are whole, in ascending order."""
    for name in FILES[:2]:
        for exchange in json.loads((PAYLOADS / name).read_text("utf-8"))["exchanges"]:
            parts, body = urlsplit(exchange["url"]), exchange["body"]
            whole = exchange["method"] == "GET" and body.get("object") == "list" and not body["has_more"]
            if whole and body["data"] and "after=" not in parts.query:
                path = parts.path.removeprefix("/v1")
                yield path, body["data"] if "order=asc" in parts.query else body["data"][::-1]


@needs_payloads
def test_recorded_lists_keep_their_order(http: httpx.Client) -> None:
    compared = 0
    for path, expected in lists():
        page = http.get(path, params={"limit": 100, "order": "asc", **included(path)}).json()["data"]
        names = [one["id"] for one in expected]

        assert [one["id"] for one in page if one["id"] in names] == names
        compared += 1
    assert compared > 20


@needs_payloads
def test_every_type_of_item_comes_through(http: httpx.Client) -> None:
    items = json.loads((PAYLOADS / FILES[2]).read_text("utf-8"))["items"]
    path = "/conversations/conv_recorded_variety/items"
    page = http.get(path, params={"limit": 100, "order": "asc", **included(path)}).json()

    assert page["data"] == [item["item"] for item in items]


@needs_payloads
def test_published_examples_can_be_served() -> None:
    state = State.recorded(PAYLOADS / FILES[3])

    assert {"thread_abc123", "thread_123"} & set(state.shelves["threads"].holders)
    for name in ("threads", "conversations", "chatkit", "completions", "responses", "assistants"):
        assert state.shelves[name].holders, name


KINDS: list[dict[str, Any]] = [
    {"type": "user_message", "content": [{"type": "input_text", "text": "Hello?"}]},
    {"type": "assistant_message", "content": [{"type": "output_text", "text": "Yes.", "annotations": []}]},
    {"type": "widget"},
    {"type": "client_tool_call"},
    {"type": "task"},
    {"type": "task_group", "tasks": [{"type": "thought", "heading": None, "summary": "Hm."}]},
]


def described() -> State:
    """A seeded state with something on every shelf that the description knows."""
    state = State.seed(threads=1, messages=12, conversations=1, items=18, dialect="described")
    state.add_file({"id": "file-1", "filename": "a.txt", "purpose": "assistants"}, b"abc")
    state.add_container("cntr_1")
    state.add_container_file("cntr_1", {"id": "cfile_1"}, b"abc")
    state.add_chatkit_thread("cthr_1")
    for kind in KINDS:
        state.add_chatkit_item("cthr_1", kind)
    attachment = state.add_attachment(b"abc", name="a.txt")
    state.add_chatkit_item("cthr_1", KINDS[0] | {"attachments": [attachment]})
    message = {"role": "assistant", "content": "Hello.", "refusal": None}
    choice = {"index": 0, "finish_reason": "stop", "message": message, "logprobs": None}
    state.add_completion(
        {"id": "chatcmpl-1", "choices": [choice]}, [{"role": "assistant"}]
    )  # its schema knows no other role, its example does
    output = [json.loads(item) for item in state.items("conv_seed1x00000")[-1:]]
    for number in (0, 1):
        body = {"id": f"resp_{number}", "output": output, "previous_response_id": "resp_0" if number else None}
        state.add_response(body, [*state.items("conv_seed1x00000")[:9], "Hello?"])
    state.add_response({"id": "resp_2", "conversation": "conv_seed1x00000", "status": "in_progress"})
    return state


GOOD = {
    "/threads/thread_seed1x00000": "/threads/{thread_id}",
    "/threads/thread_seed1x00000/messages": "/threads/{thread_id}/messages",
    "/threads/thread_seed1x00000/messages/msg_seed1x0000000001": "/threads/{thread_id}/messages/{message_id}",
    "/threads/thread_seed1x00000/runs": "/threads/{thread_id}/runs",
    "/threads/thread_seed1x00000/runs/run_seed1x0000000001/steps": "/threads/{thread_id}/runs/{run_id}/steps",
    "/threads/thread_seed1x00000/runs/run_seed1x0000000001": "/threads/{thread_id}/runs/{run_id}",
    "/threads/thread_seed1x00000/runs/run_seed1x0000000001/steps/step_seed1x0000000001b": (
        "/threads/{thread_id}/runs/{run_id}/steps/{step_id}"
    ),
    "/conversations/conv_seed1x00000/items/msg_seed1x0000000000": "/conversations/{conversation_id}/items/{item_id}",
    "/conversations/conv_seed1x00000": "/conversations/{conversation_id}",
    "/conversations/conv_seed1x00000/items": "/conversations/{conversation_id}/items",
    "/files": "/files",
    "/files/file-1": "/files/{file_id}",
    "/containers": "/containers",
    "/containers/cntr_1": "/containers/{container_id}",
    "/containers/cntr_1/files": "/containers/{container_id}/files",
    "/containers/cntr_1/files/cfile_1": "/containers/{container_id}/files/{file_id}",
    "/chatkit/threads": "/chatkit/threads",
    "/chatkit/threads/cthr_1": "/chatkit/threads/{thread_id}",
    "/chatkit/threads/cthr_1/items": "/chatkit/threads/{thread_id}/items",
    "/chat/completions": "/chat/completions",
    "/chat/completions/chatcmpl-1": "/chat/completions/{completion_id}",
    "/chat/completions/chatcmpl-1/messages": "/chat/completions/{completion_id}/messages",
    "/responses/resp_1": "/responses/{response_id}",
    "/responses/resp_2": "/responses/{response_id}",
    "/responses/resp_1/input_items": "/responses/{response_id}/input_items",
}


NO_JSON = {"/files/{file_id}/content", "/containers/{container_id}/files/{file_id}/content"}
"""Described, but their answers are bytes."""


def nullable(schema: Any) -> Any:
    """The description still says `nullable: true` in places, which JSON Schema does not know."""
    if isinstance(schema, list):
        return [nullable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: nullable(value) for key, value in schema.items()}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


@needs_openapi
@pytest.mark.parametrize("opened", [False, True], ids=["closed", "opened"])
def test_described_answers_are_valid_by_the_description(*, opened: bool) -> None:
    book = json.loads(OPENAPI.read_text("utf-8"))
    registry: Registry[Any] = Registry().with_resource("book:", DRAFT202012.create_resource(nullable(book)))
    wrong: list[str] = []
    with running(described()) as sandbox, httpx.Client(base_url=sandbox.url, headers=HEADERS) as client:
        for path, template in GOOD.items():
            answer = client.get(path, params=included(path) if opened else {})
            assert answer.status_code == 200, path
            if answer.json().get("object") == "list":
                assert answer.json()["data"], path
            content = book["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]
            schema = {"$ref": "book:" + content["schema"]["$ref"]}
            errors = Draft202012Validator(schema, registry=registry).iter_errors(answer.json())
            wrong += [f"{path} {list(error.path)}: {error.message[:300]}" for error in errors]

    assert "\n".join(wrong) == ""


@needs_openapi
def test_every_described_endpoint_that_reads_is_validated() -> None:
    paths = json.loads(OPENAPI.read_text("utf-8"))["paths"]
    reads = {path for path, verbs in paths.items() if "get" in verbs}

    assert reads - set(GOOD.values()) - NO_JSON == set()


def test_the_live_dialect_has_exactly_the_recorded_fields() -> None:
    live = State.seed(threads=1, messages=1, conversations=0)
    body = json.loads(live.messages("thread_seed1x00000")[0])

    names = "assistant_id attachments content created_at id metadata object role run_id thread_id"
    assert sorted(body) == names.split()
