"""The SDK's client as what carries requests: it logs in and sends, and neither retries nor reads.

The compatible one, for what the lean one cannot do, such as a SOCKS proxy. Errors of the SDK and of HTTP end here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from exporter.endpoint import is_local
from exporter.transport._login import VERSION, Login, connectable
from exporter.transport._reading import held
from exporter.transport._retrying import Again, Patience, Unusable
from exporter.transport._wire import Incoming, Method, joined

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

RAW = {"X-Stainless-Raw-Response": "stream"}
"What makes the SDK give the answer as it comes; it sends this along."


class _Refused(Exception):
    """Carries an answer that is no success out of the SDK, which would wrap it."""

    def __init__(self, answer: Incoming, token: int) -> None:
        super().__init__(answer.status)
        self.answer, self.token = answer, token


class Arriving:
    """An answer that comes in through httpx2."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = joined(response.headers.multi_items())
        self._response = response
        self._pieces = response.aiter_raw()

    async def read(self) -> bytes:
        """Return what came next of the body; nothing at its end."""
        import httpx2

        try:
            async for piece in self._pieces:
                if piece:
                    return piece
        except (httpx2.TimeoutException, TimeoutError):
            trouble = Again("no answer in time")
        except httpx2.RequestError as error:
            trouble = Again(f"no whole answer came ({type(error).__name__})")
        else:
            return b""
        # raised outside of the handlers: the library's exception holds the request, and so the key
        raise trouble

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._response.aclose()


class SdkWire:
    """One profile's connection to its endpoint, by the SDK."""

    def __init__(self, login: Login, timeout: tuple[float, float], max_bytes: int, patience: float) -> None:
        self._login, self._timeout = login, timeout
        self._max_bytes, self._patience = max_bytes, patience
        self._sdk: AsyncOpenAI | None = None

    async def send(self, target: str, headers: Mapping[str, str], method: Method = "GET") -> tuple[Incoming, int]:
        """Ask for a path with its query under the endpoint; return what comes, and the hash of the token."""
        import httpx2
        import openai

        trouble: Exception
        try:
            # Without a query of the client's own, such as Azure's version: the SDK would then keep only one of
            # several include[] in the path, where they are because it writes lists in a form of its own.
            ask = self._client().delete if method == "DELETE" else self._client().get
            response = await ask(
                target,
                cast_to=httpx2.Response,
                options={"headers": {**headers, **RAW}, "params": {VERSION: openai.omit}},
            )
            return Arriving(response), 0
        except _Refused as refused:
            return refused.answer, refused.token
        except (openai.APITimeoutError, httpx2.TimeoutException, TimeoutError):
            trouble = Again("no answer in time")
        except (openai.APIConnectionError, httpx2.RequestError) as error:
            trouble = Again(f"no whole answer came ({type(error.__cause__ or error).__name__})")
        except (openai.OpenAIError, httpx2.InvalidURL, UnicodeError, ValueError) as error:
            trouble = Unusable(f"it could not be sent ({type(error).__name__})")
        # raised outside of the handlers: the SDK's exception holds the request, and so the key
        raise trouble

    async def aclose(self) -> None:
        """Close the connections."""
        if self._sdk is not None:
            await self._sdk.close()

    async def _hook(self, response: httpx2.Response) -> None:
        if response.status_code >= 300:
            answer = await held(Arriving(response), self._max_bytes, Patience(self._patience))
            token = response.request.headers.get("authorization", "").removeprefix("Bearer ")
            raise _Refused(answer, hash(token))

    def _client(self) -> AsyncOpenAI:
        if self._sdk is None:
            import httpx2
            import openai

            with connectable(self._login):
                web = openai.DefaultAsyncHttpxClient(
                    timeout=waits(self._timeout),
                    follow_redirects=False,
                    event_hooks={"response": [self._hook]},
                    verify=httpx2.create_ssl_context(),
                    # its proxies may be on another machine, and would read the key
                    trust_env=not is_local(self._login.profile.base_url),
                )
                self._sdk = self._login.client(web)
        return self._sdk


def waits(timeout: tuple[float, float]) -> httpx2.Timeout:
    """How long to wait for a connection and for each piece; the pace bounds what waits for a free one."""
    import httpx2

    connect, read = timeout
    return httpx2.Timeout(read, connect=connect, pool=None)
