"""What one table of `exporter.toml` says, checked: names, types, and settings that fit together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import parse_qs, urlsplit

from exporter import keys
from exporter.endpoint import endpoint_of
from exporter.errors import UsageError
from exporter.keys import Place
from exporter.model import Auth, printable

API = "https://api.openai.com/v1"
AUTHS: tuple[str, ...] = get_args(Auth)
WORDS = ("base_url", "organization", "project", "auth", "api_version", "entra_scope")
SECRETS = {"api_key": "OPENAI_API_KEY", "session_key": "OPENAI_SESSION_KEY"}
"What is only named, and the name of a variable as an example."
TEXTS = (*WORDS, *(f"{secret}_{kind}" for secret in SECRETS for kind in ("env", "file", "keyring")))
SETTINGS = (*WORDS, *keys.settings("api_key"), *keys.settings("session_key"))


@dataclass(frozen=True, slots=True)
class Setting:
    """What is set for one profile; its secrets are only named."""

    name: str
    base_url: str = API
    organization: str | None = None
    project: str | None = None
    auth: Auth = "bearer"
    api_version: str | None = None
    entra_scope: str | None = None
    key: Place = field(default_factory=Place)
    session: Place = field(default_factory=Place)
    where: str = "the environment"


def setting(name: str, said: Mapping[str, Any], file: Path) -> Setting:
    """Return what a file says of one profile; `UsageError` names the setting and what to write instead."""
    where = f"{file}: [profiles.{printable(name)}]"
    _no_secret(said, where)
    only(said, SETTINGS, where)
    for text in TEXTS:
        if not isinstance(said.get(text, ""), str):
            raise UsageError(f"{where}: {text} is a text in quotes")
    words: dict[str, Any] = {word: said[word] for word in WORDS if said.get(word)}
    if "base_url" in words:
        checked_url(words["base_url"], where)
    if "auth" in words:
        words["auth"] = _auth(words["auth"], where)
    key, session = (keys.place(secret, said, where) for secret in SECRETS)
    return Setting(name, **words, key=key, session=session, where=where)


def fitting(one: Setting) -> Setting:
    """Return the setting again; `UsageError` where one part of it makes no sense beside another."""
    if one.entra_scope and one.auth != "entra":
        raise UsageError(f'{one.where}: entra_scope is for auth = "entra" only; add that, or leave entra_scope out')
    if one.entra_scope and one.key:
        raise UsageError(
            f"{one.where}: {one.key} has a token that is ready, for which no scope is asked; "
            "leave entra_scope out, or the api_key_* setting, and azure-identity fetches the token"
        )
    if one.auth != "bearer" and one.base_url == API:
        raise UsageError(f'{one.where}: auth = "{one.auth}" is for Azure, and there is no base_url; see docs/azure.md')
    if one.api_version and "api-version" in parse_qs(urlsplit(one.base_url).query):
        raise UsageError(f"{one.where}: base_url has an api-version, and api_version is set too; keep one of them")
    return one


def checked_url(url: str, where: str) -> str:
    """Return a base URL; `UsageError` where it is none."""
    try:
        endpoint_of(url)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    return url


def only(said: Mapping[str, object], known: Iterable[str], where: str) -> None:
    """Refuse a name that is not known, with a suggestion."""
    known = list(known)
    for name in said:
        if name not in known:
            raise UsageError(
                f"{where}: there is no setting {printable(name)!r}{suggest(name, known)}; there is {', '.join(known)}"
            )


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the question whether another name was meant; "" where none is near."""
    close = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f" - did you mean {close[0]!r}?" if close else ""


def _auth(text: str, where: str) -> Auth:
    if text not in AUTHS:
        raise UsageError(f"{where}: auth = {printable(text)!r} is none{suggest(text, AUTHS)}; it is {', '.join(AUTHS)}")
    return cast("Auth", text)


def _no_secret(said: Mapping[str, Any], where: str) -> None:
    for secret, usual in SECRETS.items():
        if secret in said:
            raise UsageError(
                f"{where}: {secret} would keep the key itself in a file; "
                f'name where it is instead: {secret}_env = "{usual}", {secret}_file, _command or _keyring'
            )
