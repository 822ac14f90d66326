"""As whom a profile comes to its server: the SDK's own clients log in, each in its way.

Nothing here is sent before it was checked where it may go, and what was shown is taken out of what is quoted.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from exporter.endpoint import endpoint_of, is_local, secrets_in
from exporter.errors import CredentialsRefused, ProfileUnusable, UsageError
from exporter.model import Profile, Secret, printable, remember, spelled
from exporter.sources import Answer
from exporter.transport import _entra

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

VERSION = "api-version"
VERSIONED = (
    (".services.ai.azure.com", re.compile(r"/api/projects/[^/]+/?"), "v1"),
    (".openai.azure.com", re.compile(r"/openai/?"), "2024-05-01-preview"),
)
"Azure's addresses that answer nothing without a version: end of the host, path, and a version as an example."
COMPLAINTS = re.compile(
    rb"(?:missing|required)[^.]{0,60}api-version|api-version[^.]{0,40}(?:missing|required)"
    rb"|(?:unsupported|invalid|unknown) api[- ]version|api[- ]version[^.]{0,40} not (?:supported|allowed|valid)",
    re.IGNORECASE,
)
"What Azure says of the version itself; other refusals may speak of it too."
UNRESERVED = re.compile(r"[\w.~-]*", re.ASCII)
"What stands in a query as it is."
SHORTEST = 8
"A shorter key is taken out of nothing: it may well be a part of a word."
REMEMBERED = 8
"Tokens that are still looked for in answers; one lasts for about an hour."


class Login:
    """A profile at its server's door."""

    def __init__(self, profile: Profile) -> None:
        check(profile)
        self.profile = profile
        self._shown: deque[str] = deque(maxlen=REMEMBERED)
        self._lasting = tuple(one for one in secrets_in(profile.base_url) if len(one) >= SHORTEST)
        for secret in self._lasting:
            remember(secret)
        self._query = _query(profile)
        self._tokens = _entra.Tokens(profile) if profile.auth == "entra" and not profile.key else None

    def client(self, web: httpx2.AsyncClient, token: Callable[[], Awaitable[str]] | None = None) -> AsyncOpenAI:
        """Return the SDK's client for this profile; it sends its requests through `web`, and asks `token` for one."""
        import openai

        profile = self.profile
        common: dict[str, Any] = {"base_url": endpoint_of(profile.base_url), "max_retries": 0}
        common |= {"http_client": web, "timeout": web.timeout}
        client: AsyncOpenAI
        if profile.auth == "bearer":
            client = openai.AsyncOpenAI(api_key=self.key() or "none", **common)
        elif profile.auth == "api-key":
            client = openai.AsyncAzureOpenAI(api_key=self.key() or "none", api_version="", **common)
        else:
            client = openai.AsyncAzureOpenAI(azure_ad_token_provider=token or self.token, api_version="", **common)
        # after construction: None must mean none here, not what the environment says
        client.organization, client.project = profile.organization, profile.project
        return client

    def url(self, path: str, params: Sequence[tuple[str, str]]) -> str:
        """Return path and query: what the base URL and the profile say goes along with every request."""
        query = "&".join((*self._query, *map(_said, params)))
        return f"{path}?{query}" if query else path

    async def renewed(self, refused: int) -> bool:
        """Whether there is another token than the one of this hash, so that who was refused may ask again."""
        return self._tokens is not None and await self._tokens.renewed(refused)

    def scrubbed(self, text: bytes) -> bytes:
        """Return an answer's text without the key, the tokens or the query that were sent, however it spells them."""
        for secret in sorted((*self._lasting, *self._shown), key=len, reverse=True):
            text = re.sub(spelled(secret).encode(), b"***", text)
        return text

    def judged(self, refusal: Answer) -> Answer:
        """Return a refusal; `ProfileUnusable` where it is about the version: none is said, or none is wanted."""
        where = f"profile {printable(self.profile.name)}: {endpoint_of(self.profile.base_url)}"
        if not _about_version(refusal, endpoint_of(self.profile.base_url)):
            return refusal
        if _has_version(self.profile):
            raise ProfileUnusable(
                f"{where} does not take this api-version (HTTP {refusal.status}): leave it out where the path ends in "
                "/openai/v1, else set one that it has; see docs/azure.md"
            )
        raise ProfileUnusable(
            f"{where} wants an api-version (HTTP {refusal.status}); set api_version in exporter.toml, such as "
            '"v1" for a Foundry project; see docs/azure.md'
        )

    def key(self) -> str:
        """Return the key or ready token as it is now, and remember to take it out of what is quoted."""
        return self._noted(self.profile.key.reveal().strip())

    async def token(self) -> str:
        """Return a token that is valid now; raises what `Tokens` raises."""
        return self._noted(await self._tokens()) if self._tokens else self.key() or "none"

    def _noted(self, secret: str) -> str:
        remember(secret)
        if len(secret) >= SHORTEST and secret not in self._shown:
            self._shown.append(secret)
        return secret


