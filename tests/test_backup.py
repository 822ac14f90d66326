"""The promises of a backup, end to end: exact, once, whatever the server tells and whenever the process dies."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from exporter.check import check
from exporter.sandbox import LIES, State, running
from exporter.sources import names
from tests.conftest import KEY, Bench, loads, rows
from tests.sources.places import Place

PAYLOADS = Path(__file__).resolve().parents[2] / "shared" / "payloads"

NASTY: list[bytes] = [
    '{"content":[{"type":"text","text":{"value":"🙂 \u202eאבג\u202c \u2028 \\u0000x","annotations":[]}}]}'.encode(),
    rb'{"content":[{"type":"text","text":{"value":"lone \ud800 and \udfff, pair \ud83d\ude42"}}]}',
    rb'{"n":123456789012345678901234567890,"m":-18446744073709551617,"f":1e400,"g":-1E-400,"h":1.10,"i":1E5}',
    rb'{"content":[]}',
    rb'{"content":null,"metadata":null}',
    rb'{"content":"a bare string"}',
    rb'{"content":[{"type":"hologram","beam":{"deep":[[[[[[[[1]]]]]]]]}}],"unknown_field":{"a":1},"role":"narrator"}',
    rb'{"type":"telepathy_call","status":"levitating","content":[{"type":"output_text","text":"x"}]}',
    rb'{"a":1,"a":2,"slashes":"\/ \u002f","tab":"\t"}',
    b'{"content":[{"type":"text","text":{"value":"' + b"y" * 1_000_000 + b'"}}]}',
    rb'{"created_at":1760000000000,"content":[]}',
    rb'{"created_at":-5,"content":[]}',
    rb'{"content":[{"type":"text","text":{"value":"=cmd()|<script>alert(1)</script>\u001b[2J"}}]}',
]


def nasty(prefix: str, number: int) -> bytes:
    body = NASTY[number % len(NASTY)]
    known = f'{{"id":"{prefix}_{number}",' + ("" if b"created_at" in body else '"created_at":1760000000,')
    return known.encode() + body[1:]


def test_nasty_threads_come_out_equal_and_once(bench: Bench) -> None:
    bench.state.add_thread("thread_n")
    bench.state.add_conversation("conv_n")
    for i in range(130):
        if i % 13 != 9 or i == 9:  # one text of a megabyte is enough
            bench.state.add_message("thread_n", nasty("msg", i))
            bench.state.add_item("conv_n", nasty("item", i))

    report = bench.backup("thread_n", "conv_n")

    assert report.exit_code == 0, report
    assert list(map(loads, bench.lines("thread_n"))) == list(map(loads, bench.state.messages("thread_n")))
    assert list(map(loads, bench.lines("conv_n"))) == list(map(loads, bench.state.items("conv_n")))
    seqs = {name: [r["seq"] for r in rows(bench.path) if r["thread_id"] == name] for name in ("thread_n", "conv_n")}
    for name, served in (("thread_n", bench.state.messages("thread_n")), ("conv_n", bench.state.items("conv_n"))):
        assert sorted(seqs[name]) == list(range(len(served)))


def test_tables_read_plainly_and_agree(bench: Bench) -> None:
    import duckdb
    import pandas as pd
    import polars as pl

    bench.state.add_thread("thread_n")
    for i in range(9):
        bench.state.add_message("thread_n", nasty("msg", i))
    bench.state.add_message("thread_n", {"id": "msg_old", "created_at": 1_600_000_000, "role": "user", "content": []})
    bench.backup("thread_n")

    folder = bench.path / "messages"
    frame = pd.read_parquet(folder)
    assert len(frame) == 10
    assert pl.read_parquet(f"{folder}/*.parquet").height == 10
    assert duckdb.connect().execute(f"select count(*) from '{folder}/*.parquet'").fetchall() == [(10,)]
    assert str(frame["ts"].dtype) == "datetime64[us, UTC]"
    assert {file.suffix for file in folder.iterdir()} == {".parquet"}


@pytest.mark.parametrize("name", names())
def test_every_source_is_kept_exactly_and_once_and_proven(bench: Bench, name: str) -> None:
    place = Place(name)
    threads = {f"{place.prefix}{word}1": count for word, count in (("long", 230), ("short", 3), ("empty", 0))}
    for thread, count in threads.items():
        place.add_thread(bench.state, thread)
        place.add(bench.state, thread, count)
    answered = 2 if place.answers else 0

    first = bench.backup(*threads)
    again = bench.backup()

    objects = 3 + 233 + 3 * answered + len(rows(bench.path, "files"))
    assert (first.exit_code, first.complete, first.records) == (0, 3, objects)
    assert (again.exit_code, again.complete, again.records) == (0, 3, 0)
    table = sorted(rows(bench.path), key=lambda row: (row["thread_id"], row["seq"]))
    for thread, count in threads.items():
        served = bench.state.under(place.shelf, thread, place.tail.strip("/"))
        assert bench.lines(thread, "thread") == [bench.state.body(place.shelf, thread)]
        assert bench.lines(thread)[:count] == served
        mine = [row for row in table if row["thread_id"] == thread]
        assert [row["seq"] for row in mine] == list(range(count + answered))
        assert [row["message_id"] for row in mine[:count]] == [loads(body)["id"] for body in served]
        assert [json.loads(row["extra_json"])["n"] for row in mine[:count]] == list(range(count))
    assert {row["thread_id"]: row["messages"] for row in rows(bench.path, "threads")} == {
        thread: count + answered for thread, count in threads.items()
    }
    assert list(check(bench.path, rebuild=True)) == []


@pytest.mark.parametrize(
    "name",
    [
        "recorded_openai_dotnet_threads",
        "recorded_openai_dotnet_conversations_responses",
        "recorded_response_items_variety",
        "spec_examples",
    ],
)
def test_every_recorded_object_comes_out_equal(name: str, tmp_path: Path) -> None:
    file = PAYLOADS / f"{name}.json"
    if not file.exists():
        pytest.skip(f"{file.name} is not beside this checkout")
    state = State.recorded(file)
    with running(state) as sandbox:
        bench = Bench(sandbox.url, state, tmp_path / "archive")
        threads = list(state.shelves["threads"].holders)
        conversations = list(state.shelves["conversations"].holders)
        report = bench.backup(*threads, *conversations)

    assert (report.exit_code, report.complete) == (0, len(threads) + len(conversations))
    for thread in threads:
        assert list(map(loads, bench.lines(thread))) == list(map(loads, state.messages(thread)))
        assert loads(bench.lines(thread, "thread")[0]) == loads(state.body("threads", thread))
        held = state.shelves["threads"].holders[thread].lists
        assert list(map(loads, bench.lines(thread, "run"))) == [loads(entry.raw) for entry in held.get("runs", ())]
        steps = [loads(entry.raw) for name, series in held.items() if name.startswith("steps") for entry in series]
        assert sorted(map(str, map(loads, bench.lines(thread, "step")))) == sorted(map(str, steps))
    for conversation in conversations:
        assert list(map(loads, bench.lines(conversation))) == list(map(loads, state.items(conversation)))
    assert threads or conversations


def lying(bench: Bench, lie: str, count: int) -> tuple[list[bytes], list[bytes]]:
    bench.state.add_thread("thread_l")
    bench.state.add_conversation("conv_l")
    for i in range(count):
        add_one(bench, i)

    bench.state.switches = bench.state.switches.with_changes({"lies": {lie}})
    return bench.state.messages("thread_l"), bench.state.items("conv_l")


def add_one(bench: Bench, i: int) -> None:
    when = 1_760_000_000 + i // 3
    bench.state.add_message("thread_l", {"id": f"msg_{i}", "created_at": when, "role": "user", "content": []})
    bench.state.add_item("conv_l", {"id": f"item_x{i}", "type": "message", "role": "user", "content": f"text {i}"})


@pytest.mark.parametrize("lie", sorted(LIES))
def test_a_lie_ends_exact_or_loud_and_never_doubles(bench: Bench, lie: str) -> None:
    count = 107
    lying(bench, lie, count)

    first = bench.backup("thread_l", "conv_l", max_requests=400)
    states = {outcome.thread.id: outcome for outcome in bench.outcomes}
    add_one(bench, count)
    bench.backup(max_requests=400)
    again = {outcome.thread.id: outcome for outcome in bench.outcomes}

    assert first.exit_code in {0, 3}
    for name in ("thread_l", "conv_l"):
        served = bench.state.messages(name) if name == "thread_l" else bench.state.items(name)
        kept = [r["seq"] for r in rows(bench.path) if r["thread_id"] == name]
        whole = len(served) == len(kept) or lie in SAME_IDS
        assert len(kept) <= len(served) + (lie in NAMELESS), "something is doubled"
        assert whole or again[name].state == "partial", (lie, len(kept), states[name], again[name])


SAME_IDS = {"duplicate_ids"}
"Two objects of one id are one row; the segments and the `revisions` table hold both."

NAMELESS = {"null_ids_and_cursor"}
"An object that comes first without an id and later with one is two rows: nothing tells that it is one."


def command(bench: Bench, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "exporter", *arguments, "-a", str(bench.path)]


def environment(bench: Bench) -> dict[str, str]:
    return {**os.environ, "OPENAI_BASE_URL": bench.url, "OPENAI_API_KEY": KEY}


def test_killed_at_any_moment_any_number_of_times_nothing_is_lost_or_doubled(bench: Bench) -> None:
    chance = random.Random(7)
    ids = [f"thread_{i}" for i in range(6)]
    for thread in ids:
        bench.state.add_thread(thread)
        for i in range(450):
            bench.state.add_message(thread, {"id": f"msg_{thread}_{i}", "role": "user", "content": []})
    bench.state.switches = bench.state.switches.with_changes({"latency": 0.04})
    for _ in range(5):
        with subprocess.Popen(
            command(bench, "backup", "--jobs", "3", *ids), env=environment(bench), stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(chance.uniform(0.6, 2.2))
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    bench.state.switches = bench.state.switches.with_changes({"latency": 0.0})

    done = subprocess.run(
        command(bench, "backup", *ids), env=environment(bench), capture_output=True, timeout=60, check=False
    )
    checked = subprocess.run(command(bench, "check", "--rebuild"), capture_output=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for thread in ids:
        assert bench.lines(thread) == bench.state.messages(thread)
    assert len(rows(bench.path)) == 6 * 450


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_at_once_and_saves(bench: Bench, number: signal.Signals, code: int) -> None:
    bench.state.add_generated("thread_g", 20_000)
    bench.state.switches = bench.state.switches.with_changes({"latency": 0.05})
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command(bench, "backup", "--json", "thread_g"),
        env=environment(bench),
        stdout=pipe,
        stderr=pipe,
    ) as process:
        until(lambda: len(bench.asked("/messages")) > 5)
        asked = len(bench.asked("/messages"))
        process.send_signal(number)
        out, err = process.communicate(timeout=20)

    assert process.returncode == code, err
    assert len(bench.asked("/messages")) < asked + 40  # of 200: it does not end because it is done
    assert json.loads(out.splitlines()[-1])["exit_code"] == code
    assert b"Traceback" not in err
    assert len(bench.lines("thread_g")) >= 400


INTERRUPTED_WHILE_IMPORTING = """
import builtins, os, signal, sys
real = builtins.__import__

