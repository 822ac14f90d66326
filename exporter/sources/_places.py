"""Where a file is asked for, and what a refusal means: why it cannot be had, in one word and a sentence.

Ids become part of a path only if they are no path themselves. Whether an address that a server gave may be asked for
is the transport's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from exporter.complaints import Complaint, complaint
from exporter.model import FileRef, checked_id, printable
from exporter.sources import Answer
from exporter.sources._answers import TEMPORARY

AGENTS = {"OpenAI-Beta": "agents=v1"}
VECTOR_STORES = {"OpenAI-Beta": "assistants=v2"}

Reason = Literal[
    "purpose_refused",
    "not_found",
    "expired",
    "missing_scope",
    "temporary",
    "size_differs",
    "too_large",
    "no_address",
    "refused",
]


class No(Exception):
    """The file, or this way to it, cannot be had."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is asked for: paths under the endpoint, or an absolute URL."""

    content: str
    about: str | None = None
    "Where the server says what it knows of the file; None where that is had, or there is no such place."
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """What one scope opens: `files`, `containers`, `vector_stores`, ..."""
        return "url" if "://" in self.content else self.content.split("/")[1]


def place_of(ref: FileRef) -> Place:
    """Return where to ask for a file; `UsageError` for an id that is a path, `No` for one without an address."""
    if ref.type == "attachment":
        return Place(_address(ref.url))
    file = checked_id(ref.id)
    if ref.type == "artifact":
        path = f"/agents/sessions/{checked_id(ref.thread.id)}/artifacts/{file}"
        return Place(f"{path}/content", None if ref.object else path, AGENTS)
    path = f"/files/{file}"
    if ref.container is not None:
        path = f"/containers/{checked_id(ref.container)}{path}"
    return Place(f"{path}/content", path)


def text_place(store: str, ref: FileRef) -> Place:
    """Return where to ask for what a vector store made of a file."""
    return Place(f"/vector_stores/{checked_id(store)}/files/{checked_id(ref.id)}/content", headers=VECTOR_STORES)


def refusal(answer: Answer, place: Place, ref: FileRef) -> No:
    """Return what an answer other than 200 means."""
    told, status = complaint(answer.body), answer.status
    said = f"HTTP {status}" + (f": {told.message}" if told.message else "")
    if status in (400, 403) and "not allowed to download" in told.text.lower():
        return No("purpose_refused", said)
    if status in TEMPORARY or status >= 500:
        return No("temporary", f"{said}; run again later")
    if place.family == "url" and status in (401, 403, 404, 410):
        return No("expired", f"its signed address is not good any more ({said})")
    if status in (401, 403) or told.code == "missing_scope":
        return No("missing_scope", f"the key {_lacks(told)} ({said}); give it that, or leave files out")
    if 300 <= status < 400:
        said += f", redirected to {printable(answer.headers.get('location', 'somewhere else'))[:300]}"
    return _not_there(told, status, said, ref) or No("refused", said)


def _not_there(told: Complaint, status: int, said: str, ref: FileRef) -> No | None:
    if ref.container is not None and (status in (404, 410) or "expired" in told.text.lower()):
        return No("expired", f"a container forgets its files after 20 minutes without use ({said})")
    return No("not_found", said) if status in (404, 410) else None


def _lacks(told: Complaint) -> str:
    return f"lacks the scope {', '.join(told.scopes)}" if told.scopes else "is not allowed to read it"


def _address(url: str | None) -> str:
    """Return where an attachment is; what is no web address must not become a path under the endpoint."""
    if url is None:
        raise No("no_address", "the server gives no address of its bytes")
    if not url.lower().startswith(("https://", "http://")):
        raise No("no_address", "what the server gives as its address is none of the web; the message holds it as sent")
    return url
