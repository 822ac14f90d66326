"""Chat: one line of JSON per conversation, as fine-tuning and evaluations take it: `{"messages": [...]}`.

A message has `role`, `content`, and where tools were called `tool_calls`, or `tool_call_id` where one answers. Calls
without an answer, answers without a call, and all that the form has no words for are left out and counted by kind.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import chain, count
from operator import itemgetter
from typing import Any, BinaryIO

import orjson

from exporter.formats._job import Job
from exporter.formats._story import Story
from exporter.formats._turns import Turns

SUFFIX = ".jsonl"
CHAINS = True

Message = dict[str, Any]
Call = dict[str, Any]
SILENT: Message = {"role": "assistant", "content": None}
END: Message = {"content": ""}
"What stands behind the last message, so that nothing is held back."


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
    for message in _paired(messages):
        out.write(begin + orjson.dumps(message))
        begin = b","
        job.messages += 1
    if begin == b",":
        out.write(b"]}\n")
        job.records += 1


def _paired(messages: Iterator[Message]) -> Iterator[Message]:
    """Put calls right before their answers, as the form wants it: what was said meanwhile comes first.

    Calls whose answers stand together are one message; it is also what was said with the last of them.
    """
    waiting: dict[str, deque[tuple[int, Call]]] = {}
    said: Message | None = None
    answers: list[Message] = []
    numbers = count()
    for message in chain(messages, (END,)):
        if "tool_call_id" in message:
            answers.append(message)
            continue
        if answers:
            calls = sorted((waiting[one["tool_call_id"]].popleft() for one in answers), key=itemgetter(0))
            yield {**(said or SILENT), "tool_calls": [call for _, call in calls]}
            yield from answers
            said, answers = None, []
        for call in message.get("tool_calls", ()):
            waiting.setdefault(call["id"], deque()).append((next(numbers), call))
        if said is not None and _is_said(message):
            if _is_said(said):
                yield said
            said = None
        if "tool_calls" in message:
            said = said or {name: value for name, value in message.items() if name != "tool_calls"}
        elif message is not END:
            yield message


def _is_said(message: Message) -> bool:
    return message["content"] is not None or "refusal" in message
