"""From `exporter.toml` and the environment to profiles: where and as whom a source is reached.

A key is named, never written down: the file says which variable, file or command has it, and it is read when needed.
"""

from __future__ import annotations

import difflib
import os
import shlex
import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.endpoint import endpoint_of, is_local
from exporter.errors import CredentialsRefused, UsageError
from exporter.model import Profile, Secret, printable

NAME = "exporter.toml"
API = "https://api.openai.com/v1"
TEXTS = ("base_url", "organization", "project", "api_key_env", "api_key_file")
KEYS = ("api_key_env", "api_key_file", "api_key_command")
SDK = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
"Who sets one of these means a profile by it, beside those of the file."
SETTINGS = (*TEXTS, "api_key_command")
COMMAND_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Setting:
    """What is set for one profile; its key is only named."""

    name: str
    base_url: str = API
    organization: str | None = None
    project: str | None = None
    api_key_env: str | None = None
    api_key_file: str | None = None
    api_key_command: tuple[str, ...] = ()
    where: str = "the environment"

    @property
    def key_from(self) -> str:
        """Where its key comes from, in words."""
        if self.api_key_file:
            return f"the file {self.api_key_file}"
        return f"the command {self.api_key_command[0]}" if self.api_key_command else f"${self.api_key_env}"


class LateSecret(Secret):
    """A key that is fetched when it is asked for: who only reads an archive needs none."""

    __slots__ = ("_environ", "_setting")

    def __init__(self, setting: Setting, environ: Mapping[str, str]) -> None:
        super().__init__("")
        self._setting, self._environ = setting, environ

    def reveal(self) -> str:
        """Fetch the key, once; `CredentialsRefused` says which variable, file or command does not have it."""
        if not self._text:
            self._text = _key(self._setting, self._environ)
        return self._text

    def __bool__(self) -> bool:
        return bool(self.reveal())


class Profiles(dict[str, Profile]):
    """All profiles by name."""

    def named(self, name: str) -> Profile:
        """Return one of them; `UsageError` with a suggestion where there is none of this name."""
        if name not in self:
            hint = _suggest(name, self)
            raise UsageError(f"there is no profile {printable(name)!r}{hint}; {NAME} has {', '.join(self)}")
        return self[name]


def profiles(path: str | None = None, environ: Mapping[str, str] = os.environ) -> Profiles:
    """Read the profiles from the file named, $EXPORTER_CONFIG, ./exporter.toml or the user's, and the environment."""
    file = _find(path, environ)
    settings = _read(file) if file else {}
    if "default" in settings or not settings or any(environ.get(name) for name in SDK):
        settings["default"] = _filled(settings.get("default", Setting("default")), environ)
    return Profiles({name: _profile(setting, environ) for name, setting in settings.items()})


def _profile(setting: Setting, environ: Mapping[str, str]) -> Profile:
    key = LateSecret(setting, environ)
    return Profile(setting.name, setting.base_url, setting.organization, setting.project, key)


def _find(path: str | None, environ: Mapping[str, str]) -> Path | None:
    named = path or environ.get("EXPORTER_CONFIG")
    if named:
        if not Path(named).is_file():
            raise UsageError(f"{printable(named)}: there is no such file; --config and EXPORTER_CONFIG name {NAME}")
        return Path(named)
    home = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "/") / ".config"
    usual = (Path(NAME), Path(home) / "exporter" / NAME)
    return next((one for one in usual if one.is_file()), None)


def _read(file: Path) -> dict[str, Setting]:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{file}: it cannot be read: {error}") from None
    _only(content, ("profiles",), str(file))
    profiles = content.get("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(one, dict) for one in profiles.values()):
        raise UsageError(f"{file}: profiles are tables: write [profiles.default] and its settings below")
    return {name: _setting(name, said, file) for name, said in profiles.items()}


def _setting(name: str, said: dict[str, Any], file: Path) -> Setting:
    where = f"{file}: [profiles.{printable(name)}]"
    if "api_key" in said:
        raise UsageError(
            f"{where}: api_key would keep the key itself in a file; "
            'name where it is instead: api_key_env = "OPENAI_API_KEY", api_key_file or api_key_command'
        )
    _only(said, SETTINGS, where)
    for setting in TEXTS:
        if not isinstance(said.get(setting, ""), str):
            raise UsageError(f"{where}: {setting} is a text in quotes")
    named = [one for one in KEYS if said.get(one)]
    if len(named) > 1:
        raise UsageError(f"{where}: {' and '.join(named)} both name a key; keep one of them")
    command = said.get("api_key_command", [])
    try:
        words = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise UsageError(f"{where}: api_key_command cannot be split into words: {error}") from None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UsageError(f'{where}: api_key_command is a text or a list of texts, like ["pass", "openai"]')
    texts = {setting: said[setting] for setting in TEXTS if said.get(setting)}
    if "base_url" in texts:
        _checked_url(texts["base_url"], where)
    return Setting(name, **texts, api_key_command=tuple(words), where=where)


def _filled(default: Setting, environ: Mapping[str, str]) -> Setting:
    """The default profile: what the file does not say, the SDK's own variables do."""
    said = {name: getattr(default, name) for name in Setting.__slots__}
    said["organization"] = default.organization or environ.get("OPENAI_ORG_ID") or None
    said["project"] = default.project or environ.get("OPENAI_PROJECT_ID") or None
    if default.base_url == API and environ.get("OPENAI_BASE_URL"):
        said["base_url"] = _checked_url(environ["OPENAI_BASE_URL"], "OPENAI_BASE_URL")
    if not any(said[name] for name in KEYS):
        said["api_key_env"] = "OPENAI_API_KEY"
    return Setting(**said)


def _key(setting: Setting, environ: Mapping[str, str]) -> str:
    who = f"profile {printable(setting.name)!r}"
    if setting.api_key_command:
        text = _from_command(setting.api_key_command, who)
    elif setting.api_key_file:
        text = _from_file(setting.api_key_file, who)
    elif setting.api_key_env:
        text = environ.get(setting.api_key_env, "")
    else:
        raise CredentialsRefused(f'{setting.where}: it names no key; add api_key_env = "THE_VARIABLE_WITH_ITS_KEY"')
    text = text.strip()
    if not text and not is_local(setting.base_url):
        hint = f"set {setting.api_key_env}" if setting.api_key_env else f"look at {setting.key_from}"
        raise CredentialsRefused(f"{who} has no key for {setting.base_url}: {hint}")
    if not all("!" <= c <= "~" for c in text):
        # Refused here: an HTTP library would print it in its own error.
        raise CredentialsRefused(f"{who}: what {setting.key_from} holds is no key: one word of plain characters")
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


def _checked_url(url: str, where: str) -> str:
    try:
        endpoint_of(url)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    return url


def _only(said: Mapping[str, object], known: Iterable[str], where: str) -> None:
    known = list(known)
    for name in said:
        if name not in known:
            raise UsageError(
                f"{where}: there is no setting {printable(name)!r}{_suggest(name, known)}; there is {', '.join(known)}"
            )


def _suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f" - did you mean {close[0]!r}?" if close else ""
