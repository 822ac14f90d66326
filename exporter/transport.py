"""Reaches a server with the SDK's client: its login and headers, our retries, the server's bytes.

The SDK is asked for the raw response and never retries; every attempt is one request of the pace and of the budget.
Errors of the SDK and of HTTP end here: what leaves is an `Answer` or one of our errors, and none of them knows the key.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from exporter.endpoint import endpoint_of, is_local
from exporter.errors import BadAnswer, BudgetReached, CredentialsRefused, ProfileUnusable, Temporary, UsageError
from exporter.model import Profile, printable
from exporter.pacing import Pace
from exporter.sources import NO_HEADERS, Answer

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

RETRIED = frozenset({408, 409, 425, 429})
WAIT_FIRST, WAIT_MAX = 0.5, 30.0
RETRY_AFTER_MAX = 120.0
"Seconds; who asks for more is not waited for: run again later."

# stamina reports each retry as a warning, which Python prints when nobody configured logging
logging.getLogger("stamina").addHandler(logging.NullHandler())


class _Again(Exception):
    """This attempt failed in a way that another may not."""

    def __init__(self, what: str, attempt: int, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.attempt, self.retry_after = attempt, retry_after


class _Refused(Exception):
    """Carries an answer that is no success out of the SDK, which would wrap it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class _TooLarge(Exception):
    """The body is longer than we are willing to hold."""


class Budget:
    """How many requests a run may send, over all its servers; None is any number."""

    def __init__(self, requests: int | None) -> None:
        self.requests = requests
        self._left = requests

    def spend(self) -> None:
        """Take one; `BudgetReached` when none is left."""
        if self._left is not None:
            if self._left < 1:
                raise BudgetReached(f"{self.requests:,} requests were sent, as many as allowed; run again to go on")
            self._left -= 1


