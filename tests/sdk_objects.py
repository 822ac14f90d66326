"""Objects as the SDK's types describe them: the shape of every API's answers, filled at random.

The idea: the types say which fields there are, and what stands in them is nasty on purpose; now and then a field is
missing, null, of another type, or nobody knows it.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Literal, Union, get_args, get_origin

from openai import BaseModel
from openai.types import FileObject, beta, chat, conversations, responses
from openai.types.beta import chatkit, threads
from openai.types.beta.agents import sessions
from openai.types.beta.chatkit import chatkit_thread_item_list
from openai.types.beta.subagent import Subagent
from openai.types.beta.threads import runs
from openai.types.containers import FileRetrieveResponse

from exporter.model import Kind

DEEP = 5
"Levels below which a union takes its simplest member and a list is empty."

SHAPES: Mapping[str, tuple[str, Kind, Any]] = {
    "thread": ("assistants", "thread", beta.Thread),
    "thread message": ("assistants", "message", threads.Message),
    "run": ("assistants", "run", threads.Run),
    "run step": ("assistants", "step", runs.RunStep),
    "conversation": ("conversations", "thread", conversations.Conversation),
    "conversation item": ("conversations", "message", conversations.ConversationItem),
    "response": ("responses", "thread", responses.Response),
    "input item": ("responses", "message", responses.ResponseItem),
    "output item": ("responses", "message", responses.ResponseOutputItem),
    "completion": ("completions", "thread", chat.ChatCompletion),
    "stored message": ("completions", "message", chat.ChatCompletionStoreMessage),
    "choice": ("completions", "message", chat.ChatCompletionMessage),
    "chatkit thread": ("chatkit", "thread", chatkit.ChatKitThread),
    "chatkit item": ("chatkit", "message", chatkit_thread_item_list.Data),
    "session": ("agents", "thread", beta.AgentSession),
    "session item": ("agents", "message", beta.AgentSessionItem),
    "turn": ("agents", "run", sessions.Turn),
    "subagent": ("agents", "run", Subagent),
    "trace": ("agents", "step", sessions.SessionTrace),
    "file": ("responses", "file", FileObject),
    "container file": ("responses", "file", FileRetrieveResponse),
    "artifact": ("agents", "file", sessions.SessionArtifact),
    "attachment": ("chatkit", "file", chatkit.ChatKitAttachment),
}
"Source, kind of record and type, by a name for people."

WORDS = [
    "",
    "hello",
    "a\0b",
    "\ud800 half",
    "עברית",
    "😀",
    "\u2028",
    '{"type":"Card","children":[{"value":"w\\ud800"}]}',
]
WHOLE = [0, 1, -5, 2**70, 1_760_000_000, 1_760_000_000_123, 9_999_999_999]
ODD = [None, True, 7, 1.5, "odd", [], {}, ["x"], {"id": "i", "name": "n"}]


def objects(shape: str, seed: int) -> dict[str, Any]:
    """Return one object of a shape; the same for the same seed."""
    random = Random(f"{shape}{seed}")
    found = _value(SHAPES[shape][2], random, 0)
    assert isinstance(found, dict)
    for name in list(found):
        if random.random() < 0.1:
            found[name] = random.choice(ODD)
        elif random.random() < 0.05:
            del found[name]
    if random.random() < 0.3:
        names = ["new", "turn_id", "created", "agent", "role", "error", "assistant_id", "object", "otlp", "closed_at"]
        found[random.choice(names)] = random.choice(ODD)
    return found


def _value(kind: Any, random: Random, depth: int) -> Any:
    """Return a value of an annotated type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        return {field.alias or name: _value(field.annotation, random, depth + 1) for name, field in fields}
    parts = get_args(kind)
    if parts:
        return _composed(get_origin(kind), parts, random, depth)
    plain: dict[Any, Callable[[], Any]] = {
        str: lambda: random.choice(WORDS),
        int: lambda: random.choice(WHOLE),
        float: lambda: random.choice([0.5, 1.10, *WHOLE]),
        bool: lambda: random.random() < 0.5,
        types.NoneType: lambda: None,
    }
    return plain.get(kind, lambda: random.choice(ODD))()


def _composed(origin: Any, parts: tuple[Any, ...], random: Random, depth: int) -> Any:
    """Return a value of a type that is made of others."""
    if origin is Literal:
        return random.choice(parts)
    if origin is list:
        return [_value(parts[0], random, depth + 1) for _ in range(random.randrange(3) if depth < DEEP else 0)]
    if origin is dict:
        return {word: _value(parts[1], random, depth + 1) for word in random.sample(WORDS, 2)}
    union = origin in (Union, types.UnionType)
    return _value((random.choice(parts) if depth < DEEP else parts[-1]) if union else parts[0], random, depth)
