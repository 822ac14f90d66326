"""What lies elsewhere, as attachments of ChatKit do, at signed addresses.

They answer anybody for a while, and nobody who brings a credential; they answer as the blob store does that such
addresses lead to: a credential beside the signature is HTTP 400, a signature that is wrong or over is HTTP 403.
"""

from __future__ import annotations

import hashlib
import re

from exporter.sandbox import raw
from exporter.sandbox.answers import Answer, Ask, Refusal
from exporter.sandbox.keys import NOBODY, Key
from exporter.sandbox.state import PREVIEW

API = "attachments"
ROOT = "/_attachments"
CREDENTIALS = ("authorization", "api-key", "cookie")
_PLACE = re.compile(rb'"%b([^"\\]+)"' % PREVIEW.encode())


def addressed(ask: Ask, body: bytes) -> bytes:
    """Return an object with an address, good from now on, for each attachment that the sandbox keeps."""
    if PREVIEW.encode() not in body:
        return body
    return _PLACE.sub(lambda found: raw.text(address(ask, found[1].decode())), body)


def address(ask: Ask, name: str) -> str:
    """Return an address of an attachment that is good from now on."""
    until = f"{ask.state.clock.now() + ask.switches.preview_seconds:.0f}"
    return f"http://{ask.headers.get('host', '')}{ROOT}/{name}?se={until}&sig={_signature(name, until)}"


def admit(ask: Ask) -> Key:
    """Let anybody in who brings no credential; who does is written down."""
    brought = [value for name, value in ask.headers.items() if name.lower() in CREDENTIALS]
    secrets = {key for key in ask.state.keys if any(key in value for value in ask.headers.values())}
    if brought or secrets:
        ask.state.leaks.append(ask.path)
        raise Refusal(_blob_error(400, "InvalidAuthenticationInfo", "Authentication information is not expected here."))
    return NOBODY


def answer(ask: Ask) -> Answer:
    """Answer the bytes of an attachment while its address is good."""
    name, until = ask.ids["id"], ask.param("se") or ""
    signed = ask.param("sig") == _signature(name, until)
    if not signed or ask.state.clock.now() > float(until):
        raise Refusal(_blob_error(403, "AuthenticationFailed", "Server failed to authenticate the request."))
    holder = ask.state.holder(API, name)
    if holder is None:
        raise Refusal(_blob_error(404, "BlobNotFound", "The specified blob does not exist."))
    mime_type = raw.value(ask.state.body(API, name), "mime_type")
    return Answer(200, holder.content, {"content-type": str(mime_type)})


def _signature(name: str, until: str) -> str:
    return hashlib.sha256(f"sandbox {name} {until}".encode()).hexdigest()[:32]


def _blob_error(status: int, code: str, message: str) -> Answer:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status, body.encode(), {"content-type": "application/xml"})
