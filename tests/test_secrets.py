"""A key is in no log, no error and no file, whatever goes wrong: a marked one is looked for everywhere."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from click.testing import CliRunner

from exporter.cli import cli
from exporter.cli._logging import guard_logs
from exporter.cli._output import redacted
from exporter.model import Profile, Secret, remember, scrubbed
from tests.grepping import holding
from tests.serving import Reply, reply, serving

MARK = "marked5f3a9c2e71d04b8aa6"
"A key that does not look like one, so that no pattern finds it."


@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        "{}".format,
        "{:>40}".format,
        lambda one: f"{one!r:.80}",
        lambda one: json.dumps({"key": one}, default=str),
        lambda one: repr(Profile(key=one, session=one)),
        lambda one: str(asdict(Profile(key=one))),
        lambda one: repr(copy.deepcopy([one])),
        lambda one: "%s %r" % (one, one),  # noqa: UP031 - as loggers do
    ],
)
def test_a_secret_never_shows_itself(shown: Any) -> None:
    assert MARK not in shown(Secret(MARK))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_never_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Profile(key=Secret(MARK)), protocol)


def test_a_copy_of_a_secret_is_itself() -> None:
    one = Secret(MARK)

    assert copy.copy(one) is copy.deepcopy(one) is one


def test_what_was_revealed_is_taken_out_of_every_text_and_short_words_are_not() -> None:
    Secret(f"{MARK}x\n").reveal()
    Secret("the").reveal()

    assert scrubbed(f"the key {MARK}x is wrong") == "the key *** is wrong"
    assert redacted(f"the key {MARK}x is wrong", {}) == "the key *** is wrong"


def test_a_secret_is_taken_out_however_an_address_or_json_writes_it() -> None:
    Secret(f"{MARK}+a/b==").reveal()

    for said in ("+a/b==", "%2Ba%2Fb%3D%3D", "%2ba/b%3d%3d", "\\u002Ba\\/b\\u003d="):
        assert scrubbed(f"?key={MARK}{said}&x") == "?key=***&x"
    assert scrubbed("?key=+a/b== %2Ba%2Fb%3D%3D") == "?key=+a/b== %2Ba%2Fb%3D%3D"


@pytest.mark.parametrize(
    "begin", ["https://user:{}@h.example/v1", "https://{}@h.example", "https://h.example/v1?code={}"]
)
def test_a_secret_of_a_base_url_is_taken_out_from_when_it_is_read(begin: str, tmp_path: Path) -> None:
    from exporter.config import profiles

    secret = f"{MARK}/{begin.index('{}')}"
    (tmp_path / "exporter.toml").write_text(f'[profiles.a]\nbase_url = "{begin.format(secret.replace("/", "%2f"))}"\n')
    profiles(str(tmp_path / "exporter.toml"), {})

    assert scrubbed(f"it said {secret}, {secret.replace('/', '%2F')}") == "it said ***, ***"


def test_a_variable_that_says_where_a_key_is_is_no_secret_and_all_others_of_such_a_name_are() -> None:
    said = {
        "ARCHIVE_KEY_FILE": "/etc/exporter/archive-key", "A_KEY_FILE": "~/a-key.txt", "A_TOKEN_KEYRING": "vault/openai",
        "SIGNING_KEY": "/signing+key", "KEY_COMMAND": "printf hidden-in-words", "OTHER_KEY_FILE": "a-key-and-no-file",
    }  # fmt: skip
    shown = redacted(" | ".join(said.values()), said)

    assert shown == "/etc/exporter/archive-key | ~/a-key.txt | vault/openai | *** | *** | ***"


def test_a_secret_that_begins_another_leaves_nothing_of_it() -> None:
    for one in ("marked-begin", "marked-begin-and-end", "marked-begin-and"):
        Secret(one).reveal()

    assert scrubbed("marked-begin-and-end marked-begin marked-begin-and") == "*** *** ***"


def test_the_newest_secrets_are_remembered_and_memory_is_bounded() -> None:
    for number in range(1000):
        remember(f"token-number-{number:04}")

    assert scrubbed("token-number-0999 token-number-0001") == "*** token-number-0001"


def test_no_logger_writes_a_key_whatever_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    factory, logger, handler = logging.getLogRecordFactory(), logging.getLogger("a.library"), Lines()
    remember(MARK)
    logger.addHandler(handler)
    monkeypatch.setattr(logger, "propagate", False)
    try:
        guard_logs(redacted)
        logger.warning("sent %s with %r", MARK, {"Authorization": f"Bearer {MARK}"})
        logger.warning("%d", "no number")
        try:
            raise ValueError(MARK)  # noqa: TRY301 - as a library does
        except ValueError:
            logger.exception("it failed: %s", MARK)
    finally:
        logging.setLogRecordFactory(factory)
        logger.removeHandler(handler)

    assert MARK not in "".join(lines)
    assert "sent *** with" in lines[0]
    assert "cannot be formatted" in lines[1]
    assert "ValueError: ***" in lines[2]


THREAD = {"id": "thread_1", "object": "thread", "created_at": 1_760_000_000, "metadata": {}}
ECHO = f'{{"error":{{"message":"Incorrect API key provided: {MARK}","type":"x","code":"{MARK}"}}}}'.encode()
FAILURES: dict[str, list[Reply | None]] = {
    "refused": [reply(401, ECHO)],
    "forbidden": [reply(403, ECHO)],
    "a bad request": [reply(400, ECHO)],
    "unwell": [reply(500, ECHO, Retry_After="0.01", X_Key=MARK)],
    "used up": [reply(429, ECHO.replace(b'"x"', b'"insufficient_quota"'))],
    "hung up": [None],
    "redirected": [reply(302, b"", Location=f"http://127.0.0.2:9/{MARK}")],
    "no JSON": [reply(200, f"<html>{MARK}".encode(), Content_Type=f"text/{MARK}")],
    "another thread": [reply(200, json.dumps({**THREAD, "id": MARK}).encode())],
    "a list that lies": [reply(200, json.dumps(THREAD).encode()), reply(200, f'{{"data":"{MARK}"}}'.encode())],
    "not found": [reply(404, f'{{"error":{{"message":"No thread found with id \'thread_1\' by {MARK}"}}}}'.encode())],
}


@pytest.fixture(scope="module")
def heard() -> Iterator[tuple[str, list[str]]]:
    """A webhook: its address, and what it heard."""
    told: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            told.append(f"{self.path} {dict(self.headers)} {body}")
            self.send_response(200)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - what the base class looks for

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", told
        server.shutdown()


@pytest.mark.parametrize(
    ("failure", "client"), [*((name, "lean") for name in FAILURES), ("refused", "sdk"), ("unwell", "sdk")]
)
def test_whatever_fails_the_key_is_nowhere(
    failure: str, client: str, tmp_path: Path, heard: tuple[str, list[str]]
) -> None:
    url, told = heard
    told.clear()
    (tmp_path / "key").write_text(f"{MARK}\n")
    (tmp_path / "work").mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("EXPORTER_", "OPENAI_"))}
    environ |= {"HOME": str(tmp_path / "work"), "OPENAI_API_KEY_FILE": str(tmp_path / "key")}
    environ |= {"EXPORTER_DEBUG": "1", "OPENAI_LOG": "debug", "EXPORTER_CLIENT": client}
    said = tmp_path / "work" / "said.json"
    noting = f"{sys.executable} -c 'import sys; open(sys.argv[1], \"w\").write(sys.stdin.read())' {said}"
    words = ["--webhook", url, "--ping", url, "--metrics", "m.prom", "--on-failure", noting, "--max-requests", "3"]
    with serving() as server:
        server.replies = list(FAILURES[failure])
        done = subprocess.run(
            [sys.executable, "-m", "exporter", "-vv", "--log-format", "json", "backup", "thread_1", *words, "--json"],
            cwd=tmp_path / "work", env=environ | {"OPENAI_BASE_URL": server.url}, capture_output=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert any(MARK in one.get("authorization", "") for one in server.headers), "the key was sent, as it has to be"
    status = subprocess.run(
        [sys.executable, "-m", "exporter", "status", "--list", "failed", "--json"],
        cwd=tmp_path / "work", env=environ, capture_output=True,
            timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode not in (0, 1), done.stderr
    assert done.stdout
    assert told
    for stream in (done.stdout, done.stderr, status.stdout, status.stderr, "".join(told).encode()):
        assert MARK.encode() not in stream
    assert said.exists() or done.returncode == 14, "who is told of failures is not told of a budget"
    assert holding(tmp_path / "work", MARK.encode()) == []


def test_what_a_server_repeats_of_key_and_query_is_nowhere(tmp_path: Path) -> None:
    key, query = f"{MARK}+key/==", f"{MARK}-query+/="
    spelled = [one for secret in (key, query) for one in (secret, quote(secret, safe=""), quote_plus(secret, safe="/"))]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("EXPORTER_", "OPENAI_"))}
    with serving() as server:
        said = {"error": {"message": f"no route {' '.join(spelled)}", "code": spelled[1]}}
        server.replies = [reply(400, json.dumps(said).encode())]
        environ |= {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": f"{server.url}?code={quote(query, safe='')}"}
        done = subprocess.run(
            [sys.executable, "-m", "exporter", "-vv", "backup", "thread_1", "--json", "-a", str(tmp_path / "a")],
            env=environ, capture_output=True, timeout=60, check=False,
        )  # fmt: skip

    assert done.returncode == 3, done.stderr
    assert b"no route ***" in done.stderr
    assert MARK.encode() not in done.stdout + done.stderr
    assert holding(tmp_path / "a", MARK.encode()) == []


def test_a_key_given_where_an_id_belongs_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", MARK)
    for words in (["backup", MARK], ["backup", "--api-key", MARK], ["show", MARK, MARK], [MARK]):
        done = subprocess.run(
            [sys.executable, "-m", "exporter", *words], cwd=tmp_path, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 2
        assert MARK.encode() not in done.stdout + done.stderr, words


@pytest.mark.parametrize("url", [
    f"https://user:{MARK}@host.invalid/v1", f"https://host.invalid/v1?code={MARK}", f"https://host.invalid/v1#{MARK}",
    f"ftp://user:{MARK}@host.invalid/v1", f"https://host.invalid:bad/v1?code={MARK}#{MARK}",
    f"https://user:#{MARK}@host.invalid/v1",
])  # fmt: skip
@pytest.mark.parametrize("words", [["backup", "thread_1"], ["doctor"], ["doctor", "thread_1"], ["doctor", "--json"]])
def test_a_secret_in_a_base_url_is_not_repeated_by_who_complains_of_it(
    words: list[str], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    result = CliRunner().invoke(cli, [*words, "-a", str(tmp_path / "a")])

    assert result.exit_code in (2, 12)
    assert MARK not in result.output + result.stderr
    assert holding(tmp_path, MARK.encode()) == []


@pytest.mark.parametrize("place", ["203.0.113.9", "hook.example"])
@pytest.mark.parametrize("option", ["--ping", "--webhook"])
def test_credentials_of_a_webhook_are_not_sent_over_plain_http(option: str, place: str) -> None:
    result = CliRunner().invoke(cli, ["backup", "thread_1", option, f"http://user:pw@{place}/x"])

    assert result.exit_code == 2
    assert "plain http" in result.stderr
    assert "pw" not in result.output


@pytest.mark.parametrize("place", ["127.0.0.1%2eevil.example", "[::1%25.evil.example]", "[::1].evil.example"])
@pytest.mark.parametrize("option", ["--ping", "--webhook"])
def test_a_webhook_whose_host_another_may_read_otherwise_is_no_address(option: str, place: str) -> None:
    result = CliRunner().invoke(cli, ["backup", "thread_1", option, f"http://user:pw@{place}/x"])

    assert result.exit_code == 2
    assert "it is no address" in result.stderr
    assert "pw" not in result.output


@pytest.mark.parametrize("place", ["127.0.0.1:9", "[::1]:9", "localhost"])
def test_credentials_of_a_webhook_on_this_machine_may_go_over_plain_http(place: str, tmp_path: Path) -> None:
    words = ["backup", "thread_1", "-a", str(tmp_path / "a"), "--dry-run", "--webhook", f"http://user:pw@{place}/x#y"]

    assert CliRunner().invoke(cli, words).exit_code == 0


def test_a_webhook_follows_no_redirect(tmp_path: Path) -> None:
    from exporter.errors import ExporterError
    from exporter.monitoring._web import ping

    with serving() as server, serving() as other:
        server.replies = [reply(302, b"", Location=f"{other.url}/taken")]
        other.replies = [reply()]
        with pytest.raises(ExporterError, match="answered 302"):
            ping(server.url, "0")
        assert other.paths == []


def use_ring(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    import keyring
    from keyring.backend import KeyringBackend

    class Ring(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            if isinstance(found, Exception):
                raise found
            return found.get((service, username)) if found else None

        def set_password(self, service: str, username: str, password: str) -> None: ...

        def delete_password(self, service: str, username: str) -> None: ...

    monkeypatch.setattr(keyring.core, "_keyring_backend", Ring())  # type: ignore[no-untyped-call]


def _profile(tmp_path: Path, said: str) -> Profile:
    from exporter.config import profiles

    (tmp_path / "exporter.toml").write_text(f"[profiles.a]\napi_key_keyring = {said}\n")
    return profiles(str(tmp_path / "exporter.toml"), {})["a"]


def test_a_key_may_be_in_the_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_ring(monkeypatch, {("https://vault/openai", "ann"): MARK})

    assert _profile(tmp_path, '"https://vault/openai/ann"').key.reveal() == MARK


@pytest.mark.parametrize("ring", [None, RuntimeError(MARK), "locked", "none", "not installed"])
def test_a_keyring_without_the_key_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ring: Any) -> None:
    from keyring.errors import KeyringLocked, NoKeyringError

    from exporter.errors import CredentialsRefused

    errors = {"locked": KeyringLocked(MARK), "none": NoKeyringError(MARK)}
    use_ring(monkeypatch, errors.get(ring, ring) if isinstance(ring, str) else ring)
    if ring == "not installed":
        monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(CredentialsRefused, match=r"keyring") as caught:
        _profile(tmp_path, '"openai/ann"').key.reveal()
    assert MARK not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("said", ['"openai"', '"/ann"', '"openai/"', "7"])
def test_an_entry_of_a_keyring_is_service_and_user(tmp_path: Path, said: str) -> None:
    from exporter.errors import UsageError

    with pytest.raises(UsageError, match="api_key_keyring is"):
        _profile(tmp_path, said)
