"""Tell whether two bodies of an object say the same.

The idea: content is what lasts. Order, white space, signatures of URLs and the expiry of a download come out anew at
every request, and would make a revision of each visit; everything else counts, to the last digit of a number.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import orjson

from exporter.model import Record
from exporter.text import clean, inexact, joined, members

HUGE = 1e308
"Floats end here."

_SIGNATURE = re.compile(rb"sig(?:nature)?(?:=|\\u003d)")
_SIGNED = re.compile(r"[?&](sig|signature|x-amz-signature|x-goog-signature)=", re.IGNORECASE)

_KEPT = ("sha256", "form", "reason", "object")
"What a new state of a file differs in; who points to it, and the words for a reason, are none."


def state_of(record: Record) -> bytes:
    """Return 16 bytes that are equal as long as an object says the same."""
    fields = members(clean(record.body)) if record.kind == "file" else None
    if fields is None:
        return signature(record.body)
    return signature(joined({name: fields[name] for name in _KEPT if name in fields}).encode())


def signature(body: bytes) -> bytes:
    """Return 16 bytes that are equal for equal content: JSON without order, white space and volatile fields."""
    body = clean(body)
    try:
        text = _canonical(_lasting(_exact(body), look=_volatile(body)))
    except (ValueError, RecursionError):  # not JSON, or too deep to look into: then the bytes are the content
        text = body
    return hashlib.blake2b(text, digest_size=16).digest()


def _volatile(body: bytes) -> bool:
    """Tell whether anything may be in it that does not last."""
    return b"expires_at" in body or b'"preview_url"' in body or bool(_SIGNATURE.search(body.lower()))


def _exact(body: bytes) -> Any:
    if not inexact(body):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:  # NaN, or deeper than orjson goes
            pass
    return _careful(body)


def _careful(body: bytes) -> Any:
    """Return the value, with numbers beyond a float as their tokens, told from strings by a control character."""

    def number(token: str) -> float | str:
        return float(token) if abs(float(token)) < HUGE else f"\0{token}"

    return json.loads(body, parse_float=number, parse_constant=lambda token: f"\0{token}")


def _canonical(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer above 64 bits, or half of a surrogate pair
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _lasting(value: Any, look: bool) -> Any:
    """Return the value without signatures of URLs and the expiry of downloads."""
    if not look:
        return value
    if isinstance(value, list):
        return [_lasting(part, look) for part in value]
    if isinstance(value, dict):
        download = any(isinstance(v, str) and v.startswith(("http://", "https://")) for v in value.values())
        return {
            key: _address(part) if key == "preview_url" else _lasting(part, look)
            for key, part in value.items()
            if not (download and key == "expires_at")
        }
    return _address(value) if isinstance(value, str) and _SIGNED.search(value) else value


def _address(value: Any) -> Any:
    """Return a URL without its query; other values as they are."""
    is_url = isinstance(value, str) and value.startswith(("http://", "https://"))
    return value.split("?", 1)[0] if is_url else value
