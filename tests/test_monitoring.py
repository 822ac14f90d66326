"""What machines hear of a night: the right thing, no secret, and nothing that could fail the backup."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families

from exporter.archive import Archive
from exporter.cli import cli
from exporter.cli._logging import chosen_in, lines
from exporter.cli._progress import FAILURES
from exporter.errors import Damaged, DiskFull, ExporterError, Locked
from exporter.model import remember
from exporter.monitoring import Ending
from exporter.monitoring._command import run as run_command
from exporter.monitoring._command import without_secrets
from exporter.monitoring._metrics import METRICS, rendered
from tests.conftest import KEY, Bench
from tests.serving import reply, serving

BEGAN = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
SAID = "the words of the conversation"


@dataclass
class Heard:
    """What a server on this machine was sent, as method, path and body; and what it answers."""

    url: str = ""
    status: int = 200
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    hangs: threading.Event = field(default_factory=threading.Event)
    "Unset, it answers nobody until the test is over."
    endless: bool = False
    "Whether its answers have no end."

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _ in self.requests]


@pytest.fixture
def heard() -> Iterator[Heard]:
    told = Heard()
    told.hangs.set()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            told.requests.append((self.command, self.path, body))
            told.hangs.wait(20)
            self.send_response(told.status)
            if told.endless:
                self.send_header("Content-Length", str(2**40))
            self.end_headers()
            if told.endless:
                self.wfile.flush()
                over.wait(20)

        do_POST = do_GET  # noqa: N815 - what the base class looks for

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}/uuid-of-the-check"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield told
        told.hangs.set()
        over.set()
        server.shutdown()


@pytest.fixture
def night(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A sandbox with one thread, which the environment names."""
    bench.state.add_thread("thread_1")
    bench.state.add_message("thread_1", {"role": "user", "content": [{"type": "text", "text": {"value": SAID}}]})
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("EXPORTER_", "OPENAI_", "AZURE_", "JOURNAL_")):
            monkeypatch.delenv(name)
    environ = {"OPENAI_BASE_URL": bench.url, "OPENAI_API_KEY": KEY, "EXPORTER_ARCHIVE": str(bench.path)}
    for name, value in (environ | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    return bench


def backup(*words: str, before: tuple[str, ...] = ()) -> Result:
    result = CliRunner().invoke(cli, [*before, "backup", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def ending(code: int = 0, **fields: Any) -> Ending:
    known = {"report": {"requests": 7, "visited": 2, "records": 5, "errors": []}, **fields}
    return Ending("/a", "1.0", code, "it means", "a sentence", BEGAN, BEGAN + timedelta(seconds=90), **known)


def metrics(text: str) -> dict[str, float]:
    """The values by name and by the labels that are not the archive's."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        for sample in family.samples:
            labels = [value for name, value in sorted(sample.labels.items()) if name != "archive"]
            found[" ".join([sample.name, *labels])] = sample.value
    return found


# --- metrics


def test_metrics_tell_the_night_and_how_the_archive_stands(night: Bench, tmp_path: Path) -> None:
    file = tmp_path / "exporter.prom"
    begun = datetime.now(UTC).timestamp()
    assert backup("thread_1", "thread_nope1", "--metrics", str(file)).exit_code == 3
    failed, asked = metrics(file.read_text("utf-8")), len(night.asked())

    assert failed["exporter_last_run_exit_code"] == 3
    assert failed["exporter_threads assistants complete"] == 1
    assert failed["exporter_threads assistants failed"] == 1
    assert failed["exporter_last_run_failed_threads"] == 1
    assert failed["exporter_last_run_requests"] == asked
    assert failed["exporter_last_run_records"] == 2
    assert failed["exporter_last_run_timestamp_seconds"] >= begun - 1
    assert failed["exporter_threads_at_risk"] >= 0
    assert "exporter_last_success_timestamp_seconds" not in failed
    assert sum(name.startswith("exporter_info ") for name in failed) == 1


def test_a_success_is_remembered_through_failures(
    night: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "exporter.prom"
    assert backup("thread_1", "--metrics", str(file)).exit_code == 0
    good = metrics(file.read_text("utf-8"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-revoked-long-ago")
    assert backup("--all", "--metrics", str(file)).exit_code == 12
    bad = metrics(file.read_text("utf-8"))

    assert good["exporter_last_success_timestamp_seconds"] == good["exporter_last_run_timestamp_seconds"]
    assert bad["exporter_last_success_timestamp_seconds"] == good["exporter_last_success_timestamp_seconds"]
    assert bad["exporter_last_run_timestamp_seconds"] > good["exporter_last_run_timestamp_seconds"]
    assert bad["exporter_last_run_exit_code"] == 12


def test_a_run_that_finds_the_archive_locked_takes_no_number_away(night: Bench, tmp_path: Path) -> None:
    file = tmp_path / "exporter.prom"
    assert backup("thread_1", "--metrics", str(file)).exit_code == 0
    with Archive.write(night.path):
        assert backup("--metrics", str(file)).exit_code == 11
    found = metrics(file.read_text("utf-8"))

    assert found["exporter_last_run_exit_code"] == 11
    assert found["exporter_threads assistants complete"] == 1
    assert found["exporter_last_run_records"] == 2


def test_anybody_may_read_the_metrics_and_nothing_else_is_left(night: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "collector"
    folder.mkdir()
    assert backup("thread_1", "--metrics", str(folder / "exporter.prom")).exit_code == 0

    assert [path.name for path in folder.iterdir()] == ["exporter.prom"]
    assert stat.S_IMODE((folder / "exporter.prom").stat().st_mode) == 0o644


def test_metrics_that_cannot_be_written_fail_no_backup(night: Bench, tmp_path: Path) -> None:
    result = backup("thread_1", "--metrics", str(tmp_path / "nowhere" / "exporter.prom"))

    assert result.exit_code == 0
    assert "--metrics: " in result.stderr
    assert "nowhere" in result.stderr


@pytest.mark.parametrize("before", ["", "no metrics at all {", 'exporter_threads{archive="/a"', "\0\1"])
def test_a_spoiled_file_is_replaced(before: str) -> None:
    assert metrics(rendered(ending(), before).decode())["exporter_last_run_requests"] == 7


def test_numbers_of_another_archive_are_not_taken_over() -> None:
    there = rendered(ending(threads={("assistants", "complete"): 5})).decode().replace('"/a"', '"/b"')

    assert not any("exporter_threads " in name for name in metrics(rendered(ending(12), there).decode()))


def test_labels_are_escaped() -> None:
    odd = Ending('/a"b\\c', "1", 0, "", "", BEGAN, BEGAN, threads={("assistants", "complete"): 1})
    again = metrics(rendered(odd, rendered(odd).decode()).decode())

    assert again["exporter_threads assistants complete"] == 1


def test_every_metric_is_described() -> None:
    guide = (Path(__file__).parents[1] / "docs" / "nightly.md").read_text("utf-8")

    assert [name for name in METRICS if f"`{name}`" not in guide] == []


def test_the_alerts_are_about_metrics_that_there_are_and_are_all_in_the_guide() -> None:
    root = Path(__file__).parents[1]
    (group,) = yaml.safe_load((root / "samples/prometheus/exporter.rules.yaml").read_text("utf-8"))["groups"]
    guide = (root / "docs/nightly.md").read_text("utf-8")

    for rule in group["rules"]:
        used = set(re.findall(r"exporter_\w+", rule["expr"]))
        assert used
        assert used <= set(METRICS), rule["alert"]
        assert f"| `{rule['alert']}` |" in guide


@pytest.mark.parametrize(
    ("code", "report", "good"),
    [
        (0, {"errors": [], "stopped": []}, True),
        (14, {"errors": [], "stopped": ["the budget"]}, True),
        (14, {"errors": [], "stopped": ["the budget", "a refused key"]}, False),
        (14, {"errors": [{"thread": "x"}], "stopped": ["the budget"]}, False),
        (14, None, False),
        (3, {"errors": [], "stopped": []}, False),
    ],
)
def test_a_budget_is_a_good_end_unless_something_failed(code: int, report: dict[str, Any] | None, good: bool) -> None:
    ended = ending(code, report=report)

    assert ended.good is good
    assert ("exporter_last_success" in rendered(ended).decode()) is good


def test_a_night_that_its_budget_ends_is_quiet(night: Bench, heard: Heard) -> None:
    words = ("thread_1", "--max-requests", "1", "--ping", heard.url, "--webhook", heard.url)
    result = backup(*words, before=("--log-format", "json"))
    told = [json.loads(line) for line in result.stderr.splitlines()]

    assert result.exit_code == 14
    assert [(line["event"], line["level"]) for line in told] == [
        ("start", "info"),
        ("budget", "info"),
        ("summary", "info"),
    ]
    assert heard.paths == ["/uuid-of-the-check/start", "/uuid-of-the-check"]
    assert backup("--all", "--max-requests", "1", before=("-q",)).stderr == ""


# --- ping


def test_a_ping_tells_beginning_and_end(night: Bench, heard: Heard) -> None:
    assert backup("thread_1", "--ping", heard.url).exit_code == 0

    (first, begun, nothing), (second, ended, text) = heard.requests
    assert (first, begun, nothing) == ("GET", "/uuid-of-the-check/start", "")
    assert (second, ended) == ("POST", "/uuid-of-the-check")
    assert text.startswith("complete: 2 new objects of 1 thread,")


def test_no_proxy_hears_what_goes_to_this_machine(night: Bench, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as by:
        by.replies = [reply()]
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, by.root)
        secret = heard.url.replace("://", "://ann:word@")
        assert backup("thread_nope1", "--ping", f"{secret}#x", "--webhook", secret).exit_code == 3
        assert by.paths == []

    assert len(heard.requests) == 3


def test_a_ping_tells_the_exit_code(night: Bench, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_PING_URL", f"{heard.url}?create=1")
    assert backup("thread_1", "thread_nope1").exit_code == 3
    monkeypatch.setenv("OPENAI_API_KEY", "sk-revoked-long-ago")
    assert backup("--all").exit_code == 12
    assert backup("--config", "nowhere.toml").exit_code == 2

    assert heard.paths == [
        f"/uuid-of-the-check/{word}?create=1" for word in ("start", "3", "start", "12", "start", "2")
    ]
    assert "credentials refused" in heard.requests[3][2]


def test_a_bug_is_told_too(night: Bench, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"oops {KEY}")

    monkeypatch.setattr("exporter.archive.Archive.write", broken)
    with pytest.raises(RuntimeError):
        backup("thread_1", "--ping", heard.url)

    assert heard.requests[-1] == ("POST", "/uuid-of-the-check/1", "unexpected error")


@pytest.mark.parametrize(
    ("error", "code"),
    [(SystemExit(143), 143), (KeyboardInterrupt(), 130), (Locked("x"), 11), (DiskFull("x"), 1), (Damaged("x"), 5)],
)
def test_however_it_ends_it_is_told(
    night: Bench, heard: Heard, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def ends(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("exporter.archive.Archive.write", ends)
    CliRunner().invoke(cli, ["backup", "thread_1", "--ping", heard.url])

    assert heard.paths == ["/uuid-of-the-check/start", f"/uuid-of-the-check/{code}"]


def test_an_answer_without_an_end_is_not_waited_for(night: Bench, heard: Heard) -> None:
    heard.endless = True
    result = backup("thread_1", "--ping", heard.url)

    assert result.exit_code == 0
    assert "--ping" not in result.stderr
    assert len(heard.requests) == 2


@pytest.mark.parametrize("status", [404, 500, 301])
def test_a_ping_that_nobody_hears_fails_no_backup(night: Bench, heard: Heard, status: int) -> None:
    heard.status = status
    result = backup("thread_1", "--ping", heard.url)

    assert result.exit_code == 0
    assert f"--ping: 127.0.0.1 answered {status}" in result.stderr
    assert "uuid" not in result.stderr


def test_a_ping_that_hangs_or_has_nobody_there_fails_no_backup(
    night: Bench, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.monitoring._web.SECONDS", 0.2)
    heard.hangs.clear()
    hung = backup("thread_1", "--ping", heard.url)
    nobody = backup("thread_1", "--ping", "http://127.0.0.1:9/uuid")

    assert (hung.exit_code, nobody.exit_code) == (0, 0)
    assert hung.stderr.count("--ping: 127.0.0.1 was not reached") == 2
    assert "uuid" not in hung.stderr + nobody.stderr


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "file:///etc/passwd", "hc.example/uuid", "https:///uuid", "http://x:y/", "http://a b"]
)
@pytest.mark.parametrize("option", ["--ping", "--webhook"])
def test_what_is_no_address_is_refused_and_not_repeated(night: Bench, option: str, url: str) -> None:
    result = backup("thread_1", option, url)

    assert result.exit_code == 2
    assert url not in result.output
    assert not night.path.exists()


def test_a_dry_run_tells_nobody(night: Bench, heard: Heard, tmp_path: Path) -> None:
    file = tmp_path / "exporter.prom"
    assert backup("thread_1", "--dry-run", "--ping", heard.url, "--metrics", str(file)).exit_code == 0

    assert heard.requests == []
    assert not file.exists()


# --- webhook and command


def test_a_webhook_hears_of_failures_only_and_of_threads_only_ids(night: Bench, heard: Heard) -> None:
    assert backup("thread_1", "--webhook", heard.url).exit_code == 0
    assert heard.requests == []
    assert backup("thread_nope1", "--webhook", heard.url).exit_code == 3

    ((method, path, body),) = heard.requests
    told = json.loads(body)
    assert (method, path) == ("POST", "/uuid-of-the-check")
    assert (told["exit_code"], told["failed"], told["archive"]) == (3, 1, str(night.path))
    assert told["text"].startswith("NOT COMPLETE")
    assert told["errors"] == [
        {"source": "assistants", "thread": "thread_nope1", "state": "failed", "code": "not_found"}
    ]


def test_a_webhook_names_twenty_threads_and_counts_the_others() -> None:
    errors = [{"source": "a", "thread": f"t{n}", "state": "failed", "code": "x", "error": SAID} for n in range(23)]
    told = ending(3, report={"errors": errors, "stopped": [SAID], "remarks": [SAID]}).told_to_strangers()

    assert [one["thread"] for one in told["errors"]] == [f"t{n}" for n in range(20)]
    assert told["errors_left_out"] == 3
    assert SAID not in json.dumps(told)


def noting(file: Path) -> str:
    """A command that writes down its input and its environment."""
    program = f"import json, os, sys; json.dump([sys.stdin.read(), dict(os.environ)], open({str(file)!r}, 'w'))"
    return shlex.join([sys.executable, "-c", program])


def test_a_command_hears_of_failures(night: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_MAIL_PASSWORD", "hunter2hunter2")
    file = tmp_path / "said.json"
    assert backup("thread_1", "--on-failure", noting(file)).exit_code == 0
    assert not file.exists()
    assert backup("thread_nope1", "--on-failure", noting(file)).exit_code == 3

    text, environ = json.loads(file.read_text("utf-8"))
    summary = json.loads(text)
    assert summary["message_type"] == "summary"
    assert summary["errors"][0]["thread"] == "thread_nope1"
    assert environ["EXPORTER_EXIT_CODE"] == "3"
    assert "PATH" in environ
    assert not {"OPENAI_API_KEY", "MY_MAIL_PASSWORD"} & set(environ)


@pytest.mark.parametrize(
    ("broken", "code"), [("", 12), ("[profiles.b]\napi_key_env =", 2), ("[profiles.b]\nbase_uri = 'x'", 2)]
)
def test_no_variable_that_a_profile_names_is_told_to_a_command_whatever_it_is_called(
    broken: str, code: int, night: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = ("ACME_LLM", "ACME-SEEN", "ACME_SHORT", "ACME_FOURTH")
    for name in (*named, "ACME_OTHER"):
        monkeypatch.setenv(name, "plain")
    (tmp_path / "mine.toml").write_text(
        f"""
        profiles.c.api_key_env = "ACME_FOURTH"
        [profiles.default]
        base_url = "{night.url}"
        api_key_env = "ACME_LLM"
        "session_key_env"='ACME-SEEN'
        [profiles.a]
        api_key_env = \"\"\"ACME_SHORT\"\"\"
        {broken}
        """,
        "utf-8",
    )
    file = tmp_path / "said.json"
    assert backup("thread_1", "--config", "mine.toml", "--on-failure", noting(file)).exit_code == code

    environ = json.loads(file.read_text("utf-8"))[1]
    assert not set(named) & set(environ)
    assert environ["ACME_OTHER"] == "plain"


def test_an_environment_has_nothing_that_was_revealed() -> None:
    remember("plain-word-of-a-key")
    environ = {"LLM": "plain-word-of-a-key", "CURL": "-H x:plain-word-of-a-key", "PATH": "/bin"}

    assert without_secrets(environ) == {"PATH": "/bin"}


def test_a_command_that_fails_is_told_and_changes_nothing(night: Bench) -> None:
    for command, told in (("false", "false ended with 1"), ("/no/such program", "cannot be started")):
        result = backup("thread_nope1", "--on-failure", command)
        assert result.exit_code == 3
        assert f"--on-failure: {command.split()[0]} " in result.stderr
        assert told in result.stderr
    assert backup("thread_1", "--on-failure", "echo 'open").exit_code == 2


def test_a_command_that_takes_too_long_ends_with_all_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"sleep 300 & echo $! > {shlex.quote(str(pid))}; wait"
    with pytest.raises(ExporterError, match="was ended after"):
        run_command(["sh", "-c", script], ending(3), seconds=2)

    assert _ended(int(pid.read_text("utf-8")))


def _ended(pid: int) -> bool:
    """Whether a process is no more, or waits only for somebody to take note of it."""
    for _ in range(100):
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
        if not state.strip() or state.startswith("Z"):
            return True
        threading.Event().wait(0.05)
    return False


def test_nobody_hears_a_key_or_what_was_said(night: Bench, heard: Heard, tmp_path: Path) -> None:
    command, file = tmp_path / "said.json", tmp_path / "exporter.prom"
    words = ("--ping", heard.url, "--webhook", heard.url, "--on-failure", noting(command), "--metrics", str(file))
    result = backup("thread_1", "thread_nope1", *words, before=("--log-format", "json", "-vv"))
    assert result.exit_code == 3

    told = [json.dumps(heard.requests), command.read_text("utf-8"), file.read_text("utf-8"), result.stderr]
    for text in told:
        assert KEY not in text
        assert SAID not in text
    assert len(heard.requests) == 3


def test_an_environment_without_secrets_has_the_rest() -> None:
    environ = {"PATH": "/bin", "A_TOKEN": "1", "db_password": "2", "ODD": "x sk-abcdefgh", "LANG": "C"}

    assert without_secrets(environ) == {"PATH": "/bin", "LANG": "C"}


# --- logs


def test_json_logs_are_one_object_a_line(night: Bench) -> None:
    result = backup("thread_1", "thread_nope1", before=("--log-format", "json"))
    told = [json.loads(line) for line in result.stderr.splitlines()]

    assert [line["event"] for line in told] == ["start", "thread_failed", "summary"]
    assert [line["level"] for line in told] == ["info", "warning", "warning"]
    for line in told:
        assert datetime.fromisoformat(line["time"]).tzinfo == UTC
    assert told[1]["thread"] == "thread_nope1"
    assert told[2]["failed"] == 1
    assert told[2]["exit_code"] == 3


def test_text_logs_have_the_time_and_how_bad_it_is(night: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_LOG_FORMAT", "text")
    begun, ended = backup("thread_1").stderr.splitlines()

    time, severity, text = ended.split(" ", 2)
    assert begun.endswith(" 1 thread to visit")
    assert datetime.fromisoformat(time).tzinfo == UTC
    assert severity == "INFO"
    assert text.startswith("complete: ")


def test_an_error_is_a_line_of_the_log(night: Bench) -> None:
    Archive.create(night.path)
    with Archive.write(night.path):
        result = backup(before=("--log-format", "json"))

    (line,) = map(json.loads, result.stderr.splitlines())
    assert (line["level"], line["event"], line["exit_code"]) == ("error", "error", 11)


@pytest.mark.parametrize("words", [["backup", "--no-such-option"], ["backup", "--config", "nowhere.toml"]])
def test_journald_gets_priorities(night: Bench, words: list[str]) -> None:
    code, told = _in_journal("backup", "thread_1", "thread_nope1")
    assert code == 3
    assert [line[:3] for line in told] == ["<6>", "<4>", "<4>"]
    code, told = _in_journal(*words)
    assert code == 2
    assert [line[:3] for line in told] == ["<3>"]


def _in_journal(*words: str) -> tuple[int, list[str]]:
    """Run a command whose stderr is what systemd calls the journal's stream."""
    reading, writing = os.pipe()
    stream = os.fstat(writing)
    environ = os.environ | {"JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}"}
    command = [sys.executable, "-m", "exporter", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=writing, env=environ, check=False, timeout=60)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as file:
        return done.returncode, file.read().splitlines()


def test_stderr_that_leads_elsewhere_than_the_journal_gets_no_priorities(night: Bench) -> None:
    command = [sys.executable, "-m", "exporter", "backup", "thread_1"]
    environ = os.environ | {"JOURNAL_STREAM": "8:1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False, timeout=60)

    assert done.stderr.startswith("complete: ")


def test_threads_that_fail_are_named_up_to_a_limit(night: Bench) -> None:
    result = backup(*(f"thread_nope{number}" for number in range(FAILURES + 5)), before=("--log-format", "json"))
    told = [json.loads(line) for line in result.stderr.splitlines()]

    failed = [line for line in told if line["event"] == "thread_failed"]
    assert len(failed) == FAILURES + 1
    assert "exporter status names them all" in failed[-1]["message"]


def test_a_text_of_several_lines_has_the_prefix_on_each() -> None:
    assert lines("journal", "error", "one\ntwo", {}) == "<3>one\n<3>two"


@pytest.mark.parametrize(
    ("words", "environ", "chosen"),
    [
        (["--log-format", "json", "backup"], {}, "json"),
        (["--log-format=text"], {"EXPORTER_LOG_FORMAT": "json"}, "text"),
        (["backup"], {"EXPORTER_LOG_FORMAT": "json"}, "json"),
        (["--log-format", "xml"], {}, None),
    ],
)
def test_what_was_chosen_is_found_without_the_parser(words: list[str], environ: dict[str, str], chosen: str) -> None:
    assert chosen_in(words, environ) == chosen
