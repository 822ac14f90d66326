"""What objects point to: found in every shape that servers were seen to send, and nothing else is taken for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.model import FileRef, Item, Kind, Page, ThreadRef
from exporter.sources._refs import artifacts, refs, stores

THREAD = ThreadRef("conversations", "http://127.0.0.1:1/v1", "conv_1")
AT = datetime(2026, 11, 21, tzinfo=UTC)


def page(*bodies: Any, kind: Kind = "message") -> Page:
    texts = [body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode() for body in bodies]
    items = [Item(f"msg_{n}", text) for n, text in enumerate(texts)]
    return Page(THREAD, kind, tuple(items), None, False, AT, "messages")


def found(body: Any, kind: Kind = "message") -> list[tuple[str, str, str | None, str | None]]:
    return [(ref.type, ref.id, ref.container, ref.name) for ref in refs(page(body, kind=kind))]


CITED = {"type": "file_citation", "file_id": "file-1", "filename": "a.pdf", "index": 3}
IN_CONTAINER = {
    "type": "container_file_citation",
    "container_id": "cntr_1",
    "file_id": "cfile_1",
    "filename": "plot.png",
    "start_index": 0,
}
SHAPES: dict[str, tuple[Any, list[tuple[str, str, str | None, str | None]]]] = {
    "attachments of a message": (
        {"attachments": [{"file_id": "file-1", "tools": [{"type": "file_search"}]}, {"file_id": "file-2"}]},
        [("file", "file-1", None, None), ("file", "file-2", None, None)],
    ),
    "file_ids of old messages": (
        {"file_ids": ["file-1", "file-2"]},
        [("file", f"file-{n}", None, None) for n in (1, 2)],
    ),
    "image_file": (
        {"content": [{"type": "image_file", "image_file": {"file_id": "file-1"}}]},
        [("file", "file-1", None, None)],
    ),
    "input_file": (
        {"content": [{"type": "input_file", "file_id": "file-1", "filename": "x"}]},
        [("file", "file-1", None, "x")],
    ),
    "input_image": (
        {"content": [{"type": "input_image", "file_id": "file-1", "image_url": None}]},
        [("file", "file-1", None, None)],
    ),
    "a part of a completion": (
        {"content": [{"type": "file", "file": {"file_id": "file-1", "filename": "b.txt"}}]},
        [("file", "file-1", None, "b.txt")],
    ),
    "a citation": ({"content": [{"text": "x", "annotations": [CITED]}]}, [("file", "file-1", None, "a.pdf")]),
    "a citation of a thread's message": (
        {"content": [{"text": {"annotations": [{"type": "file_citation", "file_citation": {"file_id": "file-1"}}]}}]},
        [("file", "file-1", None, None)],
    ),
    "a file_path": (
        {"content": [{"text": {"annotations": [{"type": "file_path", "file_path": {"file_id": "file-1"}}]}}]},
        [("file", "file-1", None, None)],
    ),
    "a citation of a container's file": (
        {"content": [{"annotations": [IN_CONTAINER]}]},
        [("container_file", "cfile_1", "cntr_1", "plot.png")],
    ),
    "an image of a step": (
        {"step_details": {"tool_calls": [{"code_interpreter": {"outputs": [{"image": {"file_id": "file-1"}}]}}]}},
        [("file", "file-1", None, None)],
    ),
    "what a step's search found": (
        {"step_details": {"tool_calls": [{"file_search": {"results": [{"file_id": "file-1", "file_name": "f.txt"}]}}]}},
        [("file", "file-1", None, "f.txt")],
    ),
    "a screenshot": (
        {"type": "computer_call_output", "output": {"type": "computer_screenshot", "file_id": "file-1"}},
        [("file", "file-1", None, None)],
    ),
    "a number for an id": ({"content": [{"file_id": 7}]}, [("file", "7", None, None)]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pointer_is_found_in_this_shape(shape: str) -> None:
    body, expected = SHAPES[shape]

    assert found(body) == expected


def test_a_thread_points_to_the_files_its_tools_work_with() -> None:
    thread = {"tool_resources": {"code_interpreter": {"file_ids": ["file-1", "file-2"]}, "file_search": {}}}

    assert found(thread, kind="thread") == [("file", "file-1", None, None), ("file", "file-2", None, None)]


def test_what_a_thread_object_holds_of_messages_is_left_to_the_messages() -> None:
    response = {"output": [{"content": [{"annotations": [CITED]}]}], "choices": [{"message": {"file_id": "file-2"}}]}

    assert found(response, kind="thread") == []
    assert len(found(response)) == 2


def test_an_attachment_comes_with_its_address_and_its_own_object_as_sent() -> None:
    attachment = (
        b'{"type":"image","id":"att_1","name":"../../etc/passwd","size":1.10,"preview_url":"https://x/y?sig=1"}'
    )
    body = b'{"id":"cthi_1","attachments":[%s,{"id":"att_2","type":"file","name":"n","preview_url":null}]}' % attachment

    first, second = refs(page(body))

    url = "https://x/y?sig=1"
    assert first == FileRef(THREAD, "attachment", "att_1", None, "msg_0", "../../etc/passwd", url, attachment)
    assert (second.id, second.url, second.object is not None) == ("att_2", None, True)


def test_each_pointer_says_which_message_it_is_of_and_a_thread_is_none() -> None:
    first, second = refs(page({"file_id": "file-1"}, {"file_id": "file-1"}))
    (of_thread,) = refs(page({"file_id": "file-1"}, kind="thread"))

    assert (first.message, second.message, of_thread.message) == ("msg_0", "msg_1", None)


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"file_id": "theirs"}},
        {"tools": [{"function": {"parameters": {"properties": {"file_id": {"type": "string"}}, "file_id": "x"}}}]},
        {"results": [{"attributes": {"file_id": "theirs"}}]},
        {"arguments": '{"file_id":"in a text"}'},
        {"content": [{"type": "input_file", "file_id": None, "filename": "a"}, {"file_id": ""}, {"file_id": ["x"]}]},
        {"content": [{"file_id": {"file_id": None}}, {"file_ids": "file-1"}, {"file_ids": [None, {}]}]},
        {"attachments": [{"name": "no id"}, "text", None, {"id": None}]},
        {"attachments": {"id": "x"}},
        [],
        7,
        b'{"file_id":',
        b'{"attachments":[{"id":"x"},}',
        b'{"file_id":"\\ud800"}',
        b"[" * 100_000 + b'"file_id"',
    ],
)
def test_what_only_looks_like_a_pointer_is_none(body: Any) -> None:
    assert found(body) == []


def test_wild_json_is_read_all_the_same() -> None:
    body = b'{"n":%s,"t":"\\ud800","content":[{"file_id":"file-1"}],"attachments":[{"id":"a\\u0041","x":1e999}]}' % (
        b"9" * 5000
    )

    assert [(ref.type, ref.id) for ref in refs(page(body))] == [("file", "file-1"), ("attachment", "aA")]


def test_a_page_without_files_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.sources._refs.parsed", lambda _: pytest.fail("parsed"))

    assert list(refs(page({"content": [{"text": "a message like most"}]}))) == []
    assert list(stores([b'{"tool_resources":{}}'])) == []


def test_the_vector_stores_of_threads_tools_and_results_are_found() -> None:
    thread = {"tool_resources": {"file_search": {"vector_store_ids": ["vs_1", "vs_2", None, 3]}}}
    response = {"tools": [{"type": "file_search", "vector_store_ids": ["vs_4"]}], "vector_store_ids": "no list"}
    result = {"results": [{"file_id": "file-1", "vector_store_id": "vs_5"}], "metadata": {"vector_store_id": "theirs"}}

    bodies = [json.dumps(body).encode() for body in (thread, response, result)]
    assert list(stores(bodies)) == ["vs_1", "vs_2", "3", "vs_4", "vs_5"]


def test_a_list_of_files_holds_the_files_themselves() -> None:
    listed = page({"id": "msg_0", "path": "/out/a.csv", "size_bytes": 3}, {"id": "msg_1"}, kind="file")

    first, second = artifacts(listed)
    assert (first.type, first.id, first.name, first.object) == ("artifact", "msg_0", "/out/a.csv", listed.items[0].body)
    assert (second.id, second.name) == ("msg_1", None)
