from __future__ import annotations

import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openai
import pytest

from exporter.config import profiles
from exporter.errors import CredentialsRefused, UsageError
from exporter.retention import Policies


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
        ('[profiles.a]\nsession_key = "sess-very-secret"', "session_key_env"),
        ('[profiles.a]\nsession_key_env = "A"\nsession_key_file = "b"', "both name a key"),
        ("[profiles.a]\nsession_key_command = 3", "session_key_command is a text or a list"),
        ('[profiles.a]\nbase_url = "https://x"\nauth = "entre"', r"auth = 'entre' is none - did you mean 'entra'\?"),
        ('[profiles.a]\nauth = "entra"', "no base_url"),
        ('[profiles.a]\nauth = "api-key"\napi_key_env = "A"', "no base_url"),
        ('[profiles.a]\nbase_url = "https://x"\nentra_scope = "s"', 'for auth = "entra" only'),
        (
            '[profiles.a]\nbase_url = "https://x"\nauth = "entra"\nentra_scope = "s"\napi_key_env = "T"',
            r"\$T has a token that is ready",
        ),
        ('[profiles.a]\nbase_url = "https://x/?api-version=v1"\napi_version = "v1"', "keep one of them"),
        ("[profiles", "cannot be read"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        profiles(config(tmp_path, text), {})

    assert "very-secret" not in str(caught.value)


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


@pytest.mark.parametrize("url", ["https://user:another7d2c@h.example/v1", "https://h.example/v1/?code=another7d2c"])
def test_a_missing_key_is_told_without_the_secrets_of_its_address(url: str, tmp_path: Path) -> None:
    one = profiles(None, {"HOME": str(tmp_path), "OPENAI_BASE_URL": url})["default"]
    with pytest.raises(CredentialsRefused, match=r"no key for https://h\.example/v1: set OPENAI_API_KEY") as caught:
        one.key.reveal()

    assert "another7d2c" not in str(caught.value)


def test_a_server_on_this_machine_may_want_no_key() -> None:
    assert profiles(None, {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})["default"].key.reveal() == ""


@pytest.mark.parametrize("key", ["sk-q xyz\nsk-two", "sk-éxyz", "sk-\x00xyz"])
def test_a_key_that_no_header_holds_is_refused_without_printing_it(tmp_path: Path, key: str) -> None:
    (tmp_path / "key").write_text(key)
    found = profiles(config(tmp_path, f'[profiles.a]\napi_key_file = "{tmp_path}/key"'), {})

    with pytest.raises(CredentialsRefused, match="is no key") as caught:
        found["a"].key.reveal()
    told = "".join(traceback.format_exception(caught.value))
    assert "xyz" not in told
    assert "sk-" not in repr(found)


@pytest.mark.parametrize("line", ['api_key_file = "/nowhere/key"', 'api_key_command = "no-such-program-here"'])
def test_a_key_that_cannot_be_had_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(CredentialsRefused, match="no key"):
        profiles(config(tmp_path, f"[profiles.a]\n{line}"), {})["a"].key.reveal()


AZURE = {"AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com/", "AZURE_OPENAI_API_KEY": "az-key"}


def test_without_a_file_and_openais_variables_azures_are_the_default_profile(tmp_path: Path) -> None:
    found = profiles(None, {"HOME": str(tmp_path), **AZURE})

    assert list(found) == ["default"]
    one = found["default"]
    assert (one.base_url, one.auth, one.api_version) == ("https://res.openai.azure.com/openai/v1", "api-key", None)
    assert one.key.reveal() == "az-key"


def test_azures_variables_make_the_url_that_the_sdk_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"HOME": str(tmp_path), **AZURE, "OPENAI_API_VERSION": "2025-04-01-preview", "OPENAI_ORG_ID": "org"}
    one = profiles(None, environ)["default"]
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    sdk = openai.AzureOpenAI()

    assert one.base_url == str(sdk.base_url).rstrip("/")
    assert {"api-version": one.api_version} == sdk.default_query
    assert (one.organization, one.key.reveal()) == (sdk.organization, sdk.api_key)


def test_a_ready_token_of_azure_goes_before_its_key_as_in_the_sdk(tmp_path: Path) -> None:
    one = profiles(None, {"HOME": str(tmp_path), **AZURE, "AZURE_OPENAI_AD_TOKEN": "eyJ0"})["default"]

    assert (one.auth, one.key.reveal()) == ("entra", "eyJ0")


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "OPENAI_BASE_URL"])
def test_openais_variables_go_before_azures(tmp_path: Path, name: str) -> None:
    value = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}[name]
    one = profiles(None, {"HOME": str(tmp_path), **AZURE, name: value})["default"]

    assert one.auth == "bearer"
    assert "azure" not in one.base_url
    assert one.key.reveal() != "az-key"


def test_a_file_goes_before_azures_variables(tmp_path: Path) -> None:
    assert list(profiles(config(tmp_path, '[profiles.a]\napi_key_env = "A"'), AZURE)) == ["a"]


def test_azure_without_a_credential_says_which_variable_is_missing(tmp_path: Path) -> None:
    found = profiles(None, {"HOME": str(tmp_path), "AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com"})

    with pytest.raises(CredentialsRefused, match="set AZURE_OPENAI_API_KEY"):
        found["default"].key.reveal()
    with pytest.raises(UsageError, match="AZURE_OPENAI_ENDPOINT: base URL"):
        profiles(None, {"HOME": str(tmp_path), "AZURE_OPENAI_ENDPOINT": "res.openai.azure.com"})


