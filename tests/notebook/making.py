"""Archives for notebooks: published tables, without a server."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from exporter.archive import Archive
from exporter.model import ThreadRef
from exporter.tables import publish
from tests.tables.making import FakeReader, Page, message, page, thread, visit

BEGIN = 1_760_000_000
"2025-10-09 08:53:20, a Thursday."
DAY = 86_400
MONTH = 31 * DAY


def published(path: Path, pages: list[Page]) -> Path:
    """An archive with the tables of these pages."""
    Archive.create(path)
    publish(FakeReader(path, pages), 0)
    return path


def months(path: Path, threads: int = 24, messages: int = 250) -> Path:
    """An archive of four months, with several row groups in each; each thread is in one month."""
    random, pages = Random(1), []
    for number in range(threads):
        at = BEGIN + number % 4 * MONTH
        items: list[tuple[str | None, Any]] = [
            message(f"msg_{number:03}_{i:04}", random.randbytes(700).hex(), at + i) for i in range(messages)
        ]
        pages.append(page(1, thread(f"t{number:03}"), "message", items))
    return published(path, pages)


def every_kind(path: Path) -> Path:
    """A thread of each source, small enough to be reckoned by hand."""
    pages: list[Page] = []
    _owned(pages, thread("a1"), "ann")
    pages += [
        page(1, thread("a1"), "thread", [("a1", {"id": "a1", "object": "thread", "created_at": BEGIN})]),
        page(1, thread("a1"), "message", [
            message("m0", "hi there", BEGIN), message("m1", "still?", BEGIN + 10),
            message("m2", "yes", BEGIN + 30, role="assistant"),
            message("m3", "and now", BEGIN + 100), message("m4", "no", BEGIN + 107, role="assistant"),
        ]),
        page(1, thread("a1"), "run", [
            ("run_1", _run("gpt-4o-2024-08-06", BEGIN + 12, 20, 11)),
            ("run_2", _run("gpt-4o", BEGIN + DAY, 1_000_000, 2_000_000)),
        ]),
        page(1, thread("a1"), "step", [("step_1", {
            "id": "step_1", "object": "thread.run.step", "type": "tool_calls", "created_at": BEGIN + 13,
            "usage": {"prompt_tokens": 9, "completion_tokens": 9},
            "step_details": {"type": "tool_calls", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}},
                {"id": "call_2", "type": "file_search", "file_search": {}},
            ]},
        })], parent="run_1"),
    ]  # fmt: skip
    _owned(pages, thread("c1", "conversations"), "ben")
    pages.append(page(1, thread("c1", "conversations"), "message", [
        ("i0", {"id": "i0", "type": "message", "role": "user", "content": "where"}),
        ("i1", {"id": "i1", "type": "function_call", "call_id": "call_1", "name": "find", "arguments": "{}"}),
        ("i2", {"id": "i2", "type": "function_call_output", "call_id": "call_1", "output": "here"}),
        ("i3", {"id": "i3", "type": "message", "role": "assistant", "content": "here"}),
    ]))  # fmt: skip
    _response(pages)
    _completions(pages)
    chatkit = thread("x1", "chatkit")
    _owned(pages, chatkit, "ann")
    pages += [page(1, chatkit, "message", [
        ("x0", {"id": "x0", "type": "chatkit.user_message", "created_at": BEGIN + 50, "content": []}),
        ("x1", {"id": "x1", "type": "chatkit.client_tool_call", "created_at": BEGIN + 52, "name": "find"}),
        ("x2", {"id": "x2", "type": "chatkit.assistant_message", "created_at": BEGIN + 58, "content": []}),
    ]), visit(1, chatkit, "gone", 5)]  # fmt: skip
    _session(pages)
    return published(path, pages)


def _owned(pages: list[Page], ref: ThreadRef, user: str) -> None:
    pages.append(page(1, ref, "registration", [(None, {"user": user, "customer": "acme"})]))


def _run(model: str, at: int, asked: int, answered: int) -> dict[str, Any]:
    usage = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
    return {"id": "r", "object": "thread.run", "model": model, "created_at": at, "usage": usage}


def _response(pages: list[Page]) -> None:
    ref = thread("r1", "responses")
    body = {"id": "r1", "object": "response", "created_at": BEGIN + 1000, "completed_at": BEGIN + 1004}
    body |= {"model": "gpt-4o", "usage": {"input_tokens": 5, "output_tokens": 7}}
    _owned(pages, ref, "ann")
    pages += [page(1, ref, "thread", [("r1", body)]), page(1, ref, "message", [
        ("q", {"id": "q", "type": "message", "role": "user", "content": "?"}),
        ("a", {"id": "a", "type": "message", "role": "assistant", "content": "!"}),
    ])]  # fmt: skip


def _completions(pages: list[Page]) -> None:
    """Two of them: the second repeats what the first called."""
    call = {"id": "call_9", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    asking = {"id": "k-0", "role": "user", "content": "find it"}
    for name, messages in (
        ("k1", [("k-0", asking), (None, calling)]),
        ("k2", [("k-0", asking), ("k-1", calling | {"id": "k-1"}), (None, {"role": "assistant", "content": "found"})]),
    ):
        ref = thread(name, "completions")
        body = {"id": name, "object": "chat.completion", "created": BEGIN, "model": "gpt-4o"}
        body |= {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}
        _owned(pages, ref, "ann")
        pages += [page(1, ref, "thread", [(name, body)]), page(1, ref, "message", list(messages))]


def _session(pages: list[Page]) -> None:
    ref = thread("s1", "agents")
    used = {"created_at": BEGIN + 200, "completed_at": BEGIN + 260, "object": "agent.session.turn"}
    _owned(pages, ref, "ann")
    pages += [
        page(1, ref, "thread", [("s1", {
            "id": "s1", "object": "agent.session", "created_at": BEGIN, "agent": {"model": "gpt-5.4"},
            "usage": {"input_tokens": 43, "output_tokens": 16},
        })]),
        page(1, ref, "run", [("t1", used | {"id": "t1", "usage": {"input_tokens": 40, "output_tokens": 12}})]),
        page(1, ref, "run", [("t2", used | {"id": "t2", "usage": {"input_tokens": 3, "output_tokens": 4}})],
             parent="sub"),
        page(1, ref, "message", [
            ("u", {"id": "u", "type": "message", "role": "user", "content": "go", "turn_id": "t1"}),
            ("v", {"id": "v", "type": "message", "role": "assistant", "content": "gone", "turn_id": "t1"}),
        ]),
        page(1, ref, "message", [
            ("w", {"id": "w", "type": "message", "role": "user", "content": "do", "turn_id": "t2"}),
        ], parent="sub"),
    ]  # fmt: skip
