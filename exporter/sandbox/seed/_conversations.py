"""Conversations: every type of item that include[] matters for."""

from __future__ import annotations

import random
from typing import Any

from exporter.sandbox import objects, raw
from exporter.sandbox.seed._words import sentence
from exporter.sandbox.state import State

Body = dict[str, Any]


def conversation(state: State, rng: random.Random, name: str, *, items: int, at: int, project: str) -> None:
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
