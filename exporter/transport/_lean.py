"""aiohttp's connections as what carries requests, and the SDK's own headers: a tenth of the SDK's work.

aiohttp connects, keeps connections, speaks TLS and to proxies, and parses what comes; its session, which makes a
request and a response of many parts for each question, is left out, as it costs more than all of that. What is sent is
put together here: GET and DELETE, no body, no cookies, nothing followed. Proxies and certificates are those of the
environment, as the SDK reads them; a proxy only ever carries TLS. Errors of aiohttp end here.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from exporter.endpoint import is_local
from exporter.transport._identity import Identity
from exporter.transport._login import Login, connectable
from exporter.transport._retrying import Again, Unusable
from exporter.transport._wire import Incoming, Method, joined

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.http import RawResponseMessage
    from aiohttp.streams import StreamReader

PLAIN = "%/!$&'()*+,;=:@?~"
"What stands in a path and its query as it is; anything else is written with its number."
LINE = 2**16
"Bytes of one header, at most."
SENT_AS_IT_IS = re.compile(r"[\w.\-%/!$&'()*+,;=:@?~]*", re.ASCII)
"A path and query of which nothing has to be written with its number."
READ_AHEAD = 2**18
"Bytes that may wait to be read, of each answer."
INTERIM = 100
"Answers that only say that one will come, of which so many are heard out before it."
BREAKS = re.compile(r"[\r\n\0]")
"What would end a header early."


class Arriving:
    """An answer that comes in through one of aiohttp's connections."""

    def __init__(self, message: RawResponseMessage, content: StreamReader, connection: Connection) -> None:
        self.status = message.code
        self.headers: Mapping[str, str] = joined(list(message.headers.items()))
        self._content, self._connection = content, connection

    async def read(self) -> bytes:
        """Return what came next of the body; nothing at its end."""
        if self._content.at_eof():
            return b""
        import aiohttp

        try:
            return await self._content.readany()
        except TimeoutError:
            trouble = Again("no answer in time")
        except (aiohttp.ClientError, OSError) as error:
            trouble = Again(f"no whole answer came ({type(error).__name__})")
        # raised outside of the handlers: the library's exception may hold what was sent, and so the key
        raise trouble

    async def aclose(self) -> None:
        """Give the connection back; one in the middle of a body is closed."""
        if self._content.is_eof():
            self._connection.release()
        else:
            self._connection.close()


class LeanWire:
    """One profile's connections to its endpoint, by aiohttp."""

    def __init__(self, login: Login, endpoint: str, timeout: tuple[float, float]) -> None:
        self._login, self._endpoint, self._timeout = login, endpoint, timeout
        self._identity = Identity(login, timeout[1])
        self._line: Line | None = None
        self._proxy = proxy(endpoint)
        self._said: tuple[Mapping[str, str] | None, dict[frozenset[tuple[str, str]], tuple[bytes, int]]] = (None, {})
        "Headers as they are sent, and the hash of the token in them; by what comes on top of the profile's own."

    async def send(self, target: str, headers: Mapping[str, str], method: Method = "GET") -> tuple[Incoming, int]:
        """Ask for a path with its query under the endpoint; return what comes, and the hash of the token."""
        import aiohttp
        from aiohttp.http_exceptions import HttpProcessingError

        trouble: Exception
        own = await self._identity.headers()
        try:
            said, token = self._printed(own, headers)
            where = target if SENT_AS_IT_IS.fullmatch(target) else quote(target, safe=PLAIN)
            return await (self._line or self._opened()).ask(where, said, method), token
        except TimeoutError:
            trouble = Again("no answer in time")
        except aiohttp.InvalidURL as error:
            trouble = Unusable(f"it could not be sent ({type(error).__name__})")
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            trouble = Again(f"no whole answer came ({type(error).__name__})")
        except (UnicodeError, ValueError) as error:
            trouble = Unusable(f"it could not be sent ({type(error).__name__})")
        # raised outside of the handlers: the library's exception may hold what was sent, and so the key
        raise trouble

    async def aclose(self) -> None:
        """Close the connections."""
        if self._line is not None:
            await self._line.aclose()

    def _printed(self, own: Mapping[str, str], more: Mapping[str, str]) -> tuple[bytes, int]:
        """Return the headers as they are sent, made once; the ones on top win over the profile's own."""
        if own is not self._said[0]:
            self._said = own, {}
        known, key = self._said[1], frozenset(more.items())
        if key not in known:
            said = {name.lower(): (name, text) for name, text in (*own.items(), *more.items())}
            text = "".join(f"{name}: {_fitting(text)}\r\n" for name, text in said.values())
            _, login = said.get("authorization", ("", ""))
            known[key] = text.encode("utf-8"), hash(login.removeprefix("Bearer "))
        return known[key]

    def _opened(self) -> Line:
        with connectable(self._login):
            # over plain http nobody's authorities are read, which takes 50 ms
            trusted = trust() if urlsplit(self._endpoint).scheme == "https" else None
            self._line = Line(self._endpoint, self._timeout, self._proxy, trusted)
        return self._line


