from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from exporter.config import profiles
from exporter.errors import CredentialsRefused, UsageError


def config(tmp_path: Path, text: str) -> str:
    path = tmp_path / "exporter.toml"
    path.write_text(text)
    return str(path)


def test_without_a_file_the_environment_is_the_default_profile(tmp_path: Path) -> None:
    environ = {
        "HOME": str(tmp_path),
        "OPENAI_API_KEY": "sk-1",
        "OPENAI_BASE_URL": "https://eu.example/v1",
        "OPENAI_ORG_ID": "org",
        "OPENAI_PROJECT_ID": "proj",
    }
    found = profiles(None, environ)

    assert list(found) == ["default"]
    one = found["default"]
    assert (one.base_url, one.organization, one.project) == ("https://eu.example/v1", "org", "proj")
    assert one.key.reveal() == "sk-1"


def test_a_file_has_many_profiles_and_each_key_is_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-file\n")
    path = config(
        tmp_path,
        f"""
        [profiles.default]
        project = "p"
        [profiles.env]
        api_key_env = "OTHER"
        base_url = "http://localhost:1/v1"
        [profiles.file]
        api_key_file = "{tmp_path}/key"
        [profiles.words]
        api_key_command = "echo sk-words"
        [profiles.list]
        api_key_command = ["echo", "sk-list"]
        """,
    )
    found = profiles(path, {"OPENAI_API_KEY": "sk-default", "OTHER": "sk-other", "OPENAI_PROJECT_ID": "ignored"})

    keys = {name: profile.key.reveal() for name, profile in found.items()}
    assert keys == {
        "default": "sk-default",
        "env": "sk-other",
        "file": "sk-file",
        "words": "sk-words",
        "list": "sk-list",
    }
    assert found["default"].project == "p"


def test_the_file_is_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, home, named = tmp_path / "here", tmp_path / "home", tmp_path / "named"
    for folder in (here, home / "exporter", named):
        folder.mkdir(parents=True)
        config(folder, f'[profiles.{folder.parent.name if folder.name == "exporter" else folder.name}]\nproject = "p"')
    monkeypatch.chdir(here)
    environ = {"XDG_CONFIG_HOME": str(home)}

    assert "here" in profiles(None, environ)
    assert "named" in profiles(None, environ | {"EXPORTER_CONFIG": str(named / "exporter.toml")})
    assert "named" in profiles(str(named / "exporter.toml"), environ)
    (here / "exporter.toml").unlink()
    assert "home" in profiles(None, environ)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[profiles.a]\napi_key = "sk-very-secret"', "api_key_env"),
        ('[profiles.a]\nbase_ulr = "https://x"', "did you mean 'base_url'"),
        ('[profile.a]\nproject = "x"', "did you mean 'profiles'"),
        ("[profiles.a]\nproject = 3", "text in quotes"),
        ('[profiles.a]\nbase_url = "api.example"', "base URL"),
        ('[profiles.a]\nbase_url = "https://x:y/v1"', "base URL"),
        ('[profiles.a]\napi_key_env = "A"\napi_key_file = "b"', "both name a key"),
        ("[profiles.a]\napi_key_command = 3", "list of texts"),
        ("profiles = 3", "tables"),
        ("[profiles", "cannot be read"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        profiles(config(tmp_path, text), {})

    assert "sk-very-secret" not in str(caught.value)


def test_a_command_with_an_open_quote_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"profiles\.a\]: api_key_command.*quot"):
        profiles(config(tmp_path, """[profiles.a]\napi_key_command = "pass 'openai"\n"""), {})


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        profiles(str(tmp_path / "nowhere.toml"), {})


def test_an_unknown_profile_comes_with_a_suggestion(tmp_path: Path) -> None:
    found = profiles(config(tmp_path, "[profiles.production]\n"), {})

    assert "default" not in found
    assert "default" in profiles(str(tmp_path / "exporter.toml"), {"OPENAI_API_KEY": "sk-1"})
    with pytest.raises(UsageError, match="did you mean 'production'"):
        found.named("prodution")
    assert found.named("production").name == "production"


def test_a_key_is_asked_for_only_when_it_is_needed(tmp_path: Path) -> None:
    found = profiles(
        config(tmp_path, '[profiles.a]\napi_key_command = "false"\n[profiles.b]\nproject = "p"\n[profiles.default]'), {}
    )

    with pytest.raises(CredentialsRefused, match="set OPENAI_API_KEY"):
        found["default"].key.reveal()
    with pytest.raises(CredentialsRefused, match="exit code was 1"):
        bool(found["a"].key)
    with pytest.raises(CredentialsRefused, match=r"profiles\.b.*names no key"):
        found["b"].key.reveal()


def test_a_server_on_this_machine_may_want_no_key() -> None:
    assert profiles(None, {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})["default"].key.reveal() == ""


@pytest.mark.parametrize("key", ["sk-se cret\nsk-two", "sk-sécret", "sk-\x00secret"])
def test_a_key_that_no_header_holds_is_refused_without_printing_it(tmp_path: Path, key: str) -> None:
    (tmp_path / "key").write_text(key)
    found = profiles(config(tmp_path, f'[profiles.a]\napi_key_file = "{tmp_path}/key"'), {})

    with pytest.raises(CredentialsRefused, match="is no key") as caught:
        found["a"].key.reveal()
    told = "".join(traceback.format_exception(caught.value))
    assert "cret" not in told
    assert "sk-" not in repr(found)


@pytest.mark.parametrize("line", ['api_key_file = "/nowhere/key"', 'api_key_command = "no-such-program-here"'])
def test_a_key_that_cannot_be_had_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(CredentialsRefused, match="no key"):
        profiles(config(tmp_path, f"[profiles.a]\n{line}"), {})["a"].key.reveal()
