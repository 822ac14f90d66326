"""A base URL as the name of an endpoint, and what may be sent there. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from exporter.errors import UsageError
from exporter.model import printable

PORTS = {"http": 80, "https": 443}


def endpoint_of(base_url: str) -> str:
    """Return the normalised base URL: what names an endpoint in the archive, without credentials and query."""
    parts, port = parsed(base_url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    shown = "" if port in (None, PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{shown}{parts.path.rstrip('/')}"


def parsed(base_url: str) -> tuple[SplitResult, int | None]:
    """Return the parts of a base URL and its port; `UsageError` if it is none."""
    shown = printable(base_url.rpartition("@")[2].partition("?")[0])[:200]
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except (ValueError, UnicodeError):
        raise UsageError(f"base URL {shown!r}: host or port cannot be read") from None
    odd = any(c.isspace() or not c.isprintable() for c in base_url.strip())
    if parts.scheme not in PORTS or not host or odd or parts.fragment:
        raise UsageError(f"base URL {shown!r} is none: it looks like https://api.openai.com/v1")
    return parts, port


def is_local(base_url: str) -> bool:
    """Whether a server is on this machine: it may want no key, and gets one over plain http."""
    host = parsed(base_url)[0].hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"
