"""What goes wrong with a whole answer: HTTP errors, wrong bodies, broken connections.

`Trouble` decides which request is struck; `response` turns an honest answer into the one that is sent.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache

from exporter.sandbox.answers import JSON_TYPE, Answer, error, incorrect_hostname
from exporter.sandbox.content import Blank, head, pieces, size
from exporter.sandbox.faces import nowhere
from exporter.sandbox.sending import Drip, Endless, NoLength, Reset, Sent, Short, Truncated, WrongLength
from exporter.sandbox.switches import Switches

GIGABYTE = 2**30
NOTHING = b'{"object":"list","data":[],"has_more":false}'
PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    packed = [packer.compress(piece) for piece in pieces(Blank(GIGABYTE, NOTHING), 2**20)]
    return b"".join([*packed, packer.flush()])


INSTEAD: dict[str, Callable[[str, str], Answer]] = {
    "error_500": lambda *_: error(500, "The server had an error while processing your request.", kind="server_error"),
    "error_503": lambda *_: error(
        503, "The engine is currently overloaded, please try again later.", kind="overloaded"
    ),
    "quota": lambda *_: error(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        kind="insufficient_quota",
        code="insufficient_quota",
        x_should_retry="false",
    ),
    "storm": lambda *_: error(429, "Rate limit reached.", kind="requests", code="rate_limit_exceeded", retry_after="0"),
    "gigabyte": lambda *_: Answer(200, Blank(GIGABYTE, NOTHING)),
    "gzip_bomb": lambda *_: Answer(200, _bomb(), JSON_TYPE | {"content-encoding": "gzip"}),
    "api_removed": nowhere,
    "wrong_region": lambda *_: incorrect_hostname(),
    "html": lambda *_: Answer(200, PAGE, {"content-type": "text/html"}),
    "html_502": lambda *_: Answer(502, PAGE, {"content-type": "text/html"}),
    "empty_body": lambda *_: Answer(200, b""),
}
"""Faults that need no honest answer: the request does nothing."""

SPOILED: dict[str, Callable[[Answer], Answer]] = {
    "malformed_json": lambda a: Answer(a.status, _whole(a)[:-1] + b",,", a.headers),
    "cut_json": lambda a: Answer(a.status, head(a.body, size(a.body) // 2), a.headers),
    "wrong_content_type": lambda a: Answer(a.status, a.body, a.headers | {"content-type": "text/plain"}),
}
"""Faults that spoil the honest answer."""

BREAKING: dict[str, type[Sent]] = {
    "reset": Reset,
    "truncated": Truncated,
    "slow_drip": Drip,
    "wrong_length": WrongLength,
    "no_length": NoLength,
    "endless": Endless,
}
"""Faults of how it is sent."""


class Trouble:
    """Which requests are struck: it counts from each change of the switches."""

    def __init__(self) -> None:
        self._switches: Switches | None = None
        self._seen = self._struck = 0

    def strikes(self, switches: Switches, path: str, method: str = "GET") -> str:
        """Return the fault that this request meets; "" for none."""
        if switches is not self._switches:
            self._switches, self._seen, self._struck = switches, 0, 0
        if not switches.fault or switches.only not in path or switches.method not in ("", method):
            return ""
        self._seen += 1
        if self._seen % max(1, switches.every) or (switches.times and self._struck >= switches.times):
            return ""
        self._struck += 1
        return switches.fault


def redirected(elsewhere: str, path: str) -> Answer:
    """Send who asks to another host."""
    return Answer(307, b"", {"location": elsewhere + path})


def response(answer: Answer, fault: str = "") -> Sent:
    """Return what is sent for an answer that meets a fault."""
    if fault in SPOILED:
        answer = SPOILED[fault](answer)
    plain = Short if isinstance(answer.body, bytes) else Sent
    return BREAKING.get(fault, plain)(answer.body, answer.status, answer.headers)


def _whole(answer: Answer) -> bytes:
    return answer.body if isinstance(answer.body, bytes) else b"".join(pieces(answer.body))
