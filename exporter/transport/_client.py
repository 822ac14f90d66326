"""The SDK's client, asked for raw responses: it logs in and sends, and neither retries nor reads.

Errors of the SDK and of HTTP end here. An answer that is no success is read where it arrives and comes out as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from exporter.errors import ProfileUnusable
from exporter.model import printable
from exporter.sources import Answer
from exporter.transport._login import VERSION, Login
from exporter.transport._reading import whole
from exporter.transport._retrying import Again, Patience, Unusable

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI


class _Refused(Exception):
    """Carries an answer that is no success out of the SDK, which would wrap it."""

    def __init__(self, answer: Answer, token: int) -> None:
        super().__init__(answer.status)
        self.answer, self.token = answer, token
        "The answer, and the hash of the token that was refused."


class Client:
    """One profile's connection to its endpoint, opened when it is first used."""

    def __init__(self, login: Login, timeout: tuple[float, float], max_bytes: int, patience: float) -> None:
        self._login = login
        self._timeout, self._max_bytes, self._patience = timeout, max_bytes, patience
        self._sdk: AsyncOpenAI | None = None
        self.last_date: datetime | None = None
        self.last_seen: float | None = None

    async def open(
        self, path: str, params: Sequence[tuple[str, str]], headers: Mapping[str, str], spend: Callable[[], None]
    ) -> httpx2.Response | Answer:
        """Send one request; return a success whose body is to be read, or the whole answer of a refusal.

        A token that is refused before it expires is renewed, and the request sent once more. `spend` is called before
        each. Raises `Again` and `Unusable`, and `SourceError` where the profile cannot come in at all.
        """
        spend()
        got = await self._send(path, params, headers)
        if isinstance(got, tuple) and got[0].status == 401 and await self._login.renewed(got[1]):
            spend()
            got = await self._send(path, params, headers)
        return self._login.judged(got[0]) if isinstance(got, tuple) else got

    async def _send(
        self, path: str, params: Sequence[tuple[str, str]], headers: Mapping[str, str]
    ) -> httpx2.Response | tuple[Answer, int]:
        """Send one request; return a success, or a refusal with the hash of the token that it came with."""
        import httpx2
        import openai

        if not path.startswith("/"):
            raise Unusable("it is no path under the endpoint")  # the SDK would go there, and take the key along
        url = self._login.url(path, params)
        trouble: Exception
        try:
            # Without a query of the client's own, such as Azure's version: the SDK would then keep only one of
            # several include[] in the path, where they are because it writes lists in a form of its own.
            return await self._client().get(
                url,
                cast_to=httpx2.Response,
                options={
                    "headers": {**headers, "X-Stainless-Raw-Response": "stream"},
                    "params": {VERSION: openai.omit},
                },
            )
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

    def answer(self, response: httpx2.Response, body: bytes) -> Answer:
        """Return what a server said; of a refusal, without any secret that it repeats."""
        headers = {name.lower(): value for name, value in response.headers.items()}
        if response.status_code >= 300:
            body = self._login.scrubbed(body)
            headers = {name: self._login.scrubbed(value.encode()).decode() for name, value in headers.items()}
        return Answer(response.status_code, headers, body)

    @property
    def waits(self) -> httpx2.Timeout:
        """How long to wait for a connection and for each piece; the pace bounds what waits for a free one."""
        import httpx2

        connect, read = self._timeout
        return httpx2.Timeout(read, connect=connect, pool=None)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._sdk is not None:
            await self._sdk.close()

    async def _hook(self, response: httpx2.Response) -> None:
        self._note_date(response.headers)
        if response.status_code >= 300:
            body = await whole(response, self._max_bytes, Patience(self._patience))
            token = response.request.headers.get("authorization", "").removeprefix("Bearer ")
            raise _Refused(self.answer(response, body), hash(token))

    def _note_date(self, headers: Mapping[str, str]) -> None:
        try:
            self.last_date = parsedate_to_datetime(headers["date"])
            self.last_seen = time.time()
        except (KeyError, ValueError):
            return

    def _client(self) -> AsyncOpenAI:
        if self._sdk is None:
            import openai

            with connectable(self._login):
                self._sdk = self._login.client(
                    openai.DefaultAsyncHttpxClient(
                        timeout=self.waits, follow_redirects=False, event_hooks={"response": [self._hook]}
                    )
                )
        return self._sdk


@contextmanager
def connectable(login: Login) -> Iterator[None]:
    """Name the settings of this machine that prevent any connection."""
    try:
        yield
    except (OSError, ImportError, ValueError) as error:
        raise ProfileUnusable(
            f"profile {printable(login.profile.name)}: no connection can be made from here ({type(error).__name__}); "
            "look at SSL_CERT_FILE, SSL_CERT_DIR and the proxies named in HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"
        ) from None
