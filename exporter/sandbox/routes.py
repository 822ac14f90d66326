"""Which URL is answered by which handler: one table."""

from __future__ import annotations

from typing import NamedTuple

from exporter.sandbox import reads, writes
from exporter.sandbox.reads import Handler


class Rule(NamedTuple):
    """One route under /v1."""

    method: str
    path: str
    handler: Handler


PATHS = {
    "threads": "/threads",
    "conversations": "/conversations",
    "chatkit": "/chatkit/threads",
    "completions": "/chat/completions",
    "responses": "/responses",
    "files": "/files",
    "assistants": "/assistants",
}
"""Where each shelf lies."""

UNDER = (
    ("threads", "/messages", "messages", "messages", "GET POST DELETE"),
    ("threads", "/runs", "runs", "runs", "GET POST"),
    ("threads", "/runs/{run}/steps", "steps", "steps", "GET"),
    ("conversations", "/items", "items", "items", "GET DELETE"),
    ("chatkit", "/items", "items", "chatkit_items", ""),
    ("completions", "/messages", "messages", "completion_messages", ""),
    ("responses", "/input_items", "input_items", "input_items", ""),
)
"""Lists under an id: shelf, path, name of the list, kind of list, what one can do with one object of it."""

CREATE = (
    Rule("POST", "/threads", writes.create_thread),
    Rule("POST", "/threads/runs", writes.create_thread_and_run),
    Rule("POST", "/threads/{id}/messages", writes.create_message),
    Rule("POST", "/threads/{id}/runs", writes.create_run),
    Rule("POST", "/threads/{id}/runs/{item}/cancel", writes.finished_run),
    Rule("POST", "/threads/{id}/runs/{item}/submit_tool_outputs", writes.finished_run),
    Rule("POST", "/conversations", writes.create_conversation),
    Rule("POST", "/conversations/{id}/items", writes.create_items),
    Rule("GET", "/files", reads.list_files),
    Rule("GET", "/files/{id}/content", reads.file_content),
)
"""What has no twin."""


def rules() -> list[Rule]:
    """Return every route, the special ones first."""
    found = list(CREATE)
    for shelf, path in PATHS.items():
        one = f"{path}/{{id}}"
        found += [Rule("GET", path, reads.list_shelf(shelf)), Rule("GET", one, reads.get_shelved(shelf))]
        found += [Rule("DELETE", one, reads.delete_shelved(shelf))]
        if shelf in ("threads", "conversations", "completions"):
            found.append(Rule("POST", one, reads.modify_shelved(shelf)))
    verbs = {"GET": reads.get_under, "POST": reads.modify_under, "DELETE": reads.delete_under}
    for shelf, tail, name, kind, methods in UNDER:
        path = f"{PATHS[shelf]}/{{id}}{tail}"
        found.append(Rule("GET", path, reads.list_under(shelf, name, kind)))
        found += [Rule(verb, path + "/{item}", verbs[verb](shelf, name, kind)) for verb in methods.split()]
    return found
