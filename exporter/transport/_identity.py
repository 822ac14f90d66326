"""What is sent with every request of a profile: the SDK's own headers, so that a server sees one client.

The SDK says them itself, to a server that is none. Its import takes a second, so where a key stands in a header and
nothing else is set, they are written down here as they are known, and a test compares them with the SDK's.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata

from exporter.model import Profile
from exporter.transport._login import VERSION, Login
from exporter.transport._sdk import RAW

MACHINES = {"x86_64": "x64", "arm64": "arm64", "aarch64": "arm64"}
SYSTEMS = {"Linux": "Linux", "Darwin": "MacOS"}
CONNECTION = frozenset({"host", "accept-encoding"})
"What the one who carries says for himself."


class Identity:
    """A profile's headers, the one that lets it in among them."""

    def __init__(self, login: Login, read_timeout: float) -> None:
        self._login, self._read_timeout = login, read_timeout
        self._known: Mapping[str, str] | None = None

    async def headers(self) -> Mapping[str, str]:
        """Return what goes along now; raises what fetching a token raises."""
        if self._known is None:
            self._known = known(self._login, self._read_timeout) or await asked(self._login, self._read_timeout)
        if self._login.profile.auth != "entra":
            return self._known
        return {**self._known, "Authorization": f"Bearer {await self._login.token()}"}


def known(login: Login, read_timeout: float) -> dict[str, str] | None:
    """Return the headers of a profile that has a key and nothing else; None where only the SDK knows them."""
    profile = login.profile
    system, machine = SYSTEMS.get(platform.system()), MACHINES.get(platform.machine().lower())
    if profile.auth != "bearer" or system is None or machine is None or os.environ.get("OPENAI_CUSTOM_HEADERS"):
        return None
    version = metadata.version("openai")
    return {
        "Accept": "application/json",
        "Connection": "keep-alive",
        "User-Agent": f"AsyncOpenAI/Python {version}",
        "X-Stainless-Lang": "python",
        "X-Stainless-Package-Version": version,
        "X-Stainless-OS": system,
        "X-Stainless-Arch": machine,
        "X-Stainless-Runtime": platform.python_implementation(),
        "X-Stainless-Runtime-Version": platform.python_version(),
        "X-Stainless-Async": "async:asyncio",
        "X-Stainless-Retry-Count": "0",
        "X-Stainless-Read-Timeout": str(read_timeout),
        **RAW,
        **_owner(profile),
        "Authorization": f"Bearer {login.key() or 'none'}",
    }


async def asked(login: Login, read_timeout: float) -> dict[str, str]:
    """Return the headers that the SDK sends; of those of Entra ID, all but the token."""
    import httpx2
    import openai

    seen: list[httpx2.Headers] = []

    def nobody(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers)
        return httpx2.Response(204)

    async def later() -> str:
        return "later"

    web = httpx2.AsyncClient(transport=httpx2.MockTransport(nobody), timeout=read_timeout)
    async with login.client(web, token=later) as sdk:
        await sdk.get("/", cast_to=httpx2.Response, options={"headers": RAW, "params": {VERSION: openai.omit}})
    left = CONNECTION if login.profile.auth != "entra" else CONNECTION | {"authorization"}
    return {name: value for name, value in seen[0].items() if name not in left}


def _owner(profile: Profile) -> dict[str, str]:
    said = {"OpenAI-Organization": profile.organization, "OpenAI-Project": profile.project}
    return {name: value for name, value in said.items() if value is not None}
