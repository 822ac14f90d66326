"""One profile's way to its endpoint, whatever carries it: who refuses is heard out, and a refused token is renewed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from exporter.endpoint import endpoint_of
from exporter.errors import UsageError
from exporter.model import printable
from exporter.sources import Answer
from exporter.transport._lean import LeanWire, carries
from exporter.transport._login import Login
from exporter.transport._reading import whole
from exporter.transport._retrying import Patience, Unusable, moment
from exporter.transport._sdk import SdkWire
from exporter.transport._wire import ACCEPTED, Incoming, Method, Wire

VARIABLE = "EXPORTER_CLIENT"


class Client:
    """One profile's connection to its endpoint, opened when it is first used."""

    def __init__(self, login: Login, timeout: tuple[float, float], max_bytes: int, patience: float) -> None:
        self._login, self._max_bytes = login, max_bytes
        self._wire = _wire(login, timeout, max_bytes, patience)
        self._said = ""
        self.last_date: datetime | None = None
        self.last_seen: float | None = None

    async def open(
        self,
        path: str,
        params: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        spend: Callable[[], None],
        patience: Patience,
        *,
        method: Method = "GET",
    ) -> Incoming | Answer:
        """Send one request; return a success whose body is to be read, or the whole answer of a refusal.

        A token that is refused before it expires is renewed, and the request sent once more. `spend` is called before
        each. Raises `Again` and `Unusable`, and `SourceError` where the profile cannot come in at all.
        """
        if not path.startswith("/"):
            raise Unusable("it is no path under the endpoint")  # the SDK would go there, and take the key along
        target, headers = self._login.url(path, params), {"Accept-Encoding": ACCEPTED, **headers}
        spend()
        got, token = await self._wire.send(target, headers, method)
        if got.status == 401 and await self._login.renewed(token):
            await got.aclose()
            spend()
            got, token = await self._wire.send(target, headers, method)
        self._note_date(got.headers.get("date", ""))
        if got.status < 300:
            return got
        return self._login.judged(self.answer(got, await whole(got, self._max_bytes, patience)))

    def answer(self, incoming: Incoming, body: bytes) -> Answer:
        """Return what a server said; of a refusal, without any secret that it repeats."""
        headers = incoming.headers
        if incoming.status >= 300:
            body = self._login.scrubbed(body)
            headers = {name: self._login.scrubbed(value.encode()).decode() for name, value in headers.items()}
        return Answer(incoming.status, headers, body)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()

    def _note_date(self, said: str) -> None:
        if not said:
            return
        self.last_seen = time.time()
        if said != self._said:
            self._said = said
            self.last_date = moment(said) or self.last_date


def _wire(login: Login, timeout: tuple[float, float], max_bytes: int, patience: float) -> Wire:
    """Return what carries a profile's requests: the lean one, where nobody says otherwise and it knows the way."""
    endpoint, how = endpoint_of(login.profile.base_url), os.environ.get(VARIABLE) or login.profile.client
    if how not in ("lean", "sdk"):
        raise UsageError(f"{VARIABLE} is {printable(how)!r}, and there are lean and sdk")
    if how == "lean" and carries(endpoint):
        return LeanWire(login, endpoint, timeout)
    return SdkWire(login, timeout, max_bytes, patience)