class SdkTransport:
    """One profile's way to its server. Close it with `aclose()`, or use it as an async context manager."""

    def __init__(
        self,
        profile: Profile,
        pace: Pace,
        *,
        budget: Budget | None = None,
        attempts: int = 8,
        patience: float = 600.0,
        timeout: tuple[float, float] = (10.0, 60.0),
        max_bytes: int = 512 * 2**20,
    ) -> None:
        self.endpoint = endpoint_of(profile.base_url)
        self.requests = 0
        self._budget = budget or Budget(None)
        self.last_date: datetime | None = None
        "What the server's clock said last, in `Date`."
        self.last_seen: float | None = None
        "Our clock at that moment (time.time())."
        check(profile)
        self._profile, self._pace = profile, pace
        self._attempts, self._patience = attempts, patience
        self._timeout, self._max_bytes = timeout, max_bytes
        self._client: AsyncOpenAI | None = None

    async def get(
        self, path: str, params: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """GET a path under the endpoint, again while that may help; `Temporary` when it did not."""
        import stamina

        try:
            async for attempt in stamina.retry_context(on=backoff, attempts=self._attempts, timeout=self._patience):
                with attempt:
                    return await self._once(path, params, headers, attempt.num)
        except _Again as last:
            trouble = f"GET {printable(path)} at {self.endpoint}: {last} (attempt {last.attempt})"
        raise Temporary(f"{trouble}; run again later")

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"SdkTransport({self.endpoint!r})"

    async def _once(
        self, path: str, params: Sequence[tuple[str, str]], headers: Mapping[str, str], attempt: int
    ) -> Answer:
        """Send one request; what another attempt may better is `_Again`."""
        async with self._pace.slot():
            self._spend()
            answer = await self._send(path, params, headers, attempt)
            after = retry_after(answer.headers)
            if answer.status == 429 or (answer.status == 503 and after is not None):
                self._pace.slowed(None if after is not None and after > RETRY_AFTER_MAX else after)
        if retryable(answer):
            raise _Again(f"HTTP {answer.status}", attempt, after)
        return answer

    async def _send(
        self, path: str, params: Sequence[tuple[str, str]], headers: Mapping[str, str], attempt: int
    ) -> Answer:
        import httpx2
        import openai

        # in the path, because the SDK writes lists in a form of its own
        query = urlencode([*parse_qsl(urlsplit(self._profile.base_url).query), *params])
        url = f"{path}?{query}" if query else path
        trouble: Exception
        try:
            response = await self._sdk().get(
                url, cast_to=httpx2.Response, options={"headers": {**headers, "X-Stainless-Raw-Response": "stream"}}
            )
            return await self._read(response)
        except _Refused as refused:
            return refused.answer
        except _TooLarge:
            trouble = BadAnswer(f"GET {printable(path)}: the body is longer than {self._max_bytes:,} bytes")
        except (openai.APITimeoutError, httpx2.TimeoutException, TimeoutError):
            trouble = _Again("no answer in time", attempt)
        except (openai.APIConnectionError, httpx2.RequestError) as error:
            trouble = _Again(f"no whole answer came ({type(error.__cause__ or error).__name__})", attempt)
        except (openai.OpenAIError, httpx2.InvalidURL, UnicodeError, ValueError) as error:
            trouble = BadAnswer(f"GET {printable(path)} could not be sent ({type(error).__name__})")
        # raised outside of the handlers: the SDK's exception holds the request, and so the key
        raise trouble

    async def _read(self, response: httpx2.Response) -> Answer:
        """Read the whole body, but never more than `max_bytes`."""
        body = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._max_bytes:
                    raise _TooLarge
        finally:
            await response.aclose()
        headers = {name.lower(): value for name, value in response.headers.items()}
        self._note_date(headers)
        content = bytes(body)
        if response.status_code >= 300 and self._profile.key:
            content = content.replace(self._profile.key.reveal().strip().encode(), b"***")
        return Answer(response.status_code, headers, content)

    async def _hook(self, response: httpx2.Response) -> None:
        if response.status_code >= 300:
            raise _Refused(await self._read(response))

    def _spend(self) -> None:
        self._budget.spend()
        self.requests += 1

    def _note_date(self, headers: Mapping[str, str]) -> None:
        try:
            self.last_date = parsedate_to_datetime(headers["date"])
            self.last_seen = time.time()
        except (KeyError, ValueError):
            return

    def _sdk(self) -> AsyncOpenAI:
        if self._client is None:
            try:
                self._client = self._new_client()
            except (OSError, ImportError, ValueError) as error:
                kind = type(error).__name__
                raise ProfileUnusable(
                    f"profile {printable(self._profile.name)}: no connection can be made from here ({kind}); look at "
                    "SSL_CERT_FILE, SSL_CERT_DIR and the proxies named in HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"
                ) from None
        return self._client

    def _new_client(self) -> AsyncOpenAI:
        import httpx2
        import openai

        connect, read = self._timeout
        timeout = httpx2.Timeout(read, connect=connect, pool=None)  # the pace bounds what waits for a connection
        web = openai.DefaultAsyncHttpxClient(
            timeout=timeout, follow_redirects=False, event_hooks={"response": [self._hook]}
        )
        client = openai.AsyncOpenAI(
            api_key=self._profile.key.reveal().strip() or "none",
            base_url=self.endpoint,
            max_retries=0,
            timeout=timeout,
            http_client=web,
        )
        # after construction: None must mean none here, not what the environment says
        client.organization, client.project = self._profile.organization, self._profile.project
        return client


def backoff(error: Exception) -> bool | float:
    """Return how long to wait before the next attempt, False for none: what the server says, else full jitter."""
    if not isinstance(error, _Again):
        return False
    if error.retry_after is not None:
        return False if error.retry_after > RETRY_AFTER_MAX else error.retry_after
    return random.uniform(0, min(WAIT_MAX, WAIT_FIRST * 2**error.attempt))  # noqa: S311 - no secret


def retryable(answer: Answer) -> bool:
    """Whether the same request may be answered better soon."""
    said = answer.headers.get("x-should-retry", "").lower()
    if answer.status < 400 or said == "false" or b"insufficient_quota" in answer.body:
        return False
    return said == "true" or answer.status in RETRIED or answer.status >= 500


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the server wants to be left alone; None when it does not say."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError):
        return None


def check(profile: Profile) -> None:
    """Refuse to send the key where it must not go; no frame here holds its text."""
    parts, where = urlsplit(profile.base_url.strip()), endpoint_of(profile.base_url)
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"base URL {where}: credentials do not belong into a URL; use the profile's key")
    for what in ("key", "organization", "project"):
        if not _fits_a_header(profile, what):
            raise UsageError(f"profile {printable(profile.name)}: the {what} has characters that no header can hold")
    local = is_local(profile.base_url)
    if profile.key and parts.scheme == "http" and not local:
        raise UsageError(f"base URL {where}: a key is not sent over plain http to another machine; use https")
    if not profile.key and not local:
        raise CredentialsRefused(f"profile {printable(profile.name)} has no key for {where}; set OPENAI_API_KEY")


def _fits_a_header(profile: Profile, what: str) -> bool:
    text = profile.key.reveal().strip() if what == "key" else getattr(profile, what) or ""
    return all("!" <= c <= "~" for c in text)
