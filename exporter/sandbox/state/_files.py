"""Files, and what holds files: containers, vector stores, attachments of ChatKit."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from exporter.sandbox import raw
from exporter.sandbox.content import Content, size
from exporter.sandbox.state._store import Store

PREVIEW = "sandbox-preview:"
"""What stands for the address of an attachment until it is asked for."""


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

    def add_container(self, body: raw.Given | str | None = None, *, project: str = "proj_one") -> str:
        """Add a container, given its id, its bytes, some of its fields or nothing; returns its id.

        It is forgotten twenty minutes, by the sandbox's clock, after it was last asked for.
        """
        name = self.put("containers", body, project=project)
        self.touch("containers", name)
        return name

    def add_container_file(self, container: str, body: raw.Given | None = None, content: Content = b"") -> str | None:
        """Add a file and its content to a container; returns its id."""
        own = {"container_id": container, "bytes": size(content)}
        name = self.add("containers", container, "files", body or {}, kind="container_file", **own).id
        if name is not None:
            self.shelves["containers"].holders[container].contents[name] = content
        return name

    def use_container(self, container: str) -> None:
        """A container is in use: it lasts twenty minutes more, and says so."""
        self.touch("containers", container)
        body = self.body("containers", container)
        if raw.field(body, "last_active_at") is not None:
            now = raw.text(int(self.clock.now()))
            self.shelves["containers"].series.edit(container, raw.with_field(body, "last_active_at", now))

    def add_vector_store(self, body: raw.Given | str | None = None, *, project: str = "proj_one") -> str:
        """Add a vector store, given its id, its bytes, some of its fields or nothing; returns its id."""
        return self.put("vector_stores", body, project=project)

    def add_vector_file(self, store: str, body: raw.Given | str, texts: Iterable[str] = ()) -> str | None:
        """Put a file into a vector store, given its id, its bytes or its fields, with the texts parsed from it."""
        given = {"id": body} if isinstance(body, str) else body
        kept = list(texts)
        own = {"vector_store_id": store, "usage_bytes": sum(len(text.encode()) for text in kept)}
        name = self.add("vector_stores", store, "files", given, kind="vector_file", **own).id
        holder = self.shelves["vector_stores"].holders[store]
        for text in kept:
            holder.series(f"texts/{name}").add(raw.text({"type": "text", "text": text}), self.clock.now())
        return name

    def add_attachment(
        self, content: Content, *, name: str = "file.bin", mime_type: str = "text/plain", project: str = "proj_one"
    ) -> dict[str, Any]:
        """Keep an attachment's bytes; return the object to put into a user message's `attachments`.

        Its preview_url is signed anew in every answer, and lives `switches.preview_seconds` by the sandbox's clock.
        """
        kind = "image" if mime_type.startswith("image/") else "file"
        given = {"name": name, "mime_type": mime_type, "type": kind}
        made = self.put("attachments", given, project=project)
        self.shelves["attachments"].holders[made].content = content
        return {**json.loads(self.body("attachments", made)), "preview_url": f"{PREVIEW}{made}"}
