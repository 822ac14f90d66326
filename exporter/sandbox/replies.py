"""Handlers that answer like a model: responses and chat completions, always with the same words."""

from __future__ import annotations

from typing import Any

from exporter.sandbox.answers import Answer, Ask, Refusal, error, not_found, ok
from exporter.sandbox.listing import answer_one

Body = dict[str, Any]


def create_response(ask: Ask) -> Answer:
    """Answer items or words; perhaps after a previous response, or in a conversation, which then grows.

    In the background, a response stays in progress until `State.finish_response` ends it.
    """
    given, state = ask.json(), ask.state
    _cannot_stream(given)
    before, conversation = _before(ask, given), _conversation(ask, given)
    asked = given.get("input") or []
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    background = given.get("background") is True
    kept = {name: given[name] for name in ("model", "instructions", "metadata", "user") if given.get(name) is not None}
    kept |= {"background": background, "previous_response_id": before, "store": given.get("store") is not False}
    kept |= {"conversation": conversation, "status": "in_progress" if background else "completed"}
    output = [] if background else [{"role": "assistant", "content": _words(items)}]
    name = state.add_response({**kept, "output": output}, items, project=ask.key.project)
    body = state.body("responses", name)
    if conversation is not None:
        for item in [*state.input_items(name), *state.output_items(name)]:
            state.add_item(conversation, item)
        state.touch("conversations", conversation)
    if not kept["store"]:
        state.delete_response(name)
    return answer_one(ask, "responses", body)


def create_completion(ask: Ask) -> Answer:
    """Answer messages; the completion is kept when `store` says so."""
    given = ask.json()
    _cannot_stream(given)
    messages = given.get("messages") or []
    message: Body = {"role": "assistant", "content": _words(messages), "refusal": None, "annotations": []}
    kept = {name: given[name] for name in ("model", "metadata") if given.get(name) is not None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    made = ask.state.made("completion", {**kept, "choices": [choice]})
    if given.get("store") is True:
        ask.state.add_completion(made, messages, project=ask.key.project)
    return ok(made)


def _before(ask: Ask, given: Body) -> str | None:
    """Return the response that a new one follows, or refuse."""
    before = given.get("previous_response_id")
    if before is None:
        return None
    if given.get("conversation") is not None:
        message = "Mutually exclusive parameters: 'previous_response_id' and 'conversation'."
        raise Refusal(error(400, message, code="mutually_exclusive_parameters"))
    if ask.state.holder("responses", str(before), ask.key.project) is None:
        message = f"Previous response with id '{before}' not found."
        raise Refusal(error(400, message, param="previous_response_id", code="previous_response_not_found"))
    return str(before)


def _conversation(ask: Ask, given: Body) -> str | None:
    """Return the conversation that a new response belongs to, or refuse."""
    named = given.get("conversation")
    name = named.get("id") if isinstance(named, dict) else named
    if name is not None and ask.state.holder("conversations", str(name), ask.key.project) is None:
        raise Refusal(not_found("conversations", str(name)))
    return None if name is None else str(name)


def _cannot_stream(given: Body) -> None:
    if given.get("stream") is True:
        raise Refusal(error(400, "This sandbox does not stream answers.", param="stream"))


def _words(items: list[Any]) -> str:
    """Return the one answer there is, with the number of things it answers."""
    return f"Understood: {len(items)} {'message' if len(items) == 1 else 'messages'}."
