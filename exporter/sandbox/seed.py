"""Believable data from a number: the same seed gives the same bytes, on every machine.

Neighbours share their second now and then, replies come from runs with steps, and conversations hold every type of
item that include[] matters for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from exporter.sandbox import objects, raw
from exporter.sandbox.series import STRIDE
from exporter.sandbox.state import State

SINCE = 1_760_000_000

WORDS = (
    "invoice",
    "order",
    "refund",
    "parcel",
    "Tuesday",
    "contract",
    "Übergabe",
    "naïve",
    "café",
    "東京",
    "größer",
    "please",
    "thanks",
    "because",
    "receipt",
    "delivery",
    "customer",
    "address",
    "window",
    "meeting",
    "spreadsheet",
    "column",
    "total",
    "tax",
    "account",
    "password",
    "reset",
    "link",
    "🙂",
)

Body = dict[str, Any]


def seed(
    threads: int = 3,
    messages: int = 10,
    conversations: int = 3,
    items: int = 10,
    *,
    seed: int = 1,
    since: int = SINCE,
    project: str = "proj_one",
    dialect: str = "live",
    start: float | None = None,
) -> State:
    """Return a state of `threads` with `messages` each, and `conversations` with `items` each.

    Every second message is the assistant's and belongs to a run of one or two steps.
    """
    state = State(dialect=dialect, start=start)
    rng = random.Random(seed)  # noqa: S311 - data, no secrets
    for number in range(threads):
        _thread(
            state, rng, f"thread_seed{seed}x{number:05d}", messages=messages, at=since + number * 3600, project=project
        )
    for number in range(conversations):
        _conversation(
            state, rng, f"conv_seed{seed}x{number:05d}", items=items, at=since + number * 3600, project=project
        )
    return state


def sentence(rng: random.Random) -> str:
    """Return a few words."""
    return " ".join(rng.choices(WORDS, k=rng.randint(3, 30)))


def maker(shelf: str, name: str, prefix: str, since: float, dialect: str) -> Callable[[int], bytes]:
    """Return a function that makes the i-th object of a generated thread or conversation."""
    kind = "item" if shelf == "conversations" else "message"

    def make(position: int) -> bytes:
        rng = random.Random(position)  # noqa: S311
        role = "assistant" if position % 2 else "user"
        body: Body = {"id": f"{prefix}{position:08d}", "role": role}
        words = f"{position}: {sentence(rng)}"
        if kind == "item":
            return raw.text(objects.complete("item", objects.item_body(body | {"content": words}), dialect))
        body |= {"created_at": int(since) + position // STRIDE, "thread_id": name}
        return raw.text(objects.complete("message", body | {"content": objects.text_content(words)}, dialect))

    return make


def _thread(state: State, rng: random.Random, name: str, *, messages: int, at: int, project: str) -> None:
    state.add_thread({"id": name, "created_at": at, "metadata": {"customer": f"c{rng.randint(1, 9)}"}}, project=project)
    for position in range(messages):
        at += rng.choice((0, 0, 1, 30))
        one = f"{name.removeprefix('thread_')}{position:05d}"
        body: Body = {"id": f"msg_{one}", "created_at": at, "content": objects.text_content(sentence(rng))}
        if position % 2 == 0:
            state.add_message(name, body | {"role": "user"})
            continue
        assistant = {"assistant_id": "asst_sandbox", "run_id": f"run_{one}"}
        state.add_run(name, {"id": f"run_{one}", "created_at": at, "started_at": at, "completed_at": at + 1})
        state.add_message(name, body | assistant | {"role": "assistant"})
        for step in _steps(rng, one, at):
            state.add_step(name, f"run_{one}", step)


def _steps(rng: random.Random, one: str, at: int) -> Iterator[Body]:
    if rng.random() < 1 / 2:
        result = {"file_id": "file-seed", "file_name": "prices.txt", "score": 0.75}
        found = result | {"content": [{"type": "text", "text": sentence(rng)}]}
        ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
        search: Body = {"ranking_options": ranking, "results": [found]}
        call = {"id": f"call_{one}", "type": "file_search", "file_search": search}
        details = {"type": "tool_calls", "tool_calls": [call]}
        yield {
            "id": f"step_{one}a",
            "created_at": at,
            "completed_at": at,
            "type": "tool_calls",
            "step_details": details,
        }
    made = {"type": "message_creation", "message_creation": {"message_id": f"msg_{one}"}}
    yield {"id": f"step_{one}b", "created_at": at, "completed_at": at + 1, "step_details": made}


def _conversation(state: State, rng: random.Random, name: str, *, items: int, at: int, project: str) -> None:
    state.add_conversation({"id": name, "created_at": at, "metadata": {"topic": sentence(rng)[:40]}}, project=project)
    for position in range(items):
        make = ITEMS[position % len(ITEMS)]
        body = make(rng)
        prefix = objects.prefix_of("item", body)
        state.add_item(name, {"id": f"{prefix}{name.removeprefix('conv_')}{position:05d}", **body})


def _user(rng: random.Random) -> Body:
    image = {"type": "input_image", "image_url": "https://files.example/cat.png", "file_id": None, "detail": "auto"}
    return {"type": "message", "role": "user", "content": [*objects.input_content(sentence(rng)), image]}


def _assistant(rng: random.Random) -> Body:
    part: Body = objects.output_content(sentence(rng))[0]
    part["logprobs"] = [{"token": "a", "logprob": -0.25, "bytes": [97], "top_logprobs": []}]
    return {"type": "message", "role": "assistant", "content": [part]}


def _call(rng: random.Random) -> Body:
    return {
        "type": "function_call",
        "name": "find",
        "call_id": "call_1",
        "arguments": raw.text([sentence(rng)]).decode(),
    }


def _output(rng: random.Random) -> Body:
    return {"type": "function_call_output", "call_id": "call_1", "output": sentence(rng)}


def _reasoning(rng: random.Random) -> Body:
    summary = [{"type": "summary_text", "text": sentence(rng)}]
    return {"type": "reasoning", "summary": summary, "encrypted_content": f"gAAAA{rng.getrandbits(128):x}"}


def _code(rng: random.Random) -> Body:
    logs = [{"type": "logs", "logs": sentence(rng)}]
    return {"type": "code_interpreter_call", "code": "print(1)", "container_id": "cntr_1", "outputs": logs}


def _search(rng: random.Random) -> Body:
    found = {"file_id": "file-seed", "filename": "prices.txt", "score": 0.5, "text": sentence(rng), "attributes": {}}
    return {"type": "file_search_call", "queries": [sentence(rng)], "results": [found]}


def _web(rng: random.Random) -> Body:
    words, source = sentence(rng), {"type": "url", "url": "https://news.example/1"}
    return {"type": "web_search_call", "action": {"type": "search", "query": words, "sources": [source]}}


def _screen(_: random.Random) -> Body:
    shot = {"type": "computer_screenshot", "image_url": "https://files.example/screen.png", "file_id": "file-shot"}
    return {"type": "computer_call_output", "call_id": "call_2", "output": shot}


ITEMS = (_user, _reasoning, _call, _output, _code, _search, _web, _screen, _assistant)
"""What a conversation is made of, round and round."""
