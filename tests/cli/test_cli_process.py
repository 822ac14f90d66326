from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest

from exporter.__main__ import run
from exporter.cli import ABOUT, cli, names
from exporter.cli._output import redacted
from exporter.sandbox import State, running
from tests.cli.conftest import Shell

HEAVY = ("openai", "httpx2", "pyarrow", "sqlalchemy", "rich", "starlette", "orjson", "msgspec", "stamina", "asyncio")

UNUSED = {
    *("numpy", "pandas", "openai", "starlette", "rich", "cryptography", "stamina"),
    *("httpx2", "httpcore2", "aiohttp.web", "pyarrow.dataset", "sqlalchemy.orm", "sqlalchemy.ext.asyncio"),
}
"What a backup without TLS, encryption and a terminal has no use for."


def exporter(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "exporter", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **options)


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom exporter.__main__ import run\n"
        f"run(['--help'])\nsys.exit(' '.join(name for name in {HEAVY} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)

    assert done.stderr == ""
    assert all(f"  {name} " in done.stdout for name in names())


def test_help_imports_no_command_and_not_even_the_model() -> None:
    code = "import sys\nfrom exporter.__main__ import main\ntry: main()\nfinally: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    ours = {name for name in done.stdout.splitlines()[-1].split() if name.startswith("exporter")}

    rest = {"cli", "cli._logging", "errors", "sparing"}
    assert ours == {"exporter", "exporter.__main__", *(f"exporter.{name}" for name in rest)}


@pytest.mark.parametrize("name", names())
def test_what_the_help_says_of_a_command_is_how_the_command_begins(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)

    assert command
    assert ABOUT[name] == command.short_help


def test_a_command_that_the_help_does_not_know_follows_and_is_asked_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(ABOUT) == names()
    others = {name: about for name, about in ABOUT.items() if name != "backup"}
    monkeypatch.setattr("exporter.cli.ABOUT", others)

    assert names()[-1] == "backup"
    assert run(["--help"]) == 0
    assert "  backup    Back up conversations.\n\n" in capsys.readouterr().out


def test_help_imports_nothing_that_takes_its_time() -> None:
    code = "import sys\nfrom exporter.__main__ import main\ntry: main()\nfinally: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    rooms = {"archive", "crawl", "sources", "tables", "transport", "view", "formats", "sandbox", "notebook", "search"}
    ours = {f"exporter.{room}" for room in rooms}
    theirs = {"openai", "aiohttp", "httpx2", "pyarrow", "sqlalchemy", "rich", "asyncio", "orjson", "msgspec", "stamina"}

    assert "backup" in done.stdout
    assert not (ours | theirs) & set(done.stdout.splitlines()[-1].split())


def test_a_backup_imports_nothing_that_only_notebooks_need_and_arrow_keeps_no_memory(tmp_path: Path) -> None:
    loaded = "print(sys.modules['pyarrow'].default_memory_pool().backend_name, *filter(sys.modules.get, sys.modules))"
    code = f"import sys\nfrom exporter.__main__ import main\ntry: main()\nfinally: {loaded}"
    with running(State()) as server:
        server.state.add_thread("thread_a")
        server.state.add_message("thread_a", {"role": "user", "content": "hello"})
        environment = {**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-sandbox-one"}
        command = [sys.executable, "-c", code, "backup", "-a", str(tmp_path / "archive"), "thread_a"]
        subprocess.run(command, capture_output=True, timeout=60, check=True, env=environment)
        server.state.add_message("thread_a", {"role": "user", "content": "the tables are read, too"})
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)

    assert done.returncode == 0, done.stderr
    pool, *modules = done.stdout.splitlines()[-1].split()
    assert pool == "system"
    assert not UNUSED.intersection(modules)
    assert pd.read_parquet(tmp_path / "archive/messages").thread_id.tolist() == ["thread_a"] * 2


@pytest.mark.parametrize("words", [["--version"], ["-h"], *([name, "--help"] for name in names())])
def test_help_and_version_end_with_0(words: list[str]) -> None:
    assert run(words) == 0


def test_a_wrong_command_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bakcup"]) == 2
    assert "did you mean 'backup'" in capsys.readouterr().err


def test_a_wrong_option_is_an_error_in_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["threads", "--json", "--stat"]) == 2
    assert json.loads(capsys.readouterr().out)["message_type"] == "error"


