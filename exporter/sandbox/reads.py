"""Handlers that read, modify and delete: the same few for every API, given the names of shelf and list."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from exporter.sandbox import raw
from exporter.sandbox.answers import Answer, Ask, Refusal, error, not_found, ok
from exporter.sandbox.chains import whole_chain
from exporter.sandbox.filters import wanted
from exporter.sandbox.lies import bent_view
from exporter.sandbox.listing import answer_list, answer_one
from exporter.sandbox.lists import View
from exporter.sandbox.series import Entry, Series
from exporter.sandbox.state import Holder

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
    "sessions": "agent.session.deleted",
    "artifacts": "agent.session.artifact.deleted",
    "files": "file",
    "containers": "container.deleted",
    "container_files": "container.file.deleted",
    "vector_stores": "vector_store.deleted",
    "vector_files": "vector_store.file.deleted",
    "assistants": "assistant.deleted",
}
"""What kind of object says that one was deleted."""

SLOW = frozenset({"completions", "responses"})
"""Shelves whose new objects are listed before they can be read, while the lie is on."""


class Under(NamedTuple):
    """A list under an id."""

    shelf: str
    path: str
    """Behind the id; variables stand for ids further up."""
    series: str
    """The list's name in the state, with the same variables."""
    kind: str
    """The list's name in `LISTS`."""
    verbs: str = ""
    """What one can do with one object of it."""
    above: tuple[tuple[str, str, str], ...] = ()
    """What must be there: variable, the list that holds it, what it is called."""
    of: tuple[str, str] | None = None
    """Only objects whose field has the value of a variable are in it."""


def holder_of(ask: Ask, shelf: str) -> Holder:
    """Return what the URL's id names, or refuse with that API's 404; another project's is the same 404."""
    name = ask.ids["id"]
    found = ask.state.holder(shelf, name, ask.key.project)
    if found is None or _denied(ask, shelf):
        raise Refusal(not_found(shelf, name))
    if shelf == "containers":
        ask.state.use_container(name)
    return found


def series_of(ask: Ask, under: Under) -> Series:
    """Return the list that the URL names, once all that it lies under is there."""
    holder = holder_of(ask, under.shelf)
    for variable, series, noun in under.above:
        if bent_view(holder.series(series.format_map(ask.ids)), ask.lies).find(ask.ids[variable]) is None:
            raise Refusal(not_found(noun, ask.ids[variable]))
    if under.kind == "input_items" and ask.switches.cumulative_input_items:
        return whole_chain(ask.state, holder)
    return holder.series(under.series.format_map(ask.ids))


def list_shelf(shelf: str) -> Handler:
    """List everything on a shelf that is this project's."""

    def handler(ask: Ask) -> Answer:
        if shelf in SESSION_ONLY and not _may_list(ask):
            who = "(that is, it can only be made from the browser). You made it with the following key type:"
            message = f"Your request to GET {ask.path} must be made with a session key {who} {ask.key.kind}."
            raise Refusal(error(401, message, code="missing_scope"))
        ask.state.expire(shelf)
        holders, asked = ask.state.shelves[shelf].holders, wanted(ask, shelf)

        def shown(entry: Entry) -> bool:
            holder = holders.get(entry.id or "")
            return holder is not None and holder.project == ask.key.project and asked(entry)

        return answer_list(ask, shelf, ask.state.shelves[shelf].series, shown)

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


def list_under(under: Under) -> Handler:
    """List what lies under an id."""

    def handler(ask: Ask) -> Answer:
        try:
            view: View = series_of(ask, under)
        except Refusal:
            if "unknown_thread_empty" not in ask.lies:
                raise
            view = Series()
        asked, of = wanted(ask, under.kind), under.of

        def shown(entry: Entry) -> bool:
            return (of is None or raw.value(entry.raw, of[0]) == ask.ids[of[1]]) and asked(entry)

        return answer_list(ask, under.kind, view, shown)

    return handler


def entry_of(ask: Ask, under: Under) -> Entry:
    """Return the object that the URL names under an id, or refuse with its 404."""
    view = bent_view(series_of(ask, under), ask.lies)
    position = view.find(ask.ids["item"])
    entry = None if position is None else view.at(position)
    if entry is None:
        raise Refusal(not_found(under.kind, ask.ids["item"], ask.ids["id"]))
    return entry


def get_under(under: Under) -> Handler:
    """Retrieve an object under an id."""
    return lambda ask: answer_one(ask, under.kind, entry_of(ask, under).raw)


def modify_under(under: Under) -> Handler:
    """Set the metadata of an object under an id."""

    def handler(ask: Ask) -> Answer:
        entry = entry_of(ask, under)
        body = _modified(entry.raw, ask)
        series_of(ask, under).edit(ask.ids["item"], body)
        ask.state.touch(under.shelf, ask.ids["id"])
        return answer_one(ask, under.kind, body)

    return handler


def delete_under(under: Under) -> Handler:
    """Delete an object under an id; of an item, the conversation is the answer."""

    def handler(ask: Ask) -> Answer:
        entry_of(ask, under)
        series_of(ask, under).drop(ask.ids["item"])
        if under.kind in DELETED:
            return ok(raw.text({"id": ask.ids["item"], "object": DELETED[under.kind], "deleted": True}))
        return ok(ask.state.body(under.shelf, ask.ids["id"]))

    return handler


def _may_list(ask: Ask) -> bool:
    listable = ask.switches.listable
    return ask.key.kind == "session" or (ask.face.lists_open if listable is None else listable)


def _modified(body: bytes, ask: Ask) -> bytes:
    for name, value in ask.json().items():
        if name in ("metadata", "tool_resources"):
            body = raw.with_field(body, name, raw.text(value))
    return body


def _denied(ask: Ask, shelf: str) -> bool:
    """Whether this is one of the first times that a listed object is asked for, and the lie is on."""
    if "retrieve_404_first" not in ask.lies or shelf not in SLOW or ask.method != "GET":
        return False
    asked = ask.state.denied[ask.path] = ask.state.denied.get(ask.path, 0) + 1
    return asked <= ask.switches.denials
