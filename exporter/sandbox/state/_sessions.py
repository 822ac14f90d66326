"""Agents' sessions: items, turns, subagents, artifacts, traces."""

from __future__ import annotations

from exporter.sandbox import raw
from exporter.sandbox.content import Content, size
from exporter.sandbox.state._store import Store


class Sessions(Store):
    """What tests do to agents' sessions."""

    def add_session(self, body: raw.Given | str | None = None, *, project: str = "proj_one") -> str:
        """Add a session, given its id, its bytes, some of its fields or nothing; returns its id."""
        return self.put("sessions", body, project=project)

    def add_session_item(self, session: str, body: raw.Given, subagent: str | None = None) -> str | None:
        """Add an item at the end of a session, or of one of its subagents; returns its id.

        An id of None stays null, as that of old users' messages; the item then belongs to the newest turn.
        """
        turns = self._series("sessions", session, _of("turns", subagent))
        newest = turns.at(turns.span - 1) if turns.span else None
        turn = (newest.id if newest else None) or "aturn_none"
        return self.add("sessions", session, _of("items", subagent), body, kind="session_item", turn_id=turn).id

    def add_turn(self, session: str, body: raw.Given | None = None, subagent: str | None = None) -> str | None:
        """Add a turn to a session, or to one of its subagents; returns its id."""
        own = {"session_id": session, "subagent_id": subagent}
        return self.add("sessions", session, _of("turns", subagent), body or {}, kind="turn", **own).id

    def add_subagent(self, session: str, body: raw.Given | None = None) -> str | None:
        """Add a subagent to a session; returns its id."""
        return self.add("sessions", session, "subagents", body or {}, kind="subagent", session_id=session).id

    def add_artifact(self, session: str, body: raw.Given | None = None, content: Content = b"") -> str | None:
        """Add an artifact and its bytes to a session; returns its id."""
        own = {"session_id": session, "size_bytes": size(content)}
        name = self.add("sessions", session, "artifacts", body or {}, kind="artifact", **own).id
        if name is not None:
            self.shelves["sessions"].holders[session].contents[name] = content
        return name

    def add_trace(self, session: str, body: raw.Given) -> str | None:
        """Add a trace to a session; its id is that of its root turn. Returns it."""
        return self.add("sessions", session, "traces", body, kind="trace", session_id=session).id

    def edit_session(self, session: str, body: raw.Given) -> None:
        """Replace the bytes of a session, as when its status changes."""
        self.edit("sessions", session, body)

    def edit_session_item(self, session: str, item: str, body: raw.Given, subagent: str | None = None) -> None:
        """Replace the bytes of an item; it keeps its place."""
        self.edit_under("sessions", session, _of("items", subagent), item, body)

    def edit_turn(self, session: str, turn: str, body: raw.Given, subagent: str | None = None) -> None:
        """Replace the bytes of a turn, as when it ends."""
        self.edit_under("sessions", session, _of("turns", subagent), turn, body)

    def edit_subagent(self, session: str, subagent: str, body: raw.Given) -> None:
        """Replace the bytes of a subagent, as when it is closed."""
        self.edit_under("sessions", session, "subagents", subagent, body)

    def session_items(self, session: str, subagent: str | None = None) -> list[bytes]:
        """All items of a session, or of one of its subagents, oldest first, as they are kept."""
        return self.under("sessions", session, _of("items", subagent))


def _of(series: str, subagent: str | None) -> str:
    return f"{series}/{subagent}" if subagent else series
