"""Which URL is answered by which handler: one table."""

from __future__ import annotations

from typing import NamedTuple

from exporter.sandbox import downloads, previews, reads, replies, writes
from exporter.sandbox.reads import Handler, Under


class Rule(NamedTuple):
    """One route under a face's root."""

    api: str
    method: str
    path: str
    handler: Handler


PATHS = {
    "threads": "/threads",
    "conversations": "/conversations",
    "chatkit": "/chatkit/threads",
    "completions": "/chat/completions",
    "responses": "/responses",
    "sessions": "/agents/sessions",
    "files": "/files",
    "containers": "/containers",
    "vector_stores": "/vector_stores",
    "assistants": "/assistants",
}
"""Where each shelf lies."""

APIS = {shelf: "agents" if shelf == "sessions" else shelf for shelf in PATHS}
"""Which API a shelf belongs to."""

MODIFIED = frozenset({"threads", "conversations", "completions"})
"""Shelves whose objects' metadata can be set."""

SUBAGENT = ("subagent", "subagents", "subagents")
RUNS = Under("threads", "/runs", "runs", "runs", "GET POST")
ARTIFACTS = Under("sessions", "/artifacts", "artifacts", "artifacts", "GET DELETE")
CONTAINER_FILES = Under("containers", "/files", "files", "container_files", "GET DELETE")
VECTOR_FILES = Under("vector_stores", "/files", "files", "vector_files", "GET DELETE")

UNDER = (
    Under("threads", "/messages", "messages", "messages", "GET POST DELETE"),
    Under("threads", "/runs/{run}/steps", "steps/{run}", "steps", "GET", (("run", "runs", "runs"),)),
    Under("conversations", "/items", "items", "items", "GET DELETE"),
    Under("chatkit", "/items", "items", "chatkit_items"),
    Under("completions", "/messages", "messages", "completion_messages"),
    Under("responses", "/input_items", "input_items", "input_items"),
    Under("sessions", "/items", "items", "session_items"),
    Under("sessions", "/turns", "turns", "turns", "GET"),
    Under(
        "sessions",
        "/turns/{turn}/items",
        "items",
        "session_items",
        "",
        (("turn", "turns", "turns"),),
        ("turn_id", "turn"),
    ),
    Under("sessions", "/subagents", "subagents", "subagents", "GET"),
    Under("sessions", "/subagents/{subagent}/items", "items/{subagent}", "session_items", "", (SUBAGENT,)),
    Under("sessions", "/subagents/{subagent}/turns", "turns/{subagent}", "turns", "GET", (SUBAGENT,)),
    Under(
        "sessions",
        "/subagents/{subagent}/turns/{turn}/items",
        "items/{subagent}",
        "session_items",
        "",
        (SUBAGENT, ("turn", "turns/{subagent}", "turns")),
        ("turn_id", "turn"),
    ),
    Under("sessions", "/traces", "traces", "traces"),
    RUNS,
    ARTIFACTS,
    CONTAINER_FILES,
    VECTOR_FILES,
)
"""Lists under an id."""

SPECIAL = (
    Rule("threads", "POST", "/threads", writes.create_thread),
    Rule("threads", "POST", "/threads/runs", writes.create_thread_and_run),
    Rule("threads", "POST", "/threads/{id}/messages", writes.create_message),
    Rule("threads", "POST", "/threads/{id}/runs", writes.create_run),
    Rule("threads", "POST", "/threads/{id}/runs/{item}/cancel", writes.finished_run(RUNS)),
    Rule("threads", "POST", "/threads/{id}/runs/{item}/submit_tool_outputs", writes.finished_run(RUNS)),
    Rule("conversations", "POST", "/conversations", writes.create_conversation),
    Rule("conversations", "POST", "/conversations/{id}/items", writes.create_items),
    Rule("responses", "POST", "/responses", replies.create_response),
    Rule("completions", "POST", "/chat/completions", replies.create_completion),
    Rule("files", "GET", "/files/{id}/content", downloads.file_content),
    Rule("agents", "GET", "/agents/sessions/{id}/artifacts/{item}/content", downloads.content_under(ARTIFACTS)),
    Rule("containers", "GET", "/containers/{id}/files/{item}/content", downloads.content_under(CONTAINER_FILES)),
    Rule("vector_stores", "GET", "/vector_stores/{id}/files/{item}/content", downloads.texts_under(VECTOR_FILES)),
    Rule(previews.API, "GET", "/{id}", previews.answer),
)
"""What has no twin."""


def rules() -> list[Rule]:
    """Return every route, the special ones first."""
    found = list(SPECIAL)
    for shelf, path in PATHS.items():
        api, one = APIS[shelf], f"{path}/{{id}}"
        found.append(Rule(api, "GET", path, reads.list_shelf(shelf)))
        found.append(Rule(api, "GET", one, reads.get_shelved(shelf)))
        found.append(Rule(api, "DELETE", one, reads.delete_shelved(shelf)))
        if shelf in MODIFIED:
            found.append(Rule(api, "POST", one, reads.modify_shelved(shelf)))
    verbs = {"GET": reads.get_under, "POST": reads.modify_under, "DELETE": reads.delete_under}
    for under in UNDER:
        api, path = APIS[under.shelf], f"{PATHS[under.shelf]}/{{id}}{under.path}"
        found.append(Rule(api, "GET", path, reads.list_under(under)))
        found += [Rule(api, verb, path + "/{item}", verbs[verb](under)) for verb in under.verbs.split()]
    return found