def test_profiles_say_how_they_log_in(tmp_path: Path) -> None:
    text = """
        [profiles.classic]
        base_url = "https://r.services.ai.azure.com/api/projects/p"
        auth = "entra"
        api_version = "v1"
        [profiles.resource]
        base_url = "https://r.openai.azure.com/openai/v1"
        auth = "entra"
        entra_scope = "https://cognitiveservices.azure.com/.default"
        [profiles.ready]
        base_url = "https://r.openai.azure.com/openai/v1"
        auth = "entra"
        api_key_command = "echo eyJ0"
        [profiles.key]
        base_url = "https://r.openai.azure.com/openai/v1"
        auth = "api-key"
        api_key_env = "A"
        """
    found = profiles(config(tmp_path, text), {"A": "az"})

    said = {name: (one.auth, one.api_version, one.entra_scope.split(".")[0]) for name, one in found.items()}
    assert said == {
        "classic": ("entra", "v1", "https://ai"),
        "resource": ("entra", None, "https://cognitiveservices"),
        "ready": ("entra", None, "https://ai"),
        "key": ("api-key", None, "https://ai"),
    }
    assert {name: one.key.reveal() for name, one in found.items()} == {
        "classic": "", "resource": "", "ready": "eyJ0", "key": "az"
    }  # fmt: skip


def test_the_default_profile_never_shows_openais_key_to_azure(tmp_path: Path) -> None:
    text = '[profiles.default]\nbase_url = "https://r.openai.azure.com/openai/v1"\nauth = "{}"\n'
    environ = {"OPENAI_API_KEY": "sk-1", "AZURE_OPENAI_API_KEY": "az"}

    keys = {
        auth: profiles(config(tmp_path, text.format(auth)), environ)["default"].key for auth in ("api-key", "entra")
    }
    assert {auth: key.reveal() for auth, key in keys.items()} == {"api-key": "az", "entra": ""}


@pytest.mark.parametrize("line", ['session_key_env = "S"', 'session_key_command = "echo sess-1"'])
def test_a_browsers_session_is_named_like_a_key(tmp_path: Path, line: str) -> None:
    one = profiles(config(tmp_path, f'[profiles.a]\napi_key_env = "A"\n{line}'), {"A": "sk-1", "S": "sess-1"})["a"]

    assert (one.key.reveal(), one.session.reveal()) == ("sk-1", "sess-1")


def test_a_session_that_is_named_but_not_there_is_named(tmp_path: Path) -> None:
    one = profiles(config(tmp_path, '[profiles.a]\nsession_key_env = "S"'), {})["a"]

    with pytest.raises(CredentialsRefused, match=r"'a' has no session token: \$S is empty"):
        one.session.reveal()
    assert not profiles(config(tmp_path, '[profiles.a]\napi_key_env = "A"'), {})["a"].session


def test_what_a_file_says_of_retention_overrides_what_is_known(tmp_path: Path) -> None:
    file = tmp_path / "exporter.toml"
    file.write_text(
        "[profiles.a]\n[profiles.a.retention.conversations]\nttl_days = 30\nends = 2027-03-31\n"
        "[profiles.b]\n[rhythm]\nleast_days = 0.5\nwarmth = 1\n"
    )
    policies = profiles(str(file), {}).policies
    known = policies.of("a", "conversations", "https://x.example")

    assert (known.ttl, known.anchor, known.ends) == (timedelta(30), "activity", datetime(2027, 3, 31, tzinfo=UTC))
    assert policies.of("b", "conversations", "https://x.example").ttl is None
    assert (policies.rhythm.least, policies.rhythm.warmth, policies.rhythm.most) == (timedelta(0.5), 1, timedelta(30))
    assert policies.digest() != Policies().digest()


@pytest.mark.parametrize(
    ("said", "hour"), [("2027-03-31", 0), ("2027-03-31T12:00:00", 12), ("2027-03-31T12:00:00+02:00", 10)]
)
def test_a_source_ends_at_a_time_that_is_utc_unless_it_says_otherwise(tmp_path: Path, said: str, hour: int) -> None:
    file = tmp_path / "exporter.toml"
    file.write_text(f"[profiles.a]\n[profiles.a.retention.assistants]\nends = {said}\n")
    policy = profiles(str(file), {}).policies.of("a", "assistants", "https://x.example")

    assert policy.ends == datetime(2027, 3, 31, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[profiles.a.retention.responses]\nttl = 3", "no setting 'ttl' - did you mean 'ttl_days'"),
        ("[profiles.a.retention.responses]\nttl_days = -3", "ttl_days is a number of days above 0"),
        ("[profiles.a.retention.responses]\nttl_days = 3\nanchor = 'creatd'", "did you mean 'created'"),
        ("[profiles.a.retention.responses]\nanchor = 'created'", "give both"),
        ("[profiles.a.retention.responses]\nends = 'soon'", "a date without quotes"),
        ("[profiles.a]\nretention = 3", "a table for each source"),
        ("[rhythm]\nwarmth = 2", "above 0, at most 1"),
        ("[rhythm]\nleast_days = 40", "least_days is more than most_days"),
        ("rhythm = 3", "rhythm is a table"),
    ],
)
def test_what_makes_no_sense_about_retention_is_named(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "exporter.toml"
    file.write_text(text)

    with pytest.raises(UsageError, match=told):
        profiles(str(file), {})
