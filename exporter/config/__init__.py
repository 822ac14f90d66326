"""From `exporter.toml` and the environment to profiles: where and as whom a source is reached.

A key is named, never written down: the file says which variable, file or command has it, and it is read when needed.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from exporter.config import _retention
from exporter.config._settings import API, Setting, checked_url, fitting, only, setting, suggest
from exporter.endpoint import endpoint_of, is_local, secrets_in
from exporter.errors import CredentialsRefused, UsageError
from exporter.keys import LateSecret, Place, fetched
from exporter.model import Profile, Secret, printable, remember
from exporter.retention import Policies

NAME = "exporter.toml"
KEY_FILE = "OPENAI_API_KEY_FILE"
"Names a file that has the key: a credential of systemd, a secret that is mounted."
OPENAI = ("OPENAI_API_KEY", KEY_FILE, "OPENAI_BASE_URL")
"Who sets one of these means a profile by it, beside those of the file."
AZURE = "AZURE_OPENAI_ENDPOINT"
"Who sets this, no file and none of OpenAI's variables means a profile by it."
NAMED = re.compile(r"""_env["']?\s*=\s*["']+([^"'\n]+)""")
"A setting that names a variable, and its name."
SCOPE = Profile().entra_scope


class Profiles(dict[str, Profile]):
    """All profiles by name, and how long their servers keep what they hold."""

    policies: Policies = Policies()

    def named(self, name: str) -> Profile:
        """Return one of them; `UsageError` with a suggestion where there is none of this name."""
        if name not in self:
            hint = suggest(name, self)
            raise UsageError(f"there is no profile {printable(name)!r}{hint}; {NAME} has {', '.join(self)}")
        return self[name]


def profiles(path: str | None = None, environ: Mapping[str, str] = os.environ) -> Profiles:
    """Read the profiles from the file named, $EXPORTER_CONFIG, ./exporter.toml or the user's, and the environment."""
    file = file_of(path, environ)
    settings, policies = _read(file) if file else ({}, Policies())
    openai = any(environ.get(name) for name in OPENAI)
    if not settings and not openai and environ.get(AZURE):
        settings["default"] = _azure(environ)
    elif "default" in settings or not settings or openai:
        settings["default"] = _filled(settings.get("default", Setting("default")), environ)
    found = Profiles({name: _profile(fitting(one), environ) for name, one in settings.items()})
    found.policies = policies
    return found


def _profile(one: Setting, environ: Mapping[str, str]) -> Profile:
    for secret in secrets_in(one.base_url):
        remember(secret)
    # without a key, Entra ID is asked for a token; any other way in needs one, and says so when it is used
    no_key = one.auth == "entra" and not one.key
    return Profile(
        one.name,
        one.base_url,
        one.organization,
        one.project,
        key=Secret("") if no_key else LateSecret(lambda: _key(one, environ), str(one.key)),
        auth=one.auth,
        api_version=one.api_version,
        entra_scope=one.entra_scope or SCOPE,
        session=LateSecret(lambda: _session(one, environ), str(one.session)) if one.session else Secret(""),
    )


def file_of(path: str | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file that profiles are read from: the one named, $EXPORTER_CONFIG, ./exporter.toml or the user's."""
    named = path or environ.get("EXPORTER_CONFIG")
    if named:
        if not Path(named).is_file():
            raise UsageError(f"{printable(named)}: there is no such file; --config and EXPORTER_CONFIG name {NAME}")
        return Path(named)
    home = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "/") / ".config"
    usual = (Path(NAME), Path(home) / "exporter" / NAME)
    return next((one for one in usual if one.is_file()), None)


def key_variables(path: str | None = None, environ: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return the variables that the file names as those that have keys, whatever they are called; none without a file.

    A mistake in the file hides none of them: it is looked through, not understood.
    """
    try:
        file = file_of(path, environ)
        text = file.read_text("utf-8", "replace") if file else ""
    except (UsageError, OSError):
        return frozenset()
    return frozenset(NAMED.findall(text))


def _read(file: Path) -> tuple[dict[str, Setting], Policies]:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{file}: it cannot be read: {error}") from None
    only(content, ("profiles", "rhythm"), str(file))
    profiles = content.get("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(one, dict) for one in profiles.values()):
        raise UsageError(f"{file}: profiles are tables: write [profiles.default] and its settings below")
    kept = {
        (name, source): policy
        for name, said in profiles.items()
        for source, policy in _retention.retention(
            said.pop("retention", {}), f"{file}: [profiles.{printable(name)}]"
        ).items()
    }
    policies = Policies(kept, _retention.rhythm(content.get("rhythm", {}), str(file)))
    return {name: setting(name, said, file) for name, said in profiles.items()}, policies


def _filled(default: Setting, environ: Mapping[str, str]) -> Setting:
    """The default profile: what the file does not say, the SDK's own variables do."""
    base_url = default.base_url
    if base_url == API and environ.get("OPENAI_BASE_URL"):
        base_url = checked_url(environ["OPENAI_BASE_URL"], "OPENAI_BASE_URL")
    # OpenAI's key is never shown to Azure
    in_file = not environ.get("OPENAI_API_KEY") and environ.get(KEY_FILE)
    own = Place(file=in_file) if in_file else Place("OPENAI_API_KEY")
    usual = {"bearer": own, "api-key": Place("AZURE_OPENAI_API_KEY"), "entra": Place()}
    return replace(_owned(default, environ), base_url=base_url, key=default.key or usual[default.auth])


def _azure(environ: Mapping[str, str]) -> Setting:
    """The default profile by the variables that the SDK's AzureOpenAI reads, in the SDK's order."""
    version = environ.get("OPENAI_API_VERSION") or None
    # the SDK demands a version and asks {endpoint}/openai; without one there is the v1 API, which needs none
    root = f"{environ[AZURE].rstrip('/')}/openai" + ("" if version else "/v1")
    token = bool(environ.get("AZURE_OPENAI_AD_TOKEN"))
    one = Setting(
        "default",
        checked_url(root, AZURE),
        auth="entra" if token else "api-key",
        api_version=version,
        key=Place("AZURE_OPENAI_AD_TOKEN" if token else "AZURE_OPENAI_API_KEY"),
    )
    return _owned(one, environ)


def _owned(one: Setting, environ: Mapping[str, str]) -> Setting:
    organization = one.organization or environ.get("OPENAI_ORG_ID") or None
    return replace(one, organization=organization, project=one.project or environ.get("OPENAI_PROJECT_ID") or None)


def _key(one: Setting, environ: Mapping[str, str]) -> str:
    who = f"profile {printable(one.name)!r}"
    if not one.key:
        raise CredentialsRefused(f'{one.where}: it names no key; add api_key_env = "THE_VARIABLE_WITH_ITS_KEY"')
    text = fetched(one.key, environ, who)
    if not text and not is_local(one.base_url):
        hint = f"set {one.key.env}" if one.key.env else f"look at {one.key}"
        raise CredentialsRefused(f"{who} has no key for {endpoint_of(one.base_url)}: {hint}")
    return text


def _session(one: Setting, environ: Mapping[str, str]) -> str:
    who = f"profile {printable(one.name)!r}"
    text = fetched(one.session, environ, who)
    if not text:
        raise CredentialsRefused(f"{who} has no session token: {one.session} is empty")
    return text


__all__ = ["LateSecret", "Profiles", "file_of", "key_variables", "profiles"]
