"""aiohttp as what carries requests: a seventh of the SDK's work, and the SDK's own headers.

It keeps no cookies, follows nothing and asks for nothing by itself. Proxies and certificates are those of the
environment, as the SDK reads them. Errors of aiohttp end here.
"""

from __future__ import annotations

import os
import ssl
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from exporter.transport._identity import Identity
from exporter.transport._login import Login, connectable
from exporter.transport._retrying import Again, Unusable
from exporter.transport._wire import Incoming, joined

if TYPE_CHECKING:
    import aiohttp

PLAIN = "%/!$&'()*+,;=:@?~"
"What stands in a path and its query as it is; anything else is written with its number."
LINE = 2**16
"Bytes of one header, at most."
READ_AHEAD = 2**18
"Bytes that may wait to be read, of each answer."


class Arriving:
    """An answer that comes in through aiohttp."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = joined(list(response.headers.items()))
        self._response = response

    async def read(self) -> bytes:
        """Return what came next of the body; nothing at its end."""
        import aiohttp

        try:
            return await self._response.content.readany()
        except TimeoutError:
            trouble = Again("no answer in time")
        except (aiohttp.ClientError, OSError) as error:
            trouble = Again(f"no whole answer came ({type(error).__name__})")
        # raised outside of the handlers: the library's exception holds the request, and so the key
        raise trouble

    async def aclose(self) -> None:
        """Give the connection back; one in the middle of a body is closed."""
        self._response.close()


class LeanWire:
    """One profile's connections to its endpoint, by aiohttp."""

    def __init__(self, login: Login, endpoint: str, timeout: tuple[float, float]) -> None:
        self._login, self._endpoint, self._timeout = login, endpoint, timeout
        self._identity = Identity(login, timeout[1])
        self._session: aiohttp.ClientSession | None = None
        self._proxy = proxy(endpoint)

    async def send(self, target: str, headers: Mapping[str, str]) -> tuple[Incoming, int]:
        """GET a path with its query under the endpoint; return what comes, and the hash of the token."""
        import aiohttp
        from multidict import CIMultiDict
        from yarl import URL

        trouble: Exception
        sent = CIMultiDict(await self._identity.headers())
        sent.update(headers)
        try:
            url = URL(self._endpoint + quote(target, safe=PLAIN), encoded=True)
            session = self._session or self._opened()
            response = await session.get(url, headers=sent, allow_redirects=False, proxy=self._proxy)
            return Arriving(response), hash(sent.get("Authorization", "").removeprefix("Bearer "))
        except TimeoutError:
            trouble = Again("no answer in time")
        except aiohttp.InvalidURL as error:
            trouble = Unusable(f"it could not be sent ({type(error).__name__})")
        except (aiohttp.ClientError, OSError) as error:
            trouble = Again(f"no whole answer came ({type(error).__name__})")
        except (UnicodeError, ValueError) as error:
            trouble = Unusable(f"it could not be sent ({type(error).__name__})")
        # raised outside of the handlers: the library's exception holds the request, and so the key
        raise trouble

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        connect, read = self._timeout
        with connectable(self._login):
            connector = aiohttp.TCPConnector(limit=0, ssl=trust())
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect, sock_read=read),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            middlewares=[_once],
            read_bufsize=READ_AHEAD,
            max_line_size=LINE,
            max_field_size=LINE,
        )
        return self._session


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send one request; aiohttp would send it once more where a connection breaks, which no budget would know of."""
    import aiohttp

    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        trouble = Again(f"no whole answer came ({type(error).__name__})")
    raise trouble


def trust() -> ssl.SSLContext:
    """Return whom to believe: the authorities of SSL_CERT_FILE or SSL_CERT_DIR, else those of this machine."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        return ssl.create_default_context(cafile=file)
    if folder:
        return ssl.create_default_context(capath=folder)
    import httpx2  # it knows where each system keeps them

    return httpx2.create_ssl_context()


def proxy(endpoint: str) -> str | None:
    """Return the proxy to an endpoint, as HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say; None for none."""
    parts = urlsplit(endpoint)
    proxies = urllib.request.getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found or urllib.request.proxy_bypass(parts.netloc):
        return None
    return found if "://" in found else f"http://{found}"


def carries(endpoint: str) -> bool:
    """Whether the way to an endpoint is one that aiohttp goes."""
    by = proxy(endpoint)
    return by is None or urlsplit(by).scheme in ("http", "https")
