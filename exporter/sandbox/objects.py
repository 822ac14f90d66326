"""Complete objects from a few fields, in one of two dialects.

`described` has every field that the public description requires; `live` has the fields that were recorded from the
service, which leaves some required ones out. Bytes that tests hand in are never completed: they are what they are.
"""

from __future__ import annotations

from typing import Any

from exporter.errors import UsageError

DIALECTS = ("described", "live")

Body = dict[str, Any]

TEMPLATES: dict[str, Body] = {
    "thread": {"id": "", "object": "thread", "created_at": 0, "metadata": {}, "tool_resources": {}},
    "message": {
        "id": "",
        "object": "thread.message",
        "created_at": 0,
        "assistant_id": None,
        "thread_id": "",
        "run_id": None,
        "role": "user",
        "content": [],
        "attachments": [],
        "metadata": {},
        "status": "completed",
        "completed_at": None,
        "incomplete_at": None,
        "incomplete_details": None,
    },
    "run": {
        "id": "",
        "object": "thread.run",
        "created_at": 0,
        "assistant_id": "asst_sandbox",
        "thread_id": "",
        "status": "completed",
        "started_at": None,
        "expires_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        "model": "gpt-4o-mini",
        "instructions": "You answer in one sentence.",
        "tools": [],
        "tool_resources": {},
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "reasoning_effort": None,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "incomplete_details": None,
        "usage": {"prompt_tokens": 20, "completion_tokens": 11, "total_tokens": 31},
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    },
    "step": {
        "id": "",
        "object": "thread.run.step",
        "created_at": 0,
        "run_id": "",
        "assistant_id": "asst_sandbox",
        "thread_id": "",
        "type": "message_creation",
        "status": "completed",
        "cancelled_at": None,
        "completed_at": None,
        "expires_at": None,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": {"type": "message_creation", "message_creation": {"message_id": ""}},
        "usage": {"prompt_tokens": 20, "completion_tokens": 11, "total_tokens": 31},
        "metadata": {},
    },
    "conversation": {"id": "", "object": "conversation", "created_at": 0, "metadata": {}},
    "item": {"id": "", "type": "message", "status": "completed"},
    "assistant": {
        "id": "",
        "object": "assistant",
        "created_at": 0,
        "name": "Helper",
        "description": None,
        "model": "gpt-4o-mini",
        "instructions": "You answer in one sentence.",
        "tools": [],
        "tool_resources": {},
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "response_format": "auto",
    },
    "file": {
        "id": "",
        "object": "file",
        "purpose": "assistants_output",
        "filename": "file.bin",
        "bytes": 0,
        "created_at": 0,
        "expires_at": None,
        "status": "processed",
        "status_details": None,
    },
    "chatkit": {
        "id": "",
        "object": "chatkit.thread",
        "created_at": 0,
        "title": None,
        "status": {"type": "active"},
        "user": "user_sandbox",
    },
    "chatkit_item": {
        "id": "",
        "object": "chatkit.thread_item",
        "created_at": 0,
        "thread_id": "",
        "type": "chatkit.user_message",
        "content": [],
        "attachments": [],
        "inference_options": None,
    },
    "completion": {
        "id": "",
        "object": "chat.completion",
        "created": 0,
        "model": "gpt-4o-mini",
        "choices": [],
        "usage": {"prompt_tokens": 20, "completion_tokens": 11, "total_tokens": 31},
        "metadata": {},
        "service_tier": "default",
    },
    "completion_message": {"id": "", "role": "user", "content": "", "refusal": None, "content_parts": None},
    "response": {
        "id": "",
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-4o-mini",
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "conversation": None,
        "temperature": 1.0,
        "top_p": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "store": True,
        "text": {"format": {"type": "text"}},
        "usage": None,
    },
}
"""Every field of each kind of object, in the order the service prints them."""

OMITTED: dict[str, dict[str, frozenset[str]]] = {
    "live": {
        "message": frozenset({"status", "completed_at", "incomplete_at", "incomplete_details"}),
        "step": frozenset({"expired_at", "metadata"}),
        "file": frozenset(),
    },
    "described": {
        "run": frozenset({"reasoning_effort"}),
        "step": frozenset({"expires_at"}),
        "file": frozenset({"expires_at", "status_details"}),
        "completion": frozenset(),
    },
}
"""What a dialect leaves out."""

ID_PREFIXES = {
    "thread": "thread",
    "message": "msg",
    "run": "run",
    "step": "step",
    "conversation": "conv",
    "item": "item",
    "file": "file",
    "assistant": "asst",
    "chatkit": "cthr",
    "chatkit_item": "cthi",
    "completion": "chatcmpl",
    "completion_message": "chatcmpl",
    "response": "resp",
}
"""How ids begin, by kind of object."""

ITEM_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "reasoning": "rs",
    "file_search_call": "fs",
    "web_search_call": "ws",
    "code_interpreter_call": "ci",
    "computer_call": "cu",
    "computer_call_output": "cuo",
    "image_generation_call": "ig",
    "mcp_call": "mcp",
    "custom_tool_call": "ctc",
}
"""How ids of conversation items begin, by type; other types begin with "item"."""


def prefix_of(kind: str, body: Body) -> str:
    """How the id of a new object begins."""
    return ITEM_PREFIXES.get(str(body.get("type")), "item") if kind == "item" else ID_PREFIXES[kind]


def complete(kind: str, given: Body, dialect: str) -> Body:
    """Fill what is missing in `given`; its own fields stay as they are, unknown ones too."""
    if dialect not in DIALECTS:
        raise UsageError(f"the sandbox has no dialect {dialect!r}; it has {', '.join(DIALECTS)}")
    omitted = OMITTED[dialect].get(kind, frozenset())
    template = {key: value for key, value in TEMPLATES[kind].items() if key not in omitted}
    return template | given


def text_content(value: str) -> list[Body]:
    """One text part of an Assistants message."""
    return [{"type": "text", "text": {"value": value, "annotations": []}}]


def input_content(value: str) -> list[Body]:
    """One text part of a user's conversation item."""
    return [{"type": "input_text", "text": value}]


def output_content(value: str) -> list[Body]:
    """One text part of an assistant's conversation item."""
    return [{"type": "output_text", "text": value, "annotations": [], "logprobs": []}]


def message_content(given: Any) -> list[Body]:
    """What POST /messages accepts, as GET /messages gives it back: text becomes an object with annotations."""
    if isinstance(given, str):
        return text_content(given)
    parts: list[Body] = []
    for part in given or []:
        plain = isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
        parts += text_content(part["text"]) if plain else [part]
    return parts


def item_body(given: Body) -> Body:
    """What POST /items accepts, as GET /items gives it back."""
    body = {"type": "message", **given}
    if body["type"] == "message" and isinstance(body.get("content"), str):
        make = output_content if body.get("role") == "assistant" else input_content
        body["content"] = make(body["content"])
    return body
