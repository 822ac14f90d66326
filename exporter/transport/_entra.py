"""Tokens of Entra ID, by `azure-identity`: fetched late, kept by it, and renewed before they expire.

Its credentials are the blocking ones, in a thread: those for asyncio would need a second HTTP library. Nobody is
there at night to answer a prompt, so whatever opens a browser or a window is left out.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
import time
from collections.abc import Callable

from exporter.errors import CredentialsRefused, ExporterError, ProfileUnusable
from exporter.model import Profile, printable
from exporter.transport._retrying import Again

PATIENT = {"retry_total": 3, "connection_timeout": 10, "read_timeout": 30}
"Seconds and retries towards Entra ID: its own settings would wait for many minutes."
NETWORK = re.compile(
    r"HTTPS?Connection|timed out|failed to resolve|connection (?:refused|reset|aborted)", re.IGNORECASE
)
"The chain of credentials keeps the words of a network's error, and nothing else of it."
FRESH = 60.0
"Seconds in which a new token is not thought to be refused for its age."
REASON = re.compile(r"AADSTS\d+: [^.\r\n]{1,160}")
"What Entra ID says itself; no other words are repeated, they may hold anything."

# it warns about each credential that is not set up, which Python prints when nobody configured logging
for name in ("azure", "msal"):
    logging.getLogger(name).addHandler(logging.NullHandler())


def installed() -> bool:
    """Whether `azure-identity` is there."""
    try:
        return importlib.util.find_spec("azure.identity") is not None
    except ModuleNotFoundError:
        return False


class Tokens:
    """Gives a token that is valid now, each time it is called.

    Raises `CredentialsRefused` when there is none to be had, and from then on; `Again` when Entra ID is out of reach.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._lock = asyncio.Lock()
        self._provider: Callable[[], str] | None = None
        self._refused: str | None = None
        self._given, self._since = 0, 0.0
        "The hash of the token that is in use, and since when it is (time.monotonic())."

    async def __call__(self) -> str:
        """Return the token; one caller at a time asks for it."""
        async with self._lock:
            if self._refused is not None:
                raise CredentialsRefused(self._refused)
            got = await asyncio.to_thread(self._ask)
            if isinstance(got, CredentialsRefused):
                self._refused = str(got)
            if isinstance(got, str):
                self._note(got)
        if isinstance(got, str):
            return got
        raise got

    async def renewed(self, refused: int) -> bool:
        """Whether there is another token than the one of this hash, which a server refused before it expired.

        A sign-in may be revoked, a clock may be wrong. What gave the old one is forgotten, as it would keep giving it.
        """
        async with self._lock:
            if self._given == refused and time.monotonic() - self._since > FRESH:
                self._provider = None
                got = await asyncio.to_thread(self._ask)
                if isinstance(got, str):
                    self._note(got)
            return self._given != refused

    def _note(self, token: str) -> None:
        if hash(token) != self._given:
            self._given, self._since = hash(token), time.monotonic()

    def _ask(self) -> str | ExporterError | Again:
        """Return a token, or our error, which is raised where no error of Azure's can hang on it."""
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        try:
            if self._provider is None:
                self._provider = _provider(self._profile.entra_scope)
            return self._provider()
        except ClientAuthenticationError as error:  # CredentialUnavailableError is one
            return self._judged(str(error))
        except AzureError as error:
            return Again(f"Entra ID gave no token ({type(error).__name__})")
        except ValueError as error:
            who = printable(self._profile.name)
            return ProfileUnusable(
                f"profile {who}: azure-identity cannot be set up from AZURE_* variables ({type(error).__name__}); "
                "AZURE_TOKEN_CREDENTIALS must name a way to log in that asks nobody"
            )

    def _judged(self, text: str) -> CredentialsRefused | Again:
        said = REASON.search(text)
        if said is None and NETWORK.search(text):
            return Again("Entra ID cannot be reached for a token")
        why = printable(said[0]) if said else "no way to log in is set up here, or none was accepted"
        return CredentialsRefused(
            f"profile {printable(self._profile.name)}: no token for {printable(self._profile.entra_scope)}: {why}. "
            "Log in with `az login`, give this machine a managed identity, or set AZURE_TENANT_ID, AZURE_CLIENT_ID "
            "and AZURE_CLIENT_SECRET of a service principal"
        )


def _provider(scope: str) -> Callable[[], str]:
    from azure import identity

    # said in so many words, because AZURE_TOKEN_CREDENTIALS could put the browser in
    credential = identity.DefaultAzureCredential(
        exclude_interactive_browser_credential=True, exclude_broker_credential=True, **PATIENT
    )
    return identity.get_bearer_token_provider(credential, scope)
