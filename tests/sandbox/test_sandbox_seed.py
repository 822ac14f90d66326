"""Made-up data: the same number gives the same bytes, every source has some, and crowds cost nothing until asked."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.sandbox import KEYS, SOURCES, State, Switches, running
from exporter.sandbox.state import Shelf
from exporter.sandbox.switches import APIS

COUNTS = {"threads": 2, "conversations": 2, "chatkit": 2, "completions": 2, "responses": 2, "sessions": 2}
HEADERS = {"Authorization": "Bearer sk-sandbox-one", "OpenAI-Beta": "assistants=v2,chatkit_beta=v1,agents=v1"}
LISTS = {
    "threads": ("/threads", "messages"),
    "conversations": ("/conversations", "items"),
    "chatkit": ("/chatkit/threads", "items"),
    "completions": ("/chat/completions", "messages"),
    "responses": ("/responses", "input_items"),
    "sessions": ("/agents/sessions", "items"),
}


def held(shelf: Shelf) -> Any:
    """Everything on a shelf."""
    lists = {n: {k: [e.raw for e in v] for k, v in h.lists.items()} for n, h in shelf.holders.items()}
    return [entry.raw for entry in shelf.series], lists, [h.contents for h in shelf.holders.values()]


def test_the_same_number_gives_the_same_bytes() -> None:
    one, two, other = (State.seed(**COUNTS, seed=number, start=5) for number in (1, 1, 2))

    for name in one.shelves:
        assert held(one.shelves[name]) == held(two.shelves[name])
    assert held(one.shelves["sessions"]) != held(other.shelves["sessions"])


def test_more_of_one_source_changes_nothing_of_those_before_it() -> None:
    few, many = State.seed(**COUNTS, start=5), State.seed(**COUNTS | {"sessions": 5}, start=5)

    for name in ("threads", "conversations", "chatkit", "completions", "responses"):
        assert held(few.shelves[name]) == held(many.shelves[name])


def test_every_source_has_ids_and_chains_hang_together() -> None:
    state = State.seed(**COUNTS)
    responses = [json.loads(state.body("responses", name)) for name in state.ids("responses")]
    session = state.ids("agents")[0]

    assert {source: len(state.ids(source)) for source in SOURCES} == {
        "assistants": 2,
        "conversations": 2,
        "chatkit": 2,
        "completions": 2,
        "responses": 6,
        "agents": 2,
    }
    assert len(state.ids()) == 16
    befores = [one["previous_response_id"] for one in responses]
    assert befores == [None, responses[0]["id"], responses[1]["id"], None, responses[3]["id"], responses[4]["id"]]
    assert None in [json.loads(item)["id"] for item in state.session_items(session)]
    assert len(state.session_items(session, f"asub_{session.removeprefix('asess_')}")) == 1


@pytest.mark.parametrize("shelf", LISTS)
def test_a_crowd_is_listed_read_and_deleted_like_any_other(shelf: str) -> None:
    path, under = LISTS[shelf]
    state = State()
    first = state.add_crowd(shelf, 1000, items=3)
    with (
        running(state, listable=True) as sandbox,
        httpx.Client(base_url=sandbox.url, headers=HEADERS) as http,
    ):
        pages, after = [], ""
        while True:
            page = http.get(path, params={"limit": "100", "order": "asc", **({"after": after} if after else {})}).json()
            pages.append([one["id"] for one in page["data"]])
            after = page["last_id"]
            if not page["has_more"]:
                break
        last = pages[-1][-1]
        items = http.get(f"{path}/{last}/{under}").json()["data"]
        assert http.get(f"{path}/{last}").json()["id"] == last
        assert http.delete(f"{path}/{first[0]}").status_code == 200
        assert http.get(f"{path}/{first[0]}/{under}").status_code == 404

    whole = [name for page in pages for name in page]
    assert (len(pages), len(whole), len(set(whole))) == (10, 1000, 1000)
    assert whole[:10] == first
    assert len({one["id"] for one in items}) == 3


def test_a_crowd_of_a_hundred_thousand_takes_no_memory() -> None:
    tracemalloc.start()
    state = State()
    state.add_crowd("chatkit", 100_000)
    found = state.shelves["chatkit"].series.at(99_999)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert found is not None
    assert json.loads(found.raw)["id"] == "cthr_crowd00099999"
    assert held < 2_000_000


def test_the_command_prints_ids_of_every_source() -> None:
    command = [sys.executable, "-m", "exporter", "sandbox", "--json", "--threads", "1", "--chatkit", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        os.kill(process.pid, signal.SIGINT)
        process.wait(10)

    assert set(told["ids"]) == set(SOURCES)
    assert told["ids"]["chatkit"] == ["cthr_seed1x00000"]
    assert all(told["ids"].values())
    assert told["threads"] == [name for names in told["ids"].values() for name in names]


def test_its_page_names_every_credential_switch_and_api() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text("utf-8")
    words = [*KEYS, *(field.name for field in dataclasses.fields(Switches))]

    assert [word for word in words if f"`{word}`" not in page and f" {word}`" not in page] == []
    assert [name for name in APIS if name.replace("_", " ") not in page] == []
