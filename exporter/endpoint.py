"""A base URL as the name of an endpoint, and what may be sent there. Pure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from exporter.errors import UsageError
from exporter.model import printable

PORTS = {"http": 80, "https": 443}
BRACKETED = re.compile(r"\[([^\[\]]*)\](?::\d*)?")
"An address of version 6, and a port or none."
NAT64 = ipaddress.ip_network("64:ff9b::/96")
"Addresses of version 6 that stand for one of version 4 in their last bits (RFC 6052)."


def endpoint_of(base_url: str) -> str:
    """Return the normalised base URL: what names an endpoint in the archive, without credentials and query."""
    parts, port = parsed(base_url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    shown = "" if port in (None, PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{shown}{parts.path.rstrip('/')}"


def parsed(base_url: str) -> tuple[SplitResult, int | None]:
    """Return the parts of a base URL and its port; `UsageError` if it is none."""
    named = f"base URL {shown(base_url)!r}"
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except (ValueError, UnicodeError):
        raise UsageError(f"{named}: host or port cannot be read") from None
    odd = any(c.isspace() or not c.isprintable() for c in base_url.strip())
    if parts.scheme not in PORTS or not host or odd or parts.fragment:
        raise UsageError(f"{named} is none: it looks like https://api.openai.com/v1")
    if not _names_one_host(parts.netloc.rpartition("@")[2]):
        raise UsageError(f"{named}: its host has a %, or something around [ ], which is read in two ways")
    return parts, port


def shown(base_url: str) -> str:
    """Return what may be printed of what may be no base URL: no credentials, query or fragment, wherever they begin."""
    before, _, after = base_url.rpartition("@")
    if "?" in before or "#" in before:
        return "..."  # the @ is of a query, or the rest is of a password: nobody can tell
    return printable(after.partition("?")[0].partition("#")[0])[:200]


def secrets_in(base_url: str) -> tuple[str, ...]:
    """Return what of a base URL nobody else may see: its password, and what its query says, except of versions."""
    parts, _ = parsed(base_url)
    said = [text for name, text in parse_qsl(parts.query) if "version" not in name.lower()]
    return (unquote(parts.password or parts.username or ""), *said)


def is_local(base_url: str) -> bool:
    """Whether a server is on this machine: it may want no key, and gets one over plain http."""
    host = parsed(base_url)[0].hostname or ""
    try:
        return is_loopback(host)
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def is_loopback(address: str) -> bool:
    """Whether an IP address, as the system writes it, is this machine's own; `ValueError` if it is none."""
    return ipaddress.ip_address(address).is_loopback


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port: who answers there; `UsageError` if it is no URL."""
    parts, port = parsed(url)
    return parts.scheme, (parts.hostname or "").lower(), port or PORTS[parts.scheme]


def is_public(address: str) -> bool:
    """Whether an IP address, as the system writes it, is one of the internet's.

    That is: not this machine's, no private network's, no group's. `ValueError` if it is none.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _names_one_host(place: str) -> bool:
    """Whether a host with its port is read alike by all who read it, or a key may go to another than was judged."""
    if "%" in place:
        return False
    if not set("[]").intersection(place):
        return True
    bracketed = BRACKETED.fullmatch(place)
    try:
        return bracketed is not None and ipaddress.ip_address(bracketed[1]).version == 6
    except ValueError:
        return False
