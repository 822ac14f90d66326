"""Where a secret is, and how it is fetched from there: late, once, and never into a message."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.errors import CredentialsRefused, UsageError
from exporter.model import Secret

COMMAND_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where one secret is: in a variable, in a file, or printed by a command; or nowhere."""

    env: str | None = None
    file: str | None = None
    command: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.env or self.file or self.command)

    def __str__(self) -> str:
        if self.file:
            return f"the file {self.file}"
        if self.command:
            return f"the command {self.command[0]}"
        return f"${self.env}" if self.env else "nowhere"


class LateSecret(Secret):
    """A key that is fetched when it is asked for: who only reads an archive needs none."""

    __slots__ = ("_fetch", "key_from")

    def __init__(self, fetch: Callable[[], str], key_from: str) -> None:
        super().__init__("")
        self._fetch = fetch
        self.key_from = key_from
        "Where it is, in words."

    def reveal(self) -> str:
        """Fetch the key, once; `CredentialsRefused` says which variable, file or command does not have it."""
        if not self._text:
            self._text = self._fetch()
        return self._text

    def __bool__(self) -> bool:
        return bool(self.reveal())


def settings(what: str) -> tuple[str, ...]:
    """Return the settings that say where a secret is: of `api_key`, `api_key_env` and so on."""
    return tuple(f"{what}_{kind}" for kind in ("env", "file", "command"))


def place(what: str, said: Mapping[str, Any], where: str) -> Place:
    """Return where the secret `what` is, by the settings of one profile, whose texts are texts."""
    named = [one for one in settings(what) if said.get(one)]
    if len(named) > 1:
        raise UsageError(f"{where}: {' and '.join(named)} both name a key; keep one of them")
    name = f"{what}_command"
    command = said.get(name, [])
    try:
        words = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise UsageError(f"{where}: {name} cannot be split into words: {error}") from None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UsageError(f'{where}: {name} is a text or a list of texts, like ["pass", "openai"]')
    return Place(said.get(f"{what}_env") or None, said.get(f"{what}_file") or None, tuple(words))


def fetched(place: Place, environ: Mapping[str, str], who: str) -> str:
    """Return what is in a place, "" where it is empty; `CredentialsRefused` where it is no key, unseen."""
    if place.command:
        text = _from_command(place.command, who)
    elif place.file:
        text = _from_file(place.file, who)
    else:
        text = environ.get(place.env or "", "")
    text = text.strip()
    if not all("!" <= c <= "~" for c in text):
        # Refused here: an HTTP library would print it in its own error.
        raise CredentialsRefused(f"{who}: what {place} holds is no key: one word of plain characters")
    return text


def _from_file(path: str, who: str) -> str:
    try:
        return Path(path).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        raise CredentialsRefused(f"{who}: no key in {path}: {reason}") from None


def _from_command(command: tuple[str, ...], who: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command, from the user's own file
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=COMMAND_SECONDS, check=True, text=True
        )
    except subprocess.CalledProcessError as error:
        raise CredentialsRefused(f"{who}: {command[0]} gave no key, its exit code was {error.returncode}") from None
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise CredentialsRefused(f"{who}: {command[0]} gave no key: {reason}") from None
    return done.stdout
