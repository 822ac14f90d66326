"""Fetches from an address that a server named, such as an attachment's signed one: as nobody, from the internet only.

The server may be hostile, and the address may point into the network that we stand in. So it is looked up first, and
what is connected to is the very address that was looked at; the name is what TLS proves.
"""

from __future__ import annotations

import asyncio
import random
import socket
import urllib.request
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

from exporter.endpoint import PORTS, is_local, is_loopback, is_public, origin, parsed
from exporter.errors import UsageError
from exporter.model import printable
from exporter.transport._retrying import Again, Unusable
from exporter.transport._sdk import Arriving, waits

if TYPE_CHECKING:
    import httpx2

HOPS = 3
"Redirects that are followed."
REDIRECTS = frozenset({301, 302, 303, 307, 308})
HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "conversation-exporter"}
"All that is said of us."


@dataclass(frozen=True, slots=True)
class Way:
    """How one address is reached."""

    url: str
    address: str | None
    "The one to connect to; None where a proxy looks the name up."


class Elsewhere:
    """What lies outside of an endpoint, as the endpoint's answers name it."""

    def __init__(self, endpoint: str, timeout: tuple[float, float]) -> None:
        import httpx2

        self._endpoint = endpoint
        self._timeout = waits(timeout)
        self._trust = httpx2.create_ssl_context()

    @asynccontextmanager
    async def response(self, url: str, spend: Callable[[], None]) -> AsyncGenerator[Arriving, None]:
        """GET an address, with `spend` called before each request; yield the answer, its body not yet read.

        Raises `Unusable` where we do not go there, `Again` where another attempt may get there.
        """
        for _ in range(HOPS + 1):
            way = await self._way(url)
            spend()
            async with self._client(way) as web:
                response = await _sent(web, way)
                if response.status_code not in REDIRECTS or "location" not in response.headers:
                    arriving = Arriving(response)
                    try:
                        yield arriving
                    finally:
                        await arriving.aclose()
                    return
                await response.aclose()
                url = led_to(url, response.headers["location"])
        raise Unusable(f"more than {HOPS} redirects; the last leads to {shown(url)}")

    def is_ours(self, url: str) -> bool:
        """Whether an address is the endpoint's own server."""
        try:
            return origin(url) == origin(self._endpoint)
        except UsageError:
            return False

    async def _way(self, url: str) -> Way:
        """Look an address up, and decide whether we go there."""
        parts, port = _parsed(url)
        host, ours, near = parts.hostname or "", self.is_ours(parts.geturl()), is_local(self._endpoint)
        if parts.username is not None or parts.password is not None:
            raise Unusable(f"{shown(url)}: an address with a password in it is not asked")
        if parts.scheme != "https" and not ours and not (near and is_local(parts.geturl())):
            raise Unusable(f"{shown(url)}: content is not fetched over plain http")
        # no proxy leads to this machine: it may be on another one, and would read a signature
        proxied = _proxied(parts.scheme, host) and not is_local(parts.geturl())
        found = await _looked_up(host, port or PORTS[parts.scheme], needed=not proxied)
        allowed = [one for one in found if ours or is_public(one) or (near and is_loopback(one))]
        if found and not allowed:
            raise Unusable(f"{shown(url)}: it lies in a private network, where a server's word does not send us")
        # another attempt may meet another one that answers
        return Way(parts.geturl(), None if proxied else random.choice(allowed))  # noqa: S311 - no secret

    def _client(self, way: Way) -> httpx2.AsyncClient:
        """Return a client of its own for one request: no cookie, key or connection is carried over."""
        import httpx2

        by_proxy = way.address is None
        return httpx2.AsyncClient(headers=HEADERS, timeout=self._timeout, verify=self._trust, trust_env=by_proxy)


def led_to(url: str, location: str) -> str:
    """Return where a redirect leads; `Unusable` where that is no address."""
    try:
        return urljoin(url, location)
    except ValueError:
        raise Unusable("it is redirected to what is no web address") from None


def shown(url: str) -> str:
    """Return what may be printed of an address: not its path or query, which may be a signature."""
    parts = urlsplit(url)
    return printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")[:200]


def _parsed(url: str) -> tuple[SplitResult, int | None]:
    """Return the parts of an address as the HTTP library understands it, so that what is judged is what is asked."""
    import httpx2

    try:
        return parsed(str(httpx2.URL(url.partition("#")[0])))
    except (UsageError, httpx2.InvalidURL, UnicodeError, ValueError):
        raise Unusable("the address that was named is no web address") from None


async def _sent(web: httpx2.AsyncClient, way: Way) -> httpx2.Response:
    import httpx2

    url = httpx2.URL(way.url)
    request = web.build_request("GET", url)
    if way.address is not None:
        request = web.build_request(
            "GET",
            url.copy_with(host=way.address),
            headers={"Host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
    try:
        return await web.send(request, stream=True)
    except (httpx2.TimeoutException, TimeoutError):
        trouble: Exception = Again("no answer in time")
    except httpx2.RequestError as error:
        trouble = Again(f"no answer came from {shown(way.url)} ({type(error).__name__})")
    except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
        trouble = Unusable(f"{shown(way.url)} could not be asked ({type(error).__name__})")
    raise trouble


async def _looked_up(host: str, port: int, *, needed: bool) -> list[str]:
    """Return the IP addresses of a name; none where only a proxy knows them."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        if needed:
            raise Again(f"the name {printable(host)} cannot be looked up") from None
        return []
    return [str(one[4][0]) for one in found]


def _proxied(scheme: str, host: str) -> bool:
    proxies = urllib.request.getproxies()
    return bool(proxies.get(scheme) or proxies.get("all")) and not urllib.request.proxy_bypass(host)