def hook(name, *rest):
    if name == sys.argv[1]:
        builtins.__import__ = real
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *rest)

builtins.__import__ = hook
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what runs behind it ignore this
from exporter.__main__ import main
main(["threads", "--json"])
"""


@pytest.mark.parametrize("module", ["click", "exporter.cli", "exporter.archive"])
def test_ctrl_c_before_anything_began_is_a_line_and_no_traceback(module: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_IMPORTING, module],
        cwd=tmp_path,
        env={**os.environ, "EXPORTER_ARCHIVE": str(tmp_path)},
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr.decode().strip()) == (130, "exporter: interrupted")
    assert json.loads(done.stdout)["exit_code"] == 130


def until(true: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_only_the_owner_can_read_an_archive(bench: Bench) -> None:
    bench.state.add_thread("thread_a")
    bench.state.add_message("thread_a", {"role": "user", "content": []})
    subprocess.run(
        command(bench, "backup", "thread_a"), env=environment(bench), check=True, capture_output=True, timeout=60
    )

    modes = {p.relative_to(bench.path).as_posix(): p.stat().st_mode & 0o777 for p in bench.path.rglob("*")}
    assert {mode for name, mode in modes.items() if (bench.path / name).is_dir()} == {0o700}
    assert {mode for name, mode in modes.items() if (bench.path / name).is_file()} == {0o600}, modes
