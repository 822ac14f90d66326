"""Our record of one file: what is written of it, and what a later visit reads from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from exporter.archive._lines import dump, load
from exporter.model import FileRef, Record
from exporter.sources._files import PASSING, Fetched
from exporter.sources._refs import parsed

OBJECT = b',"object":'
OF_ITS_OWN = "file"
"The type of those that stay on the server when their thread is deleted, and can be asked for by their id after that."

Key = tuple[str | None, str]
"A file's container and id: what it is in its thread."


@dataclass(frozen=True, slots=True)
class Held:
    """What the archive says of a file in the end."""

    reason: str | None
    sha256: str | None

    @property
    def passing(self) -> bool:
        """Whether it may be had later."""
        return self.reason in PASSING


@dataclass(frozen=True, slots=True)
class Got:
    """What came of asking for a file, and what of it is in the archive."""

    fetched: Fetched
    sha256: str | None = None
    bytes: int | None = None

    @property
    def held(self) -> Held:
        """What a later visit has to know."""
        return Held(self.fetched.reason, self.sha256)

    @property
    def textless(self) -> bool:
        """Whether a vector store that nobody named yet may have its text."""
        return self.fetched.reason == "purpose_refused" and self.sha256 is None


def key_of(ref: FileRef) -> Key:
    """Return what tells a file from others of its thread."""
    return ref.container, ref.id


def body_of(ref: FileRef, got: Got) -> bytes:
    """Return the record's body (docs/format.md); what the server says of the file is its last member, as sent."""
    fetched = got.fetched
    said = {
        "type": ref.type,
        "message": ref.message,
        "container": ref.container,
        "name": fetched.name,
        "mime_type": fetched.mime_type,
        "purpose": fetched.purpose,
        "sha256": got.sha256,
        "bytes": got.bytes,
        "form": fetched.form,
        "reason": fetched.reason,
        "detail": fetched.detail,
    }
    return b"".join((dump(said)[:-1], OBJECT, fetched.object or b"null", b"}"))


def read(record: Record) -> tuple[FileRef, Held, str]:
    """Return which file a record is of, what it says of it, and the reason in a sentence."""
    # the first `,"object":` is in no string before it, where quotes are escaped
    head, _, rest = record.body.partition(OBJECT)
    said, about = load(head + b"}"), rest[:-1]
    listed = said["type"] in ("artifact", "attachment")
    given = parsed(about)
    url = given.get("preview_url") if listed and isinstance(given, dict) else None
    ref = FileRef(
        thread=record.thread,
        type=cast("Literal['file', 'container_file', 'artifact', 'attachment']", said["type"]),
        id=record.id or "",
        container=said["container"],
        message=said["message"],
        name=said["name"],
        url=url if isinstance(url, str) else None,
        object=about if listed and about != b"null" else None,
    )
    return ref, Held(said["reason"], said["sha256"]), said["detail"] or ""


def lacking(records: Iterable[Record]) -> list[tuple[FileRef, str]]:
    """Return the files that go with their thread and were not had whole, each with why; its newest record counts."""
    newest = {key_of(found[0]): found for found in map(read, records)}
    return [
        (ref, detail or held.reason or "")
        for ref, held, detail in newest.values()
        if ref.type != OF_ITS_OWN and (held.reason is not None or held.sha256 is None)
    ]
