"""A ping in the manner of healthchecks, and a webhook: one short request each, and no address in an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2

from exporter.endpoint import is_local
from exporter.errors import ExporterError

SECONDS = 10.0


def ping(url: str, word: str, text: str | None = None) -> None:
    """Ask for URL/word: by GET, or by POST with a text; `ExporterError` where nobody hears it."""
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}/{word}" if word else parts.path
    url = urlunsplit(parts._replace(path=path))
    if text is None:
        _send("GET", url)
    else:
        _send("POST", url, content=text.encode(errors="replace"), headers={"Content-Type": "text/plain; charset=utf-8"})


def post(url: str, told: Mapping[str, Any]) -> None:
    """Send JSON; `ExporterError` where nobody hears it."""
    _send("POST", url, json=told)


def _send(method: str, url: str, **content: Any) -> None:
    host = urlsplit(url).hostname
    # a proxy may be on another machine, where nobody is to hear what stays on this one
    content["trust_env"] = not is_local(url.partition("#")[0])
    try:
        # what is answered is not read: it may be long, or never end
        with httpx2.stream(method, url, timeout=SECONDS, verify=httpx2.create_ssl_context(), **content) as answer:
            status, good = answer.status_code, answer.is_success
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        raise ExporterError(f"{host} was not reached ({type(error).__name__}); the backup is none the worse") from None
    if not good:
        raise ExporterError(f"{host} answered {status}; look at the address. The backup is none the worse")
