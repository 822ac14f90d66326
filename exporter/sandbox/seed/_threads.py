"""Threads: every second message is the assistant's and belongs to a run of one or two steps."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from exporter.sandbox import objects
from exporter.sandbox.seed._words import sentence
from exporter.sandbox.state import State

Body = dict[str, Any]


def thread(state: State, rng: random.Random, name: str, *, messages: int, at: int, project: str) -> None:
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
