"""Where a secret is, and how it is fetched from there: late, once, and never into a message.

The same for the keys of servers and for the key of an encrypted archive: a variable, a file, a command, a keyring.
"""

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
KINDS = ("env", "file", "command", "keyring")
KEYRING_EXTRA = "pip install 'conversation-exporter[keyring]'"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one secret is: in a variable, in a file, printed by a command, or in the system's keyring; or nowhere."""

    env: str | None = None
    file: str | None = None
    command: tuple[str, ...] = ()
    keyring: tuple[str, str] | None = None
    "Service and user, as `keyring set SERVICE USER` takes them."

    def __bool__(self) -> bool:
        return bool(self.env or self.file or self.command or self.keyring)

    def __str__(self) -> str:
        if self.file:
            return f"the file {self.file}"
        if self.command:
            return f"the command {self.command[0]}"
        if self.keyring:
            return f"{'/'.join(self.keyring)} of the keyring"
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
        return super().reveal()

    def __bool__(self) -> bool:
        return bool(self.reveal())


def settings(what: str) -> tuple[str, ...]:
    """Return the settings that say where a secret is: of `api_key`, `api_key_env` and so on."""
    return tuple(f"{what}_{kind}" for kind in KINDS)


def place(what: str, said: Mapping[str, Any], where: str) -> Place:
    """Return where the secret `what` is, by the settings of one profile, whose texts are texts."""
    named = [one for one in settings(what) if said.get(one)]
    if len(named) > 1:
        raise UsageError(f"{where}: {' and '.join(named)} both name a key; keep one of them")
    return Place(
        said.get(f"{what}_env") or None,
        said.get(f"{what}_file") or None,
        _words(said.get(f"{what}_command", []), f"{where}: {what}_command"),
        _entry(said.get(f"{what}_keyring"), f"{where}: {what}_keyring"),
    )


def place_in(environ: Mapping[str, str], name: str) -> Place:
    """Return where variables say that a secret is: NAME has it, NAME_FILE, NAME_COMMAND and NAME_KEYRING lead to it."""
    kinds = {kind: environ.get(f"{name}_{kind}".upper(), "") for kind in KINDS[1:]}
    told = [f"{name}_{kind}".upper() for kind, text in kinds.items() if text]
    told += [name] if environ.get(name) else []
    if len(told) > 1:
        raise UsageError(f"{' and '.join(sorted(told))} both name a key; keep one of them")
    return Place(
        name if environ.get(name) else None,
        kinds["file"] or None,
        _words(kinds["command"], f"{name}_COMMAND"),
        _entry(kinds["keyring"], f"{name}_KEYRING"),
    )


def _words(command: Any, where: str) -> tuple[str, ...]:
    try:
        words = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise UsageError(f"{where} cannot be split into words: {error}") from None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UsageError(f'{where} is a text or a list of texts, like ["pass", "openai"]')
    return tuple(words)


def _entry(said: str | None, where: str) -> tuple[str, str] | None:
    """Split SERVICE/USER; a service may have slashes, as those that are addresses do."""
    if not said:
        return None
    service, _, user = said.rpartition("/")
    if not service or not user:
        raise UsageError(f'{where} is "service/user", as in: keyring set service user')
    return service, user


def fetched(place: Place, environ: Mapping[str, str], who: str) -> str:
    """Return what is in a place, "" where it is empty; `CredentialsRefused` where it is no key, unseen."""
    text = looked_up(place, environ, who).strip()
    if not all("!" <= c <= "~" for c in text):
        # Refused here: an HTTP library would print it in its own error.
        raise CredentialsRefused(f"{who}: what {place} holds is no key: one word of plain characters")
    return text


def looked_up(place: Place, environ: Mapping[str, str], who: str) -> str:
    """Return the text in a place as it is, "" where it is empty; `CredentialsRefused` where none can be had."""
    if place.command:
        return _from_command(place.command, who)
    if place.file:
        return _from_file(place.file, who)
    if place.keyring:
        return _from_keyring(*place.keyring, who)
    return _from_variable(place.env or "", environ, who)


def _from_variable(name: str, environ: Mapping[str, str], who: str) -> str:
    text = environ.get(name, "")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CredentialsRefused(f"{who}: no key in ${name}: not a text in UTF-8") from None
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


def _from_keyring(service: str, user: str, who: str) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise CredentialsRefused(f"{who}: its key is in a keyring, which needs: {KEYRING_EXTRA}") from None
    where = f"{service}/{user} of the keyring"
    try:
        text = keyring.get_password(service, user)
    except KeyringError as error:
        reason = f"it is locked, or there is none here ({type(error).__name__})"
        raise CredentialsRefused(f"{who}: no key in {where}: {reason}; `keyring diagnose` tells more") from None
    except Exception as error:  # noqa: BLE001 - a keyring is any program that the user's system has
        raise CredentialsRefused(f"{who}: no key in {where}: {type(error).__name__}") from None
    return text or ""
