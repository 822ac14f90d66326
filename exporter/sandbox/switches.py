"""What one can switch on in the sandbox: delays, limits, faults, lies.

`Switches` is one frozen value; `state.switches = replace(state.switches, ...)` or `POST /_sandbox/switches` puts
another in its place while the server runs. `FAULTS` and `LIES` name everything it can do wrong, so tests can be
parametrised over them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from exporter.errors import UsageError

FAULTS: dict[str, str] = {
    "error_500": "HTTP 500 with the envelope of a server_error",
    "error_503": "HTTP 503, the engine is overloaded",
    "quota": "HTTP 429 insufficient_quota, with x-should-retry: false",
    "reset": "the connection is reset before any answer",
    "truncated": "the headers promise a whole body, then the connection breaks in its middle",
    "cut_json": "the body, JSON or bytes, stops in its middle, and Content-Length agrees",
    "malformed_json": "HTTP 200 with a body that is not JSON",
    "html": "HTTP 200 with a page of HTML, as a proxy sends it",
    "html_502": "HTTP 502 with a page of HTML",
    "wrong_content_type": "the right body, called text/plain",
    "empty_body": "HTTP 200 and nothing in it",
    "slow_drip": "the right body, sixteen pieces, slowly",
    "wrong_length": "the whole body, but Content-Length promises ten bytes more, then the connection breaks",
    "no_length": "the right body without Content-Length, in chunks",
    "endless": "the right body again and again without Content-Length, until the client goes",
    "storm": "HTTP 429 for a while, with Retry-After: 0",
    "redirect": "HTTP 307 to the switch `elsewhere`, another host",
    "gzip_bomb": "a megabyte of gzip that unpacks to a gigabyte",
    "gigabyte": "a gigabyte of spaces, then an empty list; Content-Length is right",
    "api_removed": "HTTP 404 that names the URL and no thread",
    "wrong_region": "HTTP 401 incorrect_hostname",
}
"""Everything that can be wrong with a whole answer, by name."""

LIES: dict[str, str] = {
    "no_envelope_ids": "lists have no first_id and no last_id",
    "drops_envelope_empty_strings": "first_id and last_id are empty strings",
    "ignores_parameters": "limit, order and after are ignored: always the newest 20",
    "descending": "order is ignored: always desc",
    "inclusive_cursor": "a page begins with the object that `after` names",
    "inclusive_cursor_forever": "the same, and has_more is true on every page",
    "has_more_always_false": "has_more is false on every page",
    "has_more_forever": "has_more is true on every page, and behind the last page comes the last page",
    "empty_page_has_more": "has_more is true on every page; behind the last comes an empty one with the same last_id",
    "cursor_by_second": "`after` means the second of that object: others of the same second are skipped",
    "unknown_after_restarts": "an unknown `after` means the first page",
    "unknown_thread_empty": "lists of an unknown thread are empty, with HTTP 200",
    "limit_too_large_400": "a limit above max_limit is HTTP 400",
    "limit_too_large_422": "a limit above max_limit is HTTP 422 with another envelope",
    "limit_silently_capped": "a limit above max_limit gives max_limit objects",
    "created_at_milliseconds": "created_at counts milliseconds",
    "created_at_float": "created_at has a fraction",
    "created_at_negative": "created_at is negative",
    "text_as_string": "text is a string",
    "text_as_object": 'text is an object {"value": ...}',
    "text_as_list": "text is a list of strings",
    "content_bare_string": "content is a string",
    "status_null": "status is null",
    "metadata_underscore": "metadata is called metadata_",
    "position_ids": "ids of objects are item_0, item_1, ... in every thread",
    "duplicate_ids": "every seventh object has the id of the one before it",
    "changing_ids": "every seventh object has another id in each answer",
    "overlapping_pages": "a page begins three objects before the one that `after` names",
    "null_ids": "the last object of each page has id null; last_id knows it",
    "null_ids_and_cursor": "the last object of each page has id null, and so has last_id",
    "retrieve_404_first": "a completion or response that is listed is not found the first `denials` times",
    "include_refused": "each value of include[] is refused",
    "include_refused_one": "one value of include[] is refused: the first of `refuse`, else the first known one",
}
"""Every lie by name; each was told by a real server, or guards against one told by another name."""

APIS = (
    "agents",
    "assistants",
    "chatkit",
    "completions",
    "containers",
    "conversations",
    "files",
    "responses",
    "threads",
    "vector_stores",
)
"""Every API, as `removed` calls it."""


def _names(given: object) -> list[str]:
    """Names, from a collection or from a string with commas."""
    names = given.split(",") if isinstance(given, str) else given
    return [str(name) for name in names if name] if isinstance(names, Iterable) else []


@dataclass(frozen=True, slots=True)
class Switches:
    """All that one can switch; the default is an honest, fast server."""

    latency: float = 0.0
    """Seconds before each answer."""
    rate: float = 0.0
    """Requests a second that one project may send; 0 means any number."""
    burst: int = 1
    """How many requests may come at once before `rate` counts."""
    retry_after: float = 0.0
    """What Retry-After says on a 429; 0 means the time that is really needed."""
    rate_headers: bool = True
    """Whether answers carry x-ratelimit-* while `rate` is on."""
    fault: str = ""
    """One of FAULTS."""
    every: int = 1
    """The fault strikes each n-th request that it concerns."""
    times: int = 0
    """The fault strikes so many times; 0 means for ever."""
    only: str = ""
    """The fault concerns only paths with this in them."""
    method: str = ""
    """The fault concerns only requests with this method."""
    lies: frozenset[str] = frozenset()
    """Some of LIES; a string of names with commas between them will do."""
    lies_only: str = ""
    """The lies concern only paths with this in them."""
    max_limit: int = 50
    """What the lies about limits take for the maximum."""
    refuse: tuple[str, ...] = ()
    """Values of include[] that are refused one by one, besides unknown ones."""
    listable: bool | None = None
    """Whether threads, conversations and responses can be listed without a browser's session; None is as each face of
    the server does it: not at OpenAI's, at Azure's."""
    denials: int = 1
    """How many times the lie retrieve_404_first says that an object is not there."""
    cumulative_input_items: bool = False
    """The input items of a response also hold the earlier turns of its chain, as on some servers."""
    elsewhere: str = "http://127.0.0.2:9"
    """Where the fault `redirect` leads."""
    hostname: str = ""
    """The region's hostname that this server insists on: asked under any other, it answers incorrect_hostname."""
    removed: frozenset[str] = frozenset()
    """Some of APIS, which are answered as unknown URLs; a string of names with commas between them will do."""
    lenient: bool = False
    """Limit 0 and unknown cursors are taken, as by mocks made from the description."""
    preview_seconds: float = 600
    """How long the address of an attachment lives, by the sandbox's clock."""
    redirects: bool = False
    """The bytes of files lie elsewhere: HTTP 302 to a signed address that takes no credential."""
    pretty: bool = False
    """Answers are indented by two spaces, as the real API's."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "lies", frozenset(_names(self.lies)))
        object.__setattr__(self, "refuse", tuple(_names(self.refuse)))
        object.__setattr__(self, "removed", frozenset(_names(self.removed)))
        for given, known in ((self.lies, LIES), ({self.fault} - {""}, FAULTS), (self.removed, APIS)):
            if unknown := sorted(set(given) - set(known)):
                raise UsageError(f"the sandbox knows no {', '.join(unknown)}; it knows {', '.join(known)}")

    def with_changes(self, changes: dict[str, Any]) -> Switches:
        """Return these switches with some set otherwise; an unknown name is a UsageError."""
        if unknown := sorted(set(changes) - {field.name for field in fields(self)}):
            raise UsageError(f"the sandbox has no switch {', '.join(unknown)}")
        return replace(self, **changes)

    def as_json(self) -> dict[str, Any]:
        """Return the switches as JSON can hold them."""
        sets = {"lies": sorted(self.lies), "refuse": list(self.refuse), "removed": sorted(self.removed)}
        return asdict(self) | sets