def _query(profile: Profile) -> tuple[str, ...]:
    """Return what the base URL and the profile say in every query."""
    version = profile.api_version
    kept = [pair for pair in parse_qsl(urlsplit(profile.base_url).query) if not version or pair[0] != VERSION]
    query = urlencode([*kept, *([(VERSION, version)] if version else [])])
    return (query,) if query else ()


@lru_cache(256)
def _said(pair: tuple[str, str]) -> str:
    """Return a parameter as it stands in a query; most are the same in every question."""
    name, text = pair
    return f"{_quoted(name)}={_quoted(text)}"


def _quoted(text: str) -> str:
    """Return a name or a value as `urlencode` writes it, which looks at each letter: most ids need nothing."""
    return text if UNRESERVED.fullmatch(text) else quote_plus(text)


def check(profile: Profile) -> None:
    """Refuse to send a credential where it must not go, and to go where one is missing; no frame holds its text."""
    parts, where = urlsplit(profile.base_url.strip()), endpoint_of(profile.base_url)
    who = f"profile {printable(profile.name)}"
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"base URL {where}: credentials do not belong into a URL; use the profile's key")
    for what in ("key", "organization", "project"):
        if not _fits_a_header(profile, what):
            raise UsageError(f"{who}: the {what} has characters that no header can hold")
    local, by_identity = is_local(profile.base_url), profile.auth == "entra" and not profile.key
    if parts.scheme == "http" and not local and (profile.key or by_identity):
        raise UsageError(f"base URL {where}: a key is not sent over plain http to another machine; use https")
    if by_identity and not _entra.installed():
        raise ProfileUnusable(
            f"{who}: its token comes from azure-identity, which is not installed here: "
            "pip install 'conversation-exporter[azure]'"
        )
    if not profile.key and not local and not by_identity:
        hint = "AZURE_OPENAI_API_KEY" if profile.auth == "api-key" else "OPENAI_API_KEY"
        raise CredentialsRefused(f"{who} has no key for {where}; set {hint}")
    _check_version(profile, parts.hostname or "", parts.path)


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


def with_session(profile: Profile) -> Profile:
    """Return the profile as its owner's browser is seen: for the lists that no key may see.

    The session's token goes where a key would. `UsageError` where the profile has none.
    """
    if not profile.session:
        raise UsageError(
            f"profile {printable(profile.name)!r} has no session token: say in exporter.toml where it is, with "
            "session_key_env, session_key_file or session_key_command. It is what your browser sends while you are "
            "logged in; it is short-lived, and using it is your own responsibility"
        )
    return replace(profile, key=profile.session, auth="bearer", session=Secret(""))


def _check_version(profile: Profile, host: str, path: str) -> None:
    if _has_version(profile):
        return
    for ending, shape, usual in VERSIONED:
        if host.endswith(ending) and shape.fullmatch(path):
            raise UsageError(
                f"profile {printable(profile.name)}: {endpoint_of(profile.base_url)} answers only with an api-version; "
                f'set api_version = "{usual}" in exporter.toml, or OPENAI_API_VERSION; see docs/azure.md'
            )


def _about_version(refusal: Answer, endpoint: str) -> bool:
    """Whether an answer complains of the version; where it is in no path, Azure OpenAI just finds nothing without."""
    if refusal.status == 404 and endpoint.endswith("/openai"):
        return b"Resource not found" in refusal.body
    return refusal.status in (400, 404) and COMPLAINTS.search(refusal.body) is not None


def _has_version(profile: Profile) -> bool:
    return bool(profile.api_version) or VERSION in urlsplit(profile.base_url).query


def _fits_a_header(profile: Profile, what: str) -> bool:
    text = profile.key.reveal().strip() if what == "key" else getattr(profile, what) or ""
    return all("!" <= c <= "~" for c in text)
