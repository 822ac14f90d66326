"""Chat: one line of JSON per conversation, as fine-tuning and evaluations take it: `{"messages": [...]}`.

A message has `role`, `content`, and where tools were called `tool_calls`, or `tool_call_id` where one answers. Calls
without an answer, answers without a call, and all that the form has no words for are left out and counted by kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import orjson

from exporter.formats._job import Job
from exporter.formats._story import Story
from exporter.formats._turns import Turns
from exporter.text import plain

SUFFIX = ".jsonl"
CHAINS = True

Message = dict[str, Any]


def write(stories: Iterable[Story], out: BinaryIO, job: Job) -> None:
    """Write one line per conversation that has anything to say; the history of each subagent is one of its own."""
    for story in stories:
        turns = Turns(story)
        job.threads += 1
        dropped: Counter[str] = Counter()
        for history in turns.histories():
            _line(turns.messages(history, dropped), out, job)
        job.drop(+dropped)


def _line(messages: Iterator[Message], out: BinaryIO, job: Job) -> None:
    begin = b'{"messages":['
    for message in _joined(messages):
        out.write(begin + _json(message))
        begin = b","
        job.messages += 1
    if begin == b",":
        out.write(b"]}\n")
        job.records += 1


def _joined(messages: Iterator[Message]) -> Iterator[Message]:
    """Make calls that follow one another one message, as the form wants them before their answers."""
    held: Message | None = None
    for message in messages:
        if held is not None and "tool_calls" in held and message.get("tool_calls") and message["content"] is None:
            held["tool_calls"] = held["tool_calls"] + message["tool_calls"]
            continue
        if held is not None:
            yield held
        held = message
    if held is not None:
        yield held


def _json(message: Message) -> bytes:
    try:
        return orjson.dumps(message)
    except orjson.JSONEncodeError:  # half of a surrogate pair
        return orjson.dumps(_plain(message))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return {plain(key): _plain(one) for key, one in value.items()} if isinstance(value, dict) else value
