"""Assistants' threads and conversations."""

from __future__ import annotations

from exporter.sandbox import objects, raw
from exporter.sandbox.state._store import Store


class Threads(Store):
    """What tests do to threads and conversations."""

    def add_thread(self, body: raw.Given | str | None = None, *, project: str = "proj_one") -> str:
        """Add a thread, given its id, its bytes, some of its fields or nothing; returns its id."""
        return self.put("threads", body, project=project)

    def add_message(self, thread: str, body: raw.Given) -> str | None:
        """Add a message at the end of a thread; returns its id."""
        return self.add("threads", thread, "messages", body, kind="message", thread_id=thread).id

    def add_run(self, thread: str, body: raw.Given) -> str | None:
        """Add a run to a thread; returns its id."""
        return self.add("threads", thread, "runs", body, kind="run", thread_id=thread).id

    def add_step(self, thread: str, run: str, body: raw.Given) -> str | None:
        """Add a step to a run; returns its id."""
        return self.add("threads", thread, f"steps/{run}", body, kind="step", thread_id=thread, run_id=run).id

    def edit_message(self, thread: str, message: str, body: raw.Given) -> None:
        """Replace the bytes of a message; it keeps its place."""
        self.edit_under("threads", thread, "messages", message, body)

    def edit_run(self, thread: str, run: str, body: raw.Given) -> None:
        """Replace the bytes of a run, as when it ends; it keeps its place."""
        self.edit_under("threads", thread, "runs", run, body)

    def delete_message(self, thread: str, message: str) -> bool:
        """Delete a message; False when there is none."""
        return self.drop_under("threads", thread, "messages", message)

    def delete_thread(self, thread: str) -> bool:
        """Delete a thread and all in it; False when there is none."""
        return self.delete("threads", thread)

    def messages(self, thread: str) -> list[bytes]:
        """All messages of a thread, oldest first, as they are kept."""
        return self.under("threads", thread, "messages")

    def add_conversation(self, body: raw.Given | str | None = None, *, project: str = "proj_one") -> str:
        """Add a conversation, given its id, its bytes, some of its fields or nothing; returns its id."""
        return self.put("conversations", body, project=project)

    def add_item(self, conversation: str, body: raw.Given) -> str | None:
        """Add an item at the end of a conversation; returns its id."""
        given = objects.item_body(body) if isinstance(body, dict) else body
        return self.add("conversations", conversation, "items", given, kind="item").id

    def edit_item(self, conversation: str, item: str, body: raw.Given) -> None:
        """Replace the bytes of an item; it keeps its place."""
        self.edit_under("conversations", conversation, "items", item, body)

    def delete_item(self, conversation: str, item: str) -> bool:
        """Delete an item; False when there is none."""
        return self.drop_under("conversations", conversation, "items", item)

    def delete_conversation(self, conversation: str) -> bool:
        """Delete a conversation and all in it; False when there is none."""
        return self.delete("conversations", conversation)

    def items(self, conversation: str) -> list[bytes]:
        """All items of a conversation, oldest first, as they are kept."""
        return self.under("conversations", conversation, "items")
