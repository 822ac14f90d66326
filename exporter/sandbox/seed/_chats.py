"""ChatKit threads with every type of item, stored completions, chains of responses."""

from __future__ import annotations

import random
from typing import Any

from exporter.sandbox import objects
from exporter.sandbox.seed._words import sentence
from exporter.sandbox.state import State

Body = dict[str, Any]

LINKS = 3
"""Responses in a chain."""


def chatkit(state: State, rng: random.Random, name: str, *, items: int, at: int, project: str) -> None:
    """Add a ChatKit thread whose users attach a file to every message."""
    body = {"id": name, "created_at": at, "title": sentence(rng)[:40], "user": f"user_{rng.randint(1, 9)}"}
    state.add_chatkit_thread(body, project=project)
    for position in range(items):
        at += rng.choice((0, 0, 1, 30))
        kind = CHATKIT[position % len(CHATKIT)]
        item: Body = {"id": f"cthi_{name.removeprefix('cthr_')}{position:05d}", "created_at": at, "type": kind}
        if kind == "user_message":
            note = state.add_attachment(sentence(rng).encode(), name="note.txt", project=project)
            item |= {"content": objects.input_content(sentence(rng)), "attachments": [note]}
        state.add_chatkit_item(name, item | _said(kind, rng))


def completion(state: State, rng: random.Random, name: str, *, at: int, project: str) -> None:
    """Add a stored chat completion of a short talk."""
    said: Body = {"role": "assistant", "content": sentence(rng), "refusal": None, "annotations": []}
    choices = [{"index": 0, "message": said, "logprobs": None, "finish_reason": "stop"}]
    body = {"id": name, "created": at, "choices": choices, "metadata": {"customer": f"c{rng.randint(1, 9)}"}}
    asked = [{"role": "system", "content": "Answer in one sentence."}]
    asked += [{"role": "user", "content": sentence(rng)} for _ in range(rng.randint(1, 3))]
    state.add_completion(body, asked, project=project)


def responses(state: State, rng: random.Random, name: str, *, at: int, project: str) -> None:
    """Add a chain of responses; the last one's id is what a user has."""
    before: str | None = None
    for link in range(LINKS):
        one, at = f"{name}{link}", at + rng.choice((0, 30))
        suffix = one.removeprefix("resp_")
        body: Body = {"id": one, "created_at": at, "previous_response_id": before, "metadata": {"chain": name}}
        said = [{"id": f"msg_{suffix}out", "role": "assistant", "content": sentence(rng)}]
        asked = [{"id": f"msg_{suffix}in", "role": "user", "content": sentence(rng)}]
        before = state.add_response({**body, "output": said}, asked, project=project)


CHATKIT = ("user_message", "task", "task_group", "client_tool_call", "widget", "assistant_message")
"""What a ChatKit thread is made of, round and round."""


def _said(kind: str, rng: random.Random) -> Body:
    words = sentence(rng)
    told: dict[str, Body] = {
        "task": {"task_type": "thought", "heading": words[:20], "summary": words},
        "task_group": {"tasks": [{"type": "custom", "heading": words[:20], "summary": words}]},
        "client_tool_call": {"name": "open_page", "output": words},
        "widget": {"widget": '{"type":"Card","children":[]}'},
        "assistant_message": {"content": [{"type": "output_text", "text": words, "annotations": []}]},
    }
    return told.get(kind, {})
