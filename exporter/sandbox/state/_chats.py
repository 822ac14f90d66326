"""Responses, stored chat completions, ChatKit."""

from __future__ import annotations

import json
from collections.abc import Iterable

from exporter.sandbox import objects, raw
from exporter.sandbox.shapes import Body
from exporter.sandbox.state._store import Store


class Chats(Store):
    """What tests do to responses, stored chat completions and ChatKit's threads."""

    def add_response(
        self, body: raw.Given | str | None = None, inputs: Iterable[raw.Given | str] = (), *, project: str = "proj_one"
    ) -> str:
        """Add a response and what it was asked: items, or a user's words; returns its id.

        Of a dict, the items of `output` are completed too, and a conversation may be named by its id alone.
        """
        given: raw.Given = {"id": body} if isinstance(body, str) else body or {}
        if isinstance(given, dict):
            conversation = given.get("conversation")
            linked = {"conversation": {"id": conversation}} if isinstance(conversation, str) else {}
            given = {**given, **linked, "output": self.finished(given.get("output", []))}
        name = self.put("responses", given, project=project)
        for one in inputs:
            self.add_input_item(name, one)
        return name

    def add_input_item(self, response: str, body: raw.Given | str) -> str | None:
        """Add an item, or a user's words, to what a response was asked; returns its id."""
        given = {"role": "user", "content": body} if isinstance(body, str) else body
        made = objects.item_body(given) if isinstance(given, dict) else given
        return self.add("responses", response, "input_items", made, kind="item").id

    def finish_response(self, response: str, output: Iterable[Body], status: str = "completed") -> None:
        """End a response that was in progress: with these items as its output."""
        body = raw.with_field(self.body("responses", response), "output", raw.text(self.finished(output)))
        self.edit("responses", response, raw.with_field(body, "status", raw.text(status)))

    def delete_response(self, response: str) -> bool:
        """Delete a response; False when there is none."""
        return self.delete("responses", response)

    def input_items(self, response: str) -> list[bytes]:
        """All items that a response was asked, oldest first, as they are kept."""
        return self.under("responses", response, "input_items")

    def output_items(self, response: str) -> list[bytes]:
        """All items of a response's output, as they stand in it."""
        output = raw.field(self.body("responses", response), "output") or b"[]"
        return [output[item.start : item.end] for item in raw.members(output)]

    def add_completion(
        self, body: raw.Given | str | None = None, messages: Iterable[raw.Given] = (), *, project: str = "proj_one"
    ) -> str:
        """Add a stored chat completion and the messages it was asked; returns its id."""
        name = self.put("completions", body, project=project)
        for message in messages:
            self.add_completion_message(name, message)
        return name

    def add_completion_message(self, completion: str, body: raw.Given) -> str | None:
        """Add a message to what a completion was asked; returns its id."""
        number = self._series("completions", completion, "messages").span
        own = {"id": f"{completion}-{number}"}
        return self.add("completions", completion, "messages", body, kind="completion_message", **own).id

    def edit_completion(self, completion: str, body: raw.Given) -> None:
        """Replace the bytes of a stored chat completion."""
        self.edit("completions", completion, body)

    def delete_completion(self, completion: str) -> bool:
        """Delete a stored chat completion; False when there is none."""
        return self.delete("completions", completion)

    def add_chatkit_thread(self, body: raw.Given | str | None = None, *, project: str = "proj_one") -> str:
        """Add a ChatKit thread, given its id, its bytes, some of its fields or nothing; returns its id."""
        return self.put("chatkit", body, project=project)

    def add_chatkit_item(self, thread: str, body: raw.Given) -> str | None:
        """Add an item at the end of a ChatKit thread; returns its id. Its type may come without `chatkit.`."""
        if isinstance(body, dict) and "type" in body:
            body = {**body, "type": f"chatkit.{str(body['type']).removeprefix('chatkit.')}"}
        return self.add("chatkit", thread, "items", body, kind="chatkit_item", thread_id=thread).id

    def edit_chatkit_thread(self, thread: str, body: raw.Given) -> None:
        """Replace the bytes of a ChatKit thread, as when it gets its title."""
        self.edit("chatkit", thread, body)

    def edit_chatkit_item(self, thread: str, item: str, body: raw.Given) -> None:
        """Replace the bytes of an item; it keeps its place."""
        self.edit_under("chatkit", thread, "items", item, body)

    def delete_chatkit_item(self, thread: str, item: str) -> bool:
        """Delete an item; False when there is none."""
        return self.drop_under("chatkit", thread, "items", item)

    def chatkit_items(self, thread: str) -> list[bytes]:
        """All items of a ChatKit thread, oldest first, as they are kept."""
        return self.under("chatkit", thread, "items")

    def finished(self, items: Iterable[Body]) -> list[Body]:
        """Return items as a response's output has them: each with an id and a status."""
        return [json.loads(self.made("item", objects.item_body(item))) for item in items]
