"""A state that was kept is the state that comes back."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.errors import UsageError
from exporter.sandbox import Generated, Retention, State
from exporter.sandbox.__main__ import main
from exporter.sandbox.persist import load, save

WILD = b'{"id":"msg_w", "n":123456789012345678901,"e":1e400,"d":1,"d":2,"s":"\\ud800\\u0000 \xc3\xa9"}'


def test_what_was_saved_comes_back_byte_for_byte(tmp_path: Path) -> None:
    state = State.seed(threads=2, messages=5, conversations=2, items=9)
    state.add_message("thread_seed1x00000", WILD)
    state.add_generated("thread_g", 50)
    state.add_thread("thread_two", project="proj_two")
    state.add_file({"id": "file-1"}, b"\x00\xff")
    state.add_file({"id": "file-2"}, Generated(5000, seed=3))
    state.add_container_file(state.add_container(), {"id": "cfile_1"}, b"\x00")
    state.add_session("asess_1")
    state.add_session_item("asess_1", {"id": None})
    state.add_artifact("asess_1", {"id": "art_1"}, b"\x01")
    state.retention["threads"] = Retention(5)
    save(state, tmp_path / "state.json")
    back = load(tmp_path / "state.json")

    assert back.retention == state.retention
    for name, shelf in state.shelves.items():
        assert list(back.shelves[name].series) == list(shelf.series)
        for one, holder in shelf.holders.items():
            found = back.shelves[name].holders[one]
            assert (found.project, found.active, found.content) == (holder.project, holder.active, holder.content)
            assert found.contents == holder.contents
            assert {k: list(v) for k, v in found.lists.items()} == {k: list(v) for k, v in holder.lists.items()}


def test_what_is_no_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"version": 99}')

    with pytest.raises(UsageError, match="another version"):
        load(tmp_path / "state.json")
    with pytest.raises(UsageError, match="holds no state"):
        load(tmp_path / "nothing.json")


def test_a_process_keeps_its_state(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "exporter.sandbox", "--threads", "0", "--state", str(tmp_path / "state.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        made = httpx.post(f"{url}/conversations", headers={"Authorization": "Bearer sk-sandbox-one"}, json={}).json()
        process.terminate()
        process.wait(10)

    assert made["id"] in load(tmp_path / "state.json").shelves["conversations"].holders


STEP = {"id": "step_1", "object": "thread.run.step", "thread_id": "thread_1", "run_id": "run_1", "created_at": 5}
EXCHANGES: list[tuple[str, Any]] = [
    ("/threads/thread_1/runs/run_1/steps", {"object": "list", "data": [STEP]}),
    ("/conversations/conv_1", {"id": "conv_1", "object": "conversation", "created_at": 1, "metadata": {}}),
    ("/models", ["no object"]),
]


@pytest.mark.parametrize(
    ("options", "path", "told"),
    [
        (["--sdk-fixture"], "/conversations/conv_123/items", '"id":"msg_abc"'),
        (["--crowd", "conversations=5"], "/conversations/conv_crowd00000004/items", '"object":"list"'),
        (["--recorded", "recorded.json"], "/conversations/conv_1", '"id":"conv_1"'),
        (["--recorded", "recorded.json"], "/threads/thread_1/runs/run_1", '"id":"run_1"'),
        (["--state", "state.json", "--crowd", "conversations=5"], "/conversations/conv_kept", '"id":"conv_kept"'),
    ],
)
def test_a_process_serves_what_it_is_given(options: list[str], path: str, told: str, tmp_path: Path) -> None:
    state = State()
    state.add_conversation("conv_kept")
    save(state, tmp_path / "state.json")
    answers = [
        {"status": 200, "method": "GET", "url": f"https://api.example/v1{url}", "body": body} for url, body in EXCHANGES
    ]
    (tmp_path / "recorded.json").write_text(json.dumps({"exchanges": answers}), encoding="utf-8")

    key = "My API Key" if "--sdk-fixture" in options else "sk-sandbox-one"
    command = [sys.executable, "-m", "exporter.sandbox", "--threads", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        headers = {"Authorization": f"Bearer {key}", "OpenAI-Beta": "assistants=v2"}
        answer = httpx.get(f"{url}{path}", headers=headers)
        process.terminate()
        process.wait(10)

    assert answer.status_code == 200
    assert told in answer.text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--switches", '{"unheard_of": 1}'], "unheard_of"),
        (["--host", "0.0.0.0"], "0.0.0.0 is not a loopback address"),
        (["--host", "my.host"], "my.host is not a loopback address"),
        (["--state", "state.json"], "another version"),
    ],
)
def test_a_process_that_cannot_serve_says_why(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state.json").write_text('{"version": 99}')
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    try:
        code = main([*options, "--threads", "0", "--conversations", "0"])
    finally:
        signal.signal(signal.SIGTERM, before)

    out, said = capsys.readouterr()
    assert (code, out) == (2, "")
    assert told in said
    assert len(said.splitlines()) == 1