def test_a_bug_is_one_line_without_the_key(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(f"oops, the key is {os.environ['OPENAI_API_KEY']}")

    monkeypatch.setattr("exporter.archive.Archive.open", broken)

    assert run(["threads", "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["exit_code"] == 1
    assert len(printed.err.splitlines()) == 1
    monkeypatch.setenv("EXPORTER_DEBUG", "1")
    assert run(["threads"]) == 1
    traced = capsys.readouterr().err
    assert "Traceback" in traced
    assert "sk-sandbox-one" not in printed.out + printed.err + traced


def test_keys_are_redacted_wherever_they_come_from() -> None:
    text = "Authorization: Bearer abc.def and sk-proj-abcdefgh123 and hunter2hunter2 and eyJ0eXAiOi.eyJhdWQi.c2ln-X_"

    assert redacted(text, {"MY_TOKEN": "hunter2hunter2"}) == "Authorization: Bearer *** and *** and *** and ***"


def test_a_reader_that_has_enough_is_no_error(shell: Shell) -> None:
    shell.ok("register", "-", stdin="".join(f"thread_{number}\n" for number in range(3000)))
    with subprocess.Popen(
        [sys.executable, "-m", "exporter", "threads"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert b"rror" not in process.stderr.read()
        assert process.wait(30) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_backup_within_two_seconds_and_loses_nothing(tmp_path: Path, number: int, code: int) -> None:
    state = State()
    state.add_generated("thread_1", 100_000)
    with running(state, latency=0.02) as sandbox:
        environ = os.environ | {"OPENAI_BASE_URL": sandbox.url, "OPENAI_API_KEY": "sk-sandbox-one"}
        command = [sys.executable, "-m", "exporter", "backup", "thread_1", "--json", "-a", str(tmp_path / "a")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as process:
            deadline = time.monotonic() + 30
            while len(state.requests) < 20:
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.01)
            begin = time.monotonic()
            process.send_signal(number)
            out, _ = process.communicate(timeout=30)
            seconds = time.monotonic() - begin
        asked = len(state.requests)
        show = exporter("show", "thread_1", "--json", "-a", str(tmp_path / "a"))

    assert process.returncode == code
    assert seconds < 2.5
    kept = [json.loads(line)["seq"] for line in show.stdout.splitlines()[:-1] if '"kind":"message"' in line]
    assert kept == list(range(len(kept)))
    assert len(kept) >= 100 * (asked - 8) // 2, "it is walked from both ends, and archived from its beginning"
    assert json.loads(out.splitlines()[-1])["message_type"] in ("summary", "error")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["threads"], ["status", "--json"], ["check", "--json"], ["--help"]])
def test_a_full_disk_under_stdout_is_one_line(shell: Shell, words: list[str]) -> None:
    shell.ok("register", "thread_1")
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "exporter", *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 1
    assert b"No space left on device where stdout goes" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"unexpected" not in done.stderr
    assert b"ignored" not in done.stderr


def test_a_full_disk_elsewhere_is_not_called_a_bug(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("exporter.archive.Archive.open", full)

    assert run(["threads", "--json"]) == 1
    printed = capsys.readouterr()
    assert "or temporary files" in json.loads(printed.out)["error"]
    assert "unexpected" not in printed.err


LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [
        *(["export", "--format", name, "-o", LONG] for name in ("jsonl", "csv", "markdown", "html", "sqlite")),
        ["export", "--per-thread", "-o", LONG],
        *([*words, "-a", LONG] for words in (["status"], ["backup"], ["show", "thread_1"], ["encrypt"], ["doctor"])),
        ["search", "x", "--index", LONG],
        ["status", "--config", LONG],
    ],
    ids=" ".join,
)
def test_a_name_that_is_too_long_is_wrong_usage(
    shell: Shell, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shell.ok("register", "thread_1")
    capsys.readouterr()

    assert run(words) == 2
    said = capsys.readouterr().err
    assert "name is too long" in said
    assert "unexpected" not in said


def test_closed_streams_are_no_error(shell: Shell) -> None:
    shell.ok("register", "thread_1")
    for closed in (">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
        command = f"{sys.executable} -m exporter threads {closed}"
        done = subprocess.run(["sh", "-c", command], capture_output=True, check=False, timeout=60)
        assert (done.returncode, b"Error" in done.stderr) == (0, False), closed


def test_the_sandbox_says_how_to_reach_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "exporter", "sandbox", "--json", "--threads", "1", "--conversations", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = json.loads(process.stdout.readline())
        environ = os.environ | {"OPENAI_BASE_URL": told["url"], "OPENAI_API_KEY": told["keys"][0]}
        done = exporter("backup", *told["threads"], "-a", str(tmp_path / "a"), env=environ)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)

    assert done.returncode == 0, done.stderr
    assert process.returncode in (0, 130)


def test_what_the_sandbox_says_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "exporter", "sandbox", "--threads", "1", "--messages", "1", "--conversations", "0"]
    command += [word for name in ("chatkit", "completions", "responses", "sessions") for word in (f"--{name}", "0")]
    environ = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr
        told: list[str] = []
        while not told or not told[-1].startswith("exporter backup "):
            told.append(process.stderr.readline())
            assert told[-1], told
        done = subprocess.run(
            "".join(told[-2:]),
            cwd=tmp_path,
            env=environ,
            shell=True,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)

    assert (done.returncode, done.stderr.split(":")[0]) == (0, "complete")
    assert told[-2].startswith("export OPENAI_BASE_URL=http://127.0.0.1:")


def test_a_wrong_switch_of_the_sandbox_is_wrong_usage() -> None:
    assert run(["sandbox", "--switches", '{"rat": 5}']) == 2
    assert run(["sandbox", "--switches", "{"]) == 2
    assert run(["sandbox", "--host", "0.0.0.0"]) == 2
