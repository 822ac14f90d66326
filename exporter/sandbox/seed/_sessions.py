"""Agents' sessions: two turns, a subagent with its own, an artifact, a trace, and an item without an id."""

from __future__ import annotations

import random
from typing import Any

from exporter.sandbox import objects
from exporter.sandbox.seed._words import sentence
from exporter.sandbox.state import State

Body = dict[str, Any]


def session(state: State, rng: random.Random, name: str, *, at: int, project: str) -> None:
    """Add a session."""
    suffix = name.removeprefix("asess_")
    owner = {"customer": f"c{rng.randint(1, 9)}"}
    state.add_session({"id": name, "created_at": at, "last_active_at": at + 90, "metadata": owner}, project=project)
    for number in range(2):
        turn = f"aturn_{suffix}{number}"
        start = at + 60 * number
        times = {"created_at": start, "started_at": start, "completed_at": start + 30}
        state.add_turn(name, {"id": turn, **times})
        asked: Body = {"role": "user", "content": objects.input_content(sentence(rng))}
        state.add_session_item(name, asked | {"id": f"msg_{turn}a" if number else None})
        for item in _work(rng, turn):
            state.add_session_item(name, item)
    helper = state.add_subagent(name, {"id": f"asub_{suffix}", "name": "Reader", "opened_at": at + 61})
    own = f"aturn_{suffix}s"
    state.add_turn(name, {"id": own, "created_at": at + 61, "completed_at": at + 80}, helper)
    said = [{"type": "output_text", "text": sentence(rng)}]
    state.add_session_item(name, {"id": f"msg_{own}", "role": "assistant", "content": said}, helper)
    report: Body = {"id": f"artifact_{suffix}", "created_at": at + 90, "turn_id": f"aturn_{suffix}1"}
    state.add_artifact(name, report, sentence(rng).encode())
    span = {"traceId": f"{rng.getrandbits(128):032x}", "spanId": f"{rng.getrandbits(64):016x}", "name": "turn"}
    otlp = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    state.add_trace(name, {"id": f"aturn_{suffix}0", "created_at": at, "otlp": otlp})


def _work(rng: random.Random, turn: str) -> list[Body]:
    said = [{"type": "output_text", "text": sentence(rng)}]
    return [
        {"id": f"rs_{turn}", "type": "reasoning", "summary": [{"type": "summary_text", "text": sentence(rng)}]},
        {"id": f"fc_{turn}", "type": "function_call", "call_id": f"call_{turn}", "arguments": {"query": sentence(rng)}},
        {"id": f"fco_{turn}", "type": "function_call_output", "call_id": f"call_{turn}", "output": sentence(rng)},
        {"id": f"cmd_{turn}", "type": "command_execution", "command": "ls", "output": sentence(rng)},
        {"id": f"msg_{turn}", "type": "message", "role": "assistant", "phase": "final_answer", "content": said},
    ]
