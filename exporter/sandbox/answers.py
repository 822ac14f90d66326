"""What is asked and what is answered: `Ask`, `Answer`, and the error bodies of the real APIs.

Handlers are plain functions from `Ask` to `Answer`; to refuse they raise `Refusal`. The texts were recorded or
published where `api-facts` says so; those marked "inferred" are the best guess.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from exporter.sandbox import raw
from exporter.sandbox.content import Content
from exporter.sandbox.keys import NOBODY, Key
from exporter.sandbox.state import State
from exporter.sandbox.switches import Switches

JSON_TYPE = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: Content
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON_TYPE))


class Refusal(Exception):
    """The request ends here, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Face(NamedTuple):
    """One way the APIs are offered: under which path, which of them, to whom, with what manners."""

    name: str
    root: str
    apis: frozenset[str]
    admit: Callable[[Ask], Key]
    """Returns who asks, or refuses."""
    lists_open: bool = False
    """Whether threads, conversations and responses can be listed without a browser's session."""
    before: bool = False
    """Whether every list takes `before`."""
    polish: Callable[[Ask, Answer], Answer] = lambda _, answer: answer
    """What this face makes of a refusal."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One HTTP request to an API."""

    state: State
    switches: Switches
    face: Face
    api: str
    """Which API: the first word of its path."""
    method: str
    path: str
    ids: Mapping[str, str]
    params: list[tuple[str, str]]
    headers: Mapping[str, str]
    content: bytes
    key: Key = NOBODY

    @property
    def lies(self) -> frozenset[str]:
        """The lies that concern this request."""
        return self.switches.lies if self.switches.lies_only in self.path else frozenset()

    def param(self, name: str) -> str | None:
        """Return the last value of a parameter."""
        return dict(self.params).get(name)

    def values(self, name: str) -> list[str]:
        """Return all values of a list parameter: `name[]=a&name[]=b`, `name=a`, `name=a,b`."""
        given = [value for key, value in self.params if key in (name, f"{name}[]")]
        return [part for value in given for part in value.split(",") if part]

    def json(self) -> dict[str, Any]:
        """Return the body's object; an empty body is an empty object."""
        try:
            body = json.loads(self.content or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refusal(error(400, "We could not parse the JSON body of your request."))
        return body


def ok(body: bytes) -> Answer:
    """HTTP 200."""
    return Answer(200, body)


def error(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    kind: str = "invalid_request_error",
    **headers: str,
) -> Answer:
    """Return an error in the APIs' envelope; all four fields are there."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, raw.indented(raw.text(body)) + b"\n", JSON_TYPE | extra)


NOUNS = {
    "threads": "No thread found with id '{0}'.",
    "messages": "No message found with id '{0}'.",
    "runs": "No run found with id '{0}'.",
    "steps": "No run step found with id '{0}'.",
    "conversations": "Conversation with id '{0}' not found.",
    "items": "Item with id '{0}' not found in conversation.",
    "chatkit": "ChatKit thread with id '{0}' not found.",
    "chatkit_items": "Item with id '{0}' not found in thread.",
    "completions": "Chat completion with id '{0}' not found.",
    "completion_messages": "Message with id '{0}' not found.",
    "responses": "Response with id '{0}' not found.",
    "input_items": "Item with id '{0}' not found.",
    "assistants": "No assistant found with id '{0}'.",
    "files": "No such File object: {0}",
    "sessions": "Session with id '{0}' not found.",
    "session_items": "Item with id '{0}' not found in session.",
    "turns": "Turn with id '{0}' not found in session.",
    "subagents": "Subagent with id '{0}' not found in session.",
    "artifacts": "Artifact with id '{0}' not found in session.",
    "traces": "Trace with id '{0}' not found in session.",
    "containers": "Container with id '{0}' not found.",
    "container_files": "File {0} not found on container {1}.",
    "vector_stores": "No vector store found with id '{0}'.",
    "vector_files": "No file found with id '{0}' in vector store '{1}'.",
}
"""What a 404 says; those of threads, conversations, their items, responses and files of containers are on record, the
others inferred."""


def not_found(noun: str, name: str, above: str = "") -> Answer:
    """HTTP 404 that names what was asked for, perhaps also what it would lie under."""
    param = "id" if noun == "files" else None
    return error(404, NOUNS[noun].format(name, above), param=param)


def unknown_cursor(noun: str, param: str, name: str) -> Answer:
    """`after` names nothing (inferred): the text of a 404 for that object, as HTTP 400 with the parameter's name."""
    return error(400, NOUNS[noun].format(name, ""), param=param)


def incorrect_hostname(hostname: str = "us.api.openai.com") -> Answer:
    """HTTP 401 for a request to another region's hostname, in the words that users quote."""
    said = f"Attempted to access resource with incorrect regional hostname. Please make your request to {hostname}"
    return error(401, said, code="incorrect_hostname")


def unknown_url(method: str, path: str) -> Answer:
    """HTTP 404 for what is no route."""
    return error(404, f"Invalid URL ({method} {path})")


def bad_limit(limit: int, *, low: int, high: int) -> Answer:
    """HTTP 400 for a limit out of range."""
    word, sign, bound = ("above maximum", "<=", high) if limit > high else ("below minimum", ">=", low)
    code = f"integer_{'above_max' if limit > high else 'below_min'}_value"
    message = f"Invalid 'limit': integer {word} value. Expected a value {sign} {bound}, but got {limit} instead."
    return error(400, message, param="limit", code=code)


def not_a_number(value: str) -> Answer:
    """HTTP 400 for a limit that is no integer (inferred)."""
    message = f"Invalid type for 'limit': expected an integer, but got '{value}' instead."
    return error(400, message, param="limit", code="invalid_type")


def bad_order(value: str) -> Answer:
    """HTTP 400 for an order that is neither (inferred)."""
    message = f"Invalid value: '{value}'. Supported values are: 'asc' and 'desc'."
    return error(400, message, param="order", code="invalid_value")


def bad_include(value: str, known: list[str]) -> Answer:
    """HTTP 400 for a value of include[] that is unknown or refused (inferred)."""
    names = ", ".join(f"'{name}'" for name in known)
    message = f"Invalid value: '{value}'. Supported values are: {names}."
    return error(400, message, param="include", code="invalid_value")


def too_many_items(count: int) -> Answer:
    """HTTP 400 for more than 20 items at once."""
    message = "Invalid 'items': array too long. Expected an array with maximum length 20, but got an array with length"
    return error(400, f"{message} {count} instead.", param="items", code="array_above_max_length")
