"""Handlers that create: threads, messages, runs that are done at once, conversations, items."""

from __future__ import annotations

from typing import Any

from exporter.sandbox import objects, raw
from exporter.sandbox.answers import Answer, Ask, Refusal, error, ok, too_many_items
from exporter.sandbox.includes import ITEM_LOCKS, opened
from exporter.sandbox.listing import LISTS, answer_one, dressed
from exporter.sandbox.reads import Handler, Under, entry_of, holder_of
from exporter.sandbox.shapes import TEMPLATES
from exporter.sandbox.state import State

MAX_ITEMS = 20
MAX_MESSAGES = 32


def create_thread(ask: Ask) -> Answer:
    """Create a thread with up to 32 messages."""
    return ok(ask.state.body("threads", _thread(ask, ask.json())))


def create_message(ask: Ask) -> Answer:
    """Add a message at the end of a thread."""
    holder = holder_of(ask, "threads")
    name = _message(ask.state, holder.id, ask.json())
    ask.state.touch("threads", holder.id)
    return answer_one(ask, "messages", _body(ask, holder.id, "messages", name))


def create_run(ask: Ask) -> Answer:
    """Run an assistant that answers at once, in one step."""
    holder = holder_of(ask, "threads")
    return answer_one(ask, "runs", _body(ask, holder.id, "runs", _run(ask, holder.id, ask.json())))


def create_thread_and_run(ask: Ask) -> Answer:
    """Create a thread and run an assistant on it."""
    given = ask.json()
    thread = _thread(ask, given.get("thread") or {})
    return answer_one(ask, "runs", _body(ask, thread, "runs", _run(ask, thread, given)))


def finished_run(runs: Under) -> Handler:
    """Cancel a run, or submit outputs to it: runs here are done before one can."""
    return lambda ask: answer_one(ask, "runs", entry_of(ask, runs).raw)


def create_conversation(ask: Ask) -> Answer:
    """Create a conversation with up to 20 items."""
    given = ask.json()
    items = _items(given)
    kept = {"metadata": given.get("metadata") or {}}
    name = ask.state.put("conversations", kept, project=ask.key.project)
    for item in items:
        _item(ask.state, name, item)
    return ok(ask.state.body("conversations", name))


def create_items(ask: Ask) -> Answer:
    """Add up to 20 items at the end of a conversation; each gets a new id."""
    holder = holder_of(ask, "conversations")
    included = opened(ask, ITEM_LOCKS)
    names = [_item(ask.state, holder.id, item) for item in _items(ask.json())]
    ask.state.touch("conversations", holder.id)
    entries = [entry for name in names if (entry := holder.series("items").get(name))]
    bodies = b",".join(dressed(ask, entry.raw, LISTS["items"], included) for entry in entries)
    first, last = (raw.text(names[place] if names else None) for place in (0, -1))
    envelope = b'{"object":"list","data":[%b],"first_id":%b,"last_id":%b,"has_more":false}'
    return ok(envelope % (bodies, first, last))


def _thread(ask: Ask, given: dict[str, Any]) -> str:
    messages = given.get("messages") or []
    if len(messages) > MAX_MESSAGES:
        text = "Invalid 'messages': array too long. Expected an array with maximum length"
        message = f"{text} {MAX_MESSAGES}, but got an array with length {len(messages)} instead."
        raise Refusal(error(400, message, param="messages", code="array_above_max_length"))
    kept = {name: given.get(name) or {} for name in ("metadata", "tool_resources")}
    name = ask.state.put("threads", kept, project=ask.key.project)
    for given_message in messages:
        _message(ask.state, name, given_message)
    return name


def _message(state: State, thread: str, given: dict[str, Any]) -> str:
    kept = {key: given[key] for key in ("role", "attachments", "metadata") if given.get(key) is not None}
    kept["content"] = objects.message_content(given.get("content"))
    return str(state.add_message(thread, kept))


def _run(ask: Ask, thread: str, given: dict[str, Any]) -> str:
    """A run that is over: the assistant's message, the step that made it, the run."""
    for message in given.get("additional_messages") or []:
        _message(ask.state, thread, message)
    now = int(ask.state.clock.now())
    settings = {k: v for k, v in given.items() if k in TEMPLATES["run"] and v is not None}
    run = str(ask.state.add_run(thread, settings | {"started_at": now, "completed_at": now}))
    assistant = str(given.get("assistant_id") or "asst_sandbox")
    answer = {"role": "assistant", "assistant_id": assistant, "run_id": run}
    made = str(ask.state.add_message(thread, answer | {"content": objects.text_content("Understood.")}))
    details = {"type": "message_creation", "message_creation": {"message_id": made}}
    ask.state.add_step(thread, run, {"assistant_id": assistant, "completed_at": now, "step_details": details})
    ask.state.touch("threads", thread)
    return run


def _items(given: dict[str, Any]) -> list[dict[str, Any]]:
    items = given.get("items") or []
    if len(items) > MAX_ITEMS:
        raise Refusal(too_many_items(len(items)))
    return list(items)


def _item(state: State, conversation: str, given: dict[str, Any]) -> str:
    fresh = {name: value for name, value in given.items() if name not in ("id", "status")}
    return str(state.add_item(conversation, fresh))


def _body(ask: Ask, thread: str, series: str, name: str) -> bytes:
    entry = ask.state.shelves["threads"].holders[thread].series(series).get(name)
    assert entry is not None
    return entry.raw
