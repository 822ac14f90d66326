"""Words that stand for names, ids, addresses and keys: the same word for the same one, by a secret key.

It hides what has a shape or a place. A name that somebody wrote in the middle of a sentence has neither, unless it is
that of the thread's own user or customer: `docs/sharing.md` says what stays.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from exporter.errors import CredentialsRefused, UsageError
from exporter.keys import looked_up, place_in
from exporter.model import Secret

VARIABLE = "EXPORTER_PSEUDONYM_KEY"
LENGTH_MIN = 16
"Characters of a key that nobody guesses by trying."
WORD = 16
"Characters of a pseudonym after its kind: 80 bits, so that no two of a billion are the same."
AN_ID = re.compile(r"([A-Za-z][A-Za-z0-9]{0,15}(?:[-_][a-z]{2,12})?[-_])?[A-Za-z0-9_.:+/=-]+", re.ASCII)


class Pseudonyms:
    """Words that stand for others, by one key; counts what it replaced, by kind."""

    def __init__(self, key: Secret) -> None:
        self._key = hashlib.sha256(b"exporter pseudonyms\0" + key.reveal().encode()).digest()
        self.counts: Counter[str] = Counter()
        self._word = lru_cache(maxsize=100_000)(self._made)

    def of(self, kind: str, value: str) -> str:
        """Return what stands for a value of a kind, `user-` and sixteen characters; another kind gives another."""
        self.counts[kind] += 1
        return f"{kind}-{self._word(kind, value)}"

    def id(self, value: str) -> str:
        """Return what stands for an id: it begins as the id does, so that it can be told what it is of."""
        if not value:
            return value
        self.counts["id"] += 1
        found = AN_ID.fullmatch(value)
        return f"{(found and found[1]) or 'id_'}{self._word('id', value)}"

    def host(self, endpoint: str) -> str:
        """Return what stands for the host of a server."""
        return f"{self.of('endpoint', endpoint)}.invalid"

    def _made(self, kind: str, value: str) -> str:
        digest = hmac.digest(self._key, f"{kind}\0{value}".encode("utf-8", "surrogatepass"), "sha256")
        return base64.b32encode(digest).decode().lower()[:WORD]


def key_of(environ: Mapping[str, str] = os.environ) -> Secret | None:
    """Return the key that variables name, None where none does; `UsageError` where it could be guessed."""
    place = place_in(environ, VARIABLE)
    if not place:
        return None
    text = looked_up(place, environ, VARIABLE).strip()
    if not text:
        raise CredentialsRefused(f"{VARIABLE}: {place} is empty")
    if len(text) < LENGTH_MIN:
        raise UsageError(f"{VARIABLE}: a key has at least {LENGTH_MIN} characters; `openssl rand -hex 32` makes one")
    return Secret(text)


def any_key() -> Secret:
    """Return a key that nobody will ever know again."""
    return Secret(secrets.token_hex(32))
