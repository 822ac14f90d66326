"""What an answer means: JSON, or which error.

A 404 means four things, and only the words in its body tell them apart: this thread is unknown here, this object is,
this API is gone, or the key belongs to somebody else. Status 200 with a body that is no JSON is asked for again, as
a connection that broke early can look like that; after `ATTEMPTS` times it is a `BadAnswer`.
"""

from __future__ import annotations

from exporter.complaints import LONGEST, Complaint, complaint, short
from exporter.errors import (
    BadAnswer,
    CannotList,
    CredentialsRefused,
    ExporterError,
    MissingScope,
    NoList,
    NotFound,
    SourceGone,
    Temporary,
)
from exporter.model import ThreadRef, printable, scrubbed
from exporter.sources import Answer

ATTEMPTS = 3
TEMPORARY = frozenset({408, 409, 425, 429})
SESSION = "must be made with a session key"
"What a list says to a key that only a browser may see."
KEY = frozenset({
    "missing_scope", "mismatched_project", "mismatched_organization", "invalid_api_key", "incorrect_hostname"
})  # fmt: skip
"Codes of refusals that are about the key, whatever their status."
SCOPES = ("missing_scope", "missing scopes", "insufficient permissions", "session key")


def refusal(answer: Answer, thread: ThreadRef, path: str, *, identified: bool) -> ExporterError:
    """Return the error that an answer other than 200 stands for; `identified`: this thread was just read.

    A thread without an id stands for the source's list of threads.
    """
    told = complaint(answer.body)
    said = f"HTTP {answer.status}" + (f": {told.message}" if told.message else "")
    if not thread.id and (answer.status in (404, 405, 410) or SESSION in told.message):
        return CannotList(f"{thread}: GET {path} answered {said}; it does not list them to this key")
    return _refusal(answer, told, said, thread, path, identified=identified)


def _refusal(
    answer: Answer, told: Complaint, said: str, thread: ThreadRef, path: str, *, identified: bool
) -> ExporterError:
    if told.code == "insufficient_quota":
        return CredentialsRefused(f"{thread.source}: the account's quota is used up ({said}); raise it, then run again")
    if answer.status in (401, 403) or _about_the_key(told):
        return _refused(answer.status, told, said, thread)
    if answer.status in TEMPORARY or answer.status >= 500:
        return Temporary(f"{thread}: GET {path} answered {said}; run again later")
    if answer.status in (404, 405, 410):
        return _missing(told, thread, path, said, identified=identified)
    if 300 <= answer.status < 400:
        where = printable(answer.headers.get("location", "somewhere else"))[:LONGEST]
        return BadAnswer(f"{thread}: GET {path} is redirected to {where}, which is not followed; check the base URL")
    return BadAnswer(f"{thread}: GET {path} answered {said}; see {_doctor(thread)}")


def _refused(status: int, told: Complaint, said: str, thread: ThreadRef) -> CredentialsRefused:
    if told.scopes:  # all that matters of what is said
        return MissingScope(f"{thread.source}: {_lacks(told.scopes)} (HTTP {status})")
    return CredentialsRefused(f"{thread.source}: {_advice(status, told)} ({said})")


def _missing(told: Complaint, thread: ThreadRef, path: str, said: str, *, identified: bool) -> ExporterError:
    if told.names(thread.id) and path not in told.text:
        return NotFound(f"{thread}: the server has none ({said}); see {_doctor(thread)}")
    if identified:
        return NoList(f"{thread}: GET {path} answered {said}, though the thread is there; this list cannot be had")
    return SourceGone(
        f"{thread.source}: GET {path} answered {said} without naming the thread: was this API removed, "
        "or is the base URL wrong? Nothing was marked as gone"
    )


def _doctor(thread: ThreadRef) -> str:
    return f"`exporter doctor {printable(thread.id)}`" if thread.id else "`exporter doctor`"


def _about_the_key(told: Complaint) -> bool:
    return told.code in KEY or SESSION in told.message


def _lacks(scopes: tuple[str, ...]) -> str:
    several, names = "s" * (len(scopes) > 1), ", ".join(scopes)
    if "/" in names:
        return f"the identity lacks the data action{several} {names}: give it a role that has it; see docs/azure.md"
    return f"the key lacks the scope{several} {names}: give it that, or use another key"


def _advice(status: int, told: Complaint) -> str:
    text = f"{told.code} {told.message}".lower()
    if "incorrect_hostname" in text:
        return "the project lives in another region: set the base URL to that region's host"
    if "mismatched_project" in text:
        return "the key belongs to another project than the one asked for: check OPENAI_PROJECT_ID"
    if "mismatched_organization" in text:
        return "the key belongs to another organization than the one asked for: check OPENAI_ORG_ID"
    if any(word in text for word in SCOPES) or status == 403:
        return "the key lacks a permission: give it the scope that is named, or use another key"
    return "the key was refused: set a valid one for this organization and project"


def not_json(answer: Answer, thread: ThreadRef, path: str, why: str) -> BadAnswer:
    """Return the error for a 200 whose body is no JSON."""
    kind = short(answer.headers.get("content-type", "no content type"))[:80]
    begins = short(scrubbed(answer.body[:4096].decode("utf-8", "replace"))[:80])
    what = f"{len(answer.body)} bytes of {kind}, beginning '{begins}'" if answer.body else "nothing"
    return BadAnswer(f"{thread}: GET {path} answered {what}: {why}; is the base URL an API's?")
