"""Handlers that read, modify and delete: the same few for every API, given the names of shelf and list."""

from __future__ import annotations

from collections.abc import Callable

from exporter.sandbox import raw
from exporter.sandbox.answers import Answer, Ask, Refusal, error, not_found, ok
from exporter.sandbox.lies import bent_view
from exporter.sandbox.listing import answer_list, answer_one
from exporter.sandbox.lists import View
from exporter.sandbox.series import Entry, Series
from exporter.sandbox.state import SHELVES, Holder

Handler = Callable[[Ask], Answer]

SESSION_ONLY = frozenset({"threads", "conversations", "responses"})
"""Shelves that no key can list; a browser's session can."""

DELETED = {
    "threads": "thread.deleted",
    "messages": "thread.message.deleted",
    "conversations": "conversation.deleted",
    "chatkit": "chatkit.thread.deleted",
    "completions": "chat.completion.deleted",
    "responses": "response.deleted",
    "files": "file",
    "assistants": "assistant.deleted",
}
"""What kind of object says that one was deleted."""

UNREADABLE = frozenset({"assistants", "user_data"})
"""Purposes of files whose content the service does not give back."""


def holder_of(ask: Ask, shelf: str) -> Holder:
    """Return what the URL's id names, or refuse with that API's 404; another project's is the same 404."""
    name = ask.ids["id"]
    found = ask.state.holder(shelf, name, ask.key.project)
    if found is None or _denied(ask, shelf):
        raise Refusal(not_found(shelf, name))
    return found


def series_of(ask: Ask, shelf: str, name: str) -> Series:
    """Return the list that the URL names: under the id, for steps under the run."""
    holder = holder_of(ask, shelf)
    if name != "steps":
        return holder.series(name)
    run = ask.ids["run"]
    if bent_view(holder.series("runs"), ask.lies).find(run) is None:
        raise Refusal(not_found("runs", run))
    return holder.series(f"steps/{run}")


def list_shelf(shelf: str) -> Handler:
    """List everything on a shelf that is this project's."""

    def handler(ask: Ask) -> Answer:
        if shelf in SESSION_ONLY and ask.key.kind != "session" and not ask.switches.listable:
            who = "(that is, it can only be made from the browser). You made it with the following key type:"
            message = f"Your request to GET {ask.path} must be made with a session key {who} {ask.key.kind}."
            raise Refusal(error(401, message, code="missing_scope"))
        for name in list(ask.state.shelves[shelf].holders):
            ask.state.holder(shelf, name)  # those past their time go
        return answer_list(ask, shelf, ask.state.shelves[shelf].series, lambda entry: _shown(ask, shelf, entry))

    return handler


def get_shelved(shelf: str) -> Handler:
    """Retrieve an object by its id."""
    return lambda ask: answer_one(ask, shelf, ask.state.body(shelf, holder_of(ask, shelf).id))


def modify_shelved(shelf: str) -> Handler:
    """Set the metadata (and tool_resources) of an object."""

    def handler(ask: Ask) -> Answer:
        holder = holder_of(ask, shelf)
        body = _modified(ask.state.body(shelf, holder.id), ask)
        ask.state.edit(shelf, holder.id, body)
        return answer_one(ask, shelf, body)

    return handler


def delete_shelved(shelf: str) -> Handler:
    """Delete an object and all under it; the second time it is not found."""

    def handler(ask: Ask) -> Answer:
        name = holder_of(ask, shelf).id
        ask.state.delete(shelf, name)
        return ok(raw.text({"id": name, "object": DELETED[shelf], "deleted": True}))

    return handler


def list_under(shelf: str, name: str, kind: str) -> Handler:
    """List what lies under an id."""

    def handler(ask: Ask) -> Answer:
        try:
            view: View = series_of(ask, shelf, name)
        except Refusal:
            if "unknown_thread_empty" not in ask.lies:
                raise
            view = Series()
        run = ask.param("run_id") if kind == "messages" else None
        return answer_list(ask, kind, view, lambda entry: run is None or raw.value(entry.raw, "run_id") == run)

    return handler


def entry_of(ask: Ask, shelf: str, name: str, kind: str) -> Entry:
    """Return the object that the URL names under an id, or refuse with its 404."""
    view = bent_view(series_of(ask, shelf, name), ask.lies)
    position = view.find(ask.ids["item"])
    entry = None if position is None else view.at(position)
    if entry is None:
        raise Refusal(not_found(kind, ask.ids["item"]))
    return entry


def get_under(shelf: str, name: str, kind: str) -> Handler:
    """Retrieve an object under an id."""
    return lambda ask: answer_one(ask, kind, entry_of(ask, shelf, name, kind).raw)


def modify_under(shelf: str, name: str, kind: str) -> Handler:
    """Set the metadata of an object under an id."""

    def handler(ask: Ask) -> Answer:
        entry = entry_of(ask, shelf, name, kind)
        body = _modified(entry.raw, ask)
        series_of(ask, shelf, name).edit(ask.ids["item"], body)
        ask.state.touch(shelf, ask.ids["id"])
        return answer_one(ask, kind, body)

    return handler


def delete_under(shelf: str, name: str, kind: str) -> Handler:
    """Delete an object under an id; of an item, the conversation is the answer."""

    def handler(ask: Ask) -> Answer:
        entry_of(ask, shelf, name, kind)
        series_of(ask, shelf, name).drop(ask.ids["item"])
        if kind in DELETED:
            return ok(raw.text({"id": ask.ids["item"], "object": DELETED[kind], "deleted": True}))
        return ok(ask.state.body(shelf, ask.ids["id"]))

    return handler


def list_files(ask: Ask) -> Answer:
    """List files, of one purpose if it is given."""
    purpose = ask.param("purpose")
    return answer_list(
        ask,
        "files",
        ask.state.shelves["files"].series,
        lambda e: _shown(ask, "files", e) and purpose in (None, raw.value(e.raw, "purpose")),
    )


def file_content(ask: Ask) -> Answer:
    """Answer the bytes of a file, unless its purpose forbids it."""
    holder = holder_of(ask, "files")
    purpose = raw.value(ask.state.body("files", holder.id), "purpose")
    if purpose in UNREADABLE:
        raise Refusal(error(400, f"Not allowed to download files of purpose: {purpose}"))
    return Answer(200, holder.content, {"content-type": "application/octet-stream"})


def _shown(ask: Ask, shelf: str, entry: Entry) -> bool:
    holder = ask.state.shelves[shelf].holders.get(entry.id or "")
    if holder is None or holder.project != ask.key.project:
        return False
    user = ask.param("user") if shelf == "chatkit" else None
    model = ask.param("model") if shelf == "completions" else None
    return user in (None, raw.value(entry.raw, "user")) and model in (None, raw.value(entry.raw, "model"))


def _modified(body: bytes, ask: Ask) -> bytes:
    for name, value in ask.json().items():
        if name in ("metadata", "tool_resources"):
            body = raw.with_field(body, name, raw.text(value))
    return body


def _denied(ask: Ask, shelf: str) -> bool:
    """Whether this is the first time that a listed completion is asked for, and the lie is on."""
    if "retrieve_404_first" not in ask.lies or shelf not in ("completions", "responses") or ask.method != "GET":
        return False
    first = ask.path not in ask.state.denied
    ask.state.denied.add(ask.path)
    return first


assert set(DELETED) - {"messages"} == set(SHELVES)
