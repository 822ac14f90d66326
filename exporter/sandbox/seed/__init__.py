"""Believable data from a number: the same seed gives the same bytes, on every machine.

Neighbours share their second now and then, replies come from runs with steps, and conversations hold every type of
item that include[] matters for.
"""

from __future__ import annotations

import random

from exporter.sandbox.seed._chats import chatkit as add_chatkit
from exporter.sandbox.seed._chats import completion as add_completion
from exporter.sandbox.seed._chats import responses as add_responses
from exporter.sandbox.seed._conversations import conversation as add_conversation
from exporter.sandbox.seed._sessions import session as add_session
from exporter.sandbox.seed._threads import thread as add_thread
from exporter.sandbox.state import State

SINCE = 1_760_000_000
HOUR = 3600


def seed(
    threads: int = 3,
    messages: int = 10,
    conversations: int = 3,
    items: int = 10,
    *,
    chatkit: int = 0,
    completions: int = 0,
    responses: int = 0,
    sessions: int = 0,
    seed: int = 1,
    since: int = SINCE,
    project: str = "proj_one",
    dialect: str = "live",
    start: float | None = None,
) -> State:
    """Return a state of `threads` with `messages` each, and `conversations` and `chatkit` threads with `items` each.

    Every second message is the assistant's and belongs to a run of one or two steps. `responses` are chains of three.
    """
    state = State(dialect=dialect, start=start)
    rng = random.Random(seed)  # noqa: S311 - data, no secrets
    for at, name in _names("thread_", seed, threads, since):
        add_thread(state, rng, name, messages=messages, at=at, project=project)
    for at, name in _names("conv_", seed, conversations, since):
        add_conversation(state, rng, name, items=items, at=at, project=project)
    for at, name in _names("cthr_", seed, chatkit, since):
        add_chatkit(state, rng, name, items=items, at=at, project=project)
    for at, name in _names("chatcmpl-", seed, completions, since):
        add_completion(state, rng, name, at=at, project=project)
    for at, name in _names("resp_", seed, responses, since):
        add_responses(state, rng, name, at=at, project=project)
    for at, name in _names("asess_", seed, sessions, since):
        add_session(state, rng, name, at=at, project=project)
    return state


def _names(prefix: str, seed: int, count: int, since: int) -> list[tuple[int, str]]:
    return [(since + number * HOUR, f"{prefix}seed{seed}x{number:05d}") for number in range(count)]