class Line:
    """aiohttp's connections to one endpoint, without its session."""

    def __init__(
        self, endpoint: str, timeout: tuple[float, float], by: str | None, trusted: ssl.SSLContext | None
    ) -> None:
        import aiohttp
        from aiohttp.helpers import strip_auth_from_url
        from yarl import URL

        connect, self._read = timeout
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect)
        self._connector = aiohttp.TCPConnector(limit=0, ssl=trusted or True)
        self._url = URL(endpoint, encoded=True)
        proxy_url, login = strip_auth_from_url(URL(by)) if by else (None, None)
        self._address = aiohttp.ClientRequest(
            "GET", self._url, loop=asyncio.get_running_loop(), proxy=proxy_url, proxy_auth=login
        )
        "Whom to connect to; it is never sent."
        self._begin = b"GET " + quote(self._url.raw_path, safe=PLAIN).rstrip("/").encode("ascii")
        self._host = f" HTTP/1.1\r\nHost: {self._address.headers['Host']}\r\n".encode("ascii")

    async def ask(self, target: str, said: bytes, method: Method = "GET") -> Arriving:
        """Send one question and wait for the beginning of its answer; nothing is sent twice, whatever breaks."""
        connection = await self._connector.connect(self._address, traces=[], timeout=self._timeout)
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            connection.close()
            raise ConnectionResetError
        try:
            protocol.set_response_params(
                read_until_eof=True,
                auto_decompress=False,
                read_timeout=self._read,
                read_bufsize=READ_AHEAD,
                max_line_size=LINE,
                max_field_size=LINE,
            )
            begin = self._begin if method == "GET" else method.encode("ascii") + self._begin.removeprefix(b"GET")
            transport.write(b"".join((begin, target.encode("ascii"), self._host, said, b"\r\n")))
            protocol.start_timeout()
            return Arriving(*await _final(protocol), connection)
        except BaseException:
            connection.close()
            raise

    async def aclose(self) -> None:
        """Close them."""
        await self._connector.close()


async def _final(protocol: ResponseHandler) -> tuple[RawResponseMessage, StreamReader]:
    """Return the answer that is none of those that only say that one will come."""
    for _ in range(INTERIM + 1):
        message, content = await protocol.read()
        if not 100 <= message.code < 200:
            return message, content
    raise Again(f"{INTERIM} answers only said that one will come")


def _fitting(text: str) -> str:
    if BREAKS.search(text):
        raise ValueError("a header with a line break")
    return text


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
    """Return the proxy to an endpoint, as HTTPS_PROXY, ALL_PROXY and NO_PROXY say; None for none.

    None over plain http, and none to this machine: a proxy may be on another one, and would read the key.
    """
    parts = urlsplit(endpoint)
    if parts.scheme != "https" or is_local(endpoint):
        return None
    proxies = urllib.request.getproxies()
    found = proxies.get("https") or proxies.get("all")
    if not found or urllib.request.proxy_bypass(parts.netloc):
        return None
    return found if "://" in found else f"http://{found}"


def carries(endpoint: str) -> bool:
    """Whether the way to an endpoint is one that aiohttp goes."""
    by = proxy(endpoint)
    return by is None or urlsplit(by).scheme in ("http", "https")
