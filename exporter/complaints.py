"""What a refusal says, in whatever envelope it comes: OpenAI's, Azure's, a framework's, or plain text. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from exporter.model import printable, scrubbed

LONGEST = 300
READ = 65536
"Bytes of a refusal that are looked at."
SCOPES = re.compile(
    r"(?:missing scopes?:\s*|lacks the required data action\s+)[`'\"]?"
    r"([\w.:/-]{1,120}(?:\s*,\s*[\w.:/-]{1,120}){0,9})",
    re.IGNORECASE | re.ASCII,
)
"How OpenAI names what a key lacks, and Azure what an identity lacks."


@dataclass(frozen=True, slots=True)
class Complaint:
    """The error that a body tells of; texts are safe to print, but for `text`."""

    message: str
    "One line, not long."
    code: str
    param: str
    scopes: tuple[str, ...]
    "What the key lacks: `api.threads.read`; on Azure, data actions of a role."
    text: str
    "The whole body, to look for names in."

    def names(self, word: str | None) -> bool:
        """Whether the body speaks of this."""
        return bool(word) and str(word) in self.text


def complaint(body: bytes) -> Complaint:
    """Read an error body."""
    text = body[:READ].decode("utf-8", "replace")
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    error = told.get("error", told) if isinstance(told, dict) else told
    fields = error if isinstance(error, dict) else {}
    message = fields.get("message") or fields.get("detail") or text
    if isinstance(error, str):
        message = error
    elif not fields:
        message = re.sub(r"<[^>]*>", " ", text)
    message = message if isinstance(message, str) else json.dumps(message)
    code, param = (short(str(fields.get(name) or "")) for name in ("code", "param"))
    return Complaint(short(message), code, param, _scopes(message), text)


def short(text: str) -> str:
    """Return text of a server for a message: one line, no control characters, not long."""
    line = printable(scrubbed(" ".join(text[: 4 * LONGEST].split())))
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _scopes(message: str) -> tuple[str, ...]:
    found = SCOPES.search(message)
    return tuple(scope.strip().rstrip(".") for scope in found[1].split(",")) if found else ()
