"""A conversation in the words of chat completions: roles, contents, calls of tools and their answers.

The idea: a first walk finds out which calls have an answer and which answers a call; the second one tells those.
What is told of each type of object is in `SAYS`; all else is dropped, by its name.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from exporter.formats._parts import content_of, text_of
from exporter.formats._remarks import choices
from exporter.formats._steps import Call, Steps, value_of
from exporter.formats._story import Story, Told
from exporter.text import clean

ROLES = ("system", "developer", "user", "assistant", "tool")
FIRST = "choice 1 "

Message = dict[str, Any]
Body = dict[str, Any]
Dropped = Counter[str]


class Turns:
    """The histories of one conversation."""

    def __init__(self, story: Story) -> None:
        self._stories = (*story.before, story)

    def histories(self) -> Iterator[str | None]:
        """Name the histories: the main one, None, then each subagent's."""
        yield None
        parents = (one.record.parent for story in self._stories for one in story.told("message"))
        yield from dict.fromkeys(parent for parent in parents if parent is not None)

    def messages(self, history: str | None, dropped: Dropped) -> Iterator[Message]:
        """Yield what can be said of a history; what cannot is counted."""
        lonely = _lonely(self._told(history, Counter()))
        numbers = itertools.count()
        for message in self._told(history, dropped):
            if "tool_call_id" in message:
                if next(numbers) in lonely:
                    dropped["answer without a call"] += 1
                    continue
            elif "tool_calls" in message:
                asked = len(message["tool_calls"])
                message["tool_calls"] = [call for call in message["tool_calls"] if next(numbers) not in lonely]
                dropped["call without an answer"] += asked - len(message["tool_calls"])
                if not message["tool_calls"]:
                    del message["tool_calls"]
                    if message["content"] is None:
                        continue
            yield message

    def _told(self, history: str | None, dropped: Dropped) -> Iterator[Message]:
        if history is None and (words := _instructions(self._stories[-1])):
            yield {"role": "system", "content": words}
        for story in self._stories:
            several = choices(story.pages, story.thread)
            with Steps(story) as steps:
                for one in story.told("message"):
                    if one.record.parent == history:
                        if one.record.id is None and not several.get(one.record.seq, FIRST).startswith(FIRST):
                            dropped["other choice"] += 1
                            continue
                        yield from _says(story, one, steps, dropped)
                for call in steps.rest() if history is None else ():
                    yield from _stepped(call, dropped)


def _lonely(messages: Iterator[Message]) -> set[int]:
    """Number calls and answers in their order; return those without a partner."""
    waiting: dict[str, list[int]] = {}
    lonely: set[int] = set()
    numbers = itertools.count()
    for message in messages:
        if "tool_call_id" in message:
            number, calls = next(numbers), waiting.get(message["tool_call_id"])
            if calls:
                lonely.remove(calls.pop())
            else:
                lonely.add(number)
        for call in message.get("tool_calls", ()):
            number = next(numbers)
            waiting.setdefault(call["id"], []).append(number)
            lonely.add(number)
    return lonely


def _instructions(story: Story) -> str | None:
    """Return what a stored response was told to do before all."""
    if story.thread.source != "responses":
        return None
    bodies = [_body(one) for one in story.told("thread")]
    words = bodies[-1].get("instructions") if bodies else None
    return words if isinstance(words, str) and words else None


def _says(story: Story, one: Told, steps: Steps, dropped: Dropped) -> Iterator[Message]:
    """Yield what one object says, after what its run did."""
    row, body = story.row(one), _body(one)
    for call in steps.take(row.get("run_id")):
        yield from _stepped(call, dropped)
    kind = str(row.get("type") or "?")
    role = row.get("role")
    if role is not None:
        said = _message(str(role), body, dropped) if role in ROLES else []
        if role not in ROLES:
            dropped[f"role {role}"] += 1
    else:
        said = SAYS[kind](body) if kind in SAYS else []
        if not said:
            dropped[kind] += 1
    yield from said


def _message(role: str, body: Body, dropped: Dropped) -> list[Message]:
    content, refusal = content_of(body, dropped)
    message: Message = {"role": role, "content": content}
    if isinstance(body.get("name"), str):
        message["name"] = body["name"]
    if refusal and role == "assistant":
        message["refusal"] = refusal
    if role == "tool":
        message["tool_call_id"] = str(body.get("tool_call_id") or "")
        message["content"] = content or ""
    given = body.get("tool_calls")
    calls = [call for call in given if _is_call(call)] if isinstance(given, list) and role == "assistant" else []
    if isinstance(given, list) and len(given) > len(calls):
        dropped["call of an unknown form"] += len(given) - len(calls)
    if body.get("function_call"):
        dropped["function_call"] += 1
    if calls:
        message["tool_calls"] = calls
    if message["content"] is None and not calls and "refusal" not in message:
        dropped["message without content"] += 1
        return []
    return [message]


def _is_call(call: Any) -> bool:
    if not isinstance(call, dict) or not isinstance(call.get("id"), str):
        return False
    own = call.get(call.get("type") or "function")
    return isinstance(own, dict) and isinstance(own.get("name"), str)


def _stepped(call: Call, dropped: Dropped) -> Iterator[Message]:
    """Yield the call of a run's step, with its answer."""
    own = call.get("function")
    if not isinstance(own, dict) or not isinstance(own.get("name"), str) or not isinstance(call.get("id"), str):
        dropped[str(call.get("type") or "?")] += 1
        return
    yield _calls(call["id"], own["name"], own.get("arguments"))
    if own.get("output") is not None:
        yield _answers(call["id"], own["output"])


def _calls(key: Any, name: Any, arguments: Any, kind: str = "function") -> Message:
    words = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    own = {"name": str(name), ("input" if kind == "custom" else "arguments"): words}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": str(key), "type": kind, kind: own}]}


def _answers(key: Any, output: Any) -> Message:
    return {"role": "tool", "tool_call_id": str(key), "content": text_of(output)}


def _whole(body: Body) -> list[Message]:
    """Say a call that holds its own answer."""
    key = body.get("call_id") or body.get("id")
    if not isinstance(body.get("name"), str) or key is None:
        return []
    answer = body.get("output") if body.get("output") is not None else body.get("error")
    call = _calls(key, body["name"], body.get("arguments"))
    return [call, _answers(key, answer)] if answer is not None else [call]


def _asks(body: Body) -> list[Message]:
    named = isinstance(body.get("name"), str) and body.get("call_id") is not None
    return [_calls(body["call_id"], body["name"], body.get("arguments"))] if named else []


def _asks_freely(body: Body) -> list[Message]:
    named = isinstance(body.get("name"), str) and body.get("call_id") is not None
    return [_calls(body["call_id"], body["name"], body.get("input") or "", "custom")] if named else []


def _told_back(body: Body) -> list[Message]:
    return [_answers(body["call_id"], body.get("output"))] if body.get("call_id") is not None else []


SAYS: dict[str, Callable[[Body], list[Message]]] = {
    "function_call": _asks,
    "function_call_output": _told_back,
    "custom_tool_call": _asks_freely,
    "custom_tool_call_output": _told_back,
    "mcp_call": _whole,
    "chatkit.client_tool_call": _whole,
}
"By the type of an object that nobody says: how it is told in the words of chat completions."


def _body(one: Told) -> Body:
    value = value_of(clean(one.record.body).decode())
    return value if isinstance(value, dict) else {}
