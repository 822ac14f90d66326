"""Files, and what holds files: containers, vector stores, attachments of ChatKit."""

from __future__ import annotations

from exporter.sandbox import raw
from exporter.sandbox.content import Content, size
from exporter.sandbox.state._store import Store


class Files(Store):
    """What tests do to files."""

    def add_file(
        self, body: raw.Given | str | None = None, content: Content = b"", *, project: str = "proj_one"
    ) -> str:
        """Add a file and its content; returns its id."""
        given = {"id": body} if isinstance(body, str) else body or {}
        given = {"bytes": size(content), **given} if isinstance(given, dict) else given
        name = self.put("files", given, project=project)
        self.shelves["files"].holders[name].content = content
        return name

    def use_container(self, container: str) -> None:
        """A container is in use: it lasts twenty minutes more, and says so."""
        self.touch("containers", container)
        body = self.body("containers", container)
        if raw.field(body, "last_active_at") is not None:
            now = raw.text(int(self.clock.now()))
            self.shelves["containers"].series.edit(container, raw.with_field(body, "last_active_at", now))
