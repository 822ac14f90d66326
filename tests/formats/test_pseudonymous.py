"""An export for strangers: nothing in it says who it was, in any format, and it is the same each time."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.archive import Archive
from exporter.cli import cli
from exporter.formats import names
from exporter.model import Item, Kind, Page, Registration, ThreadRef
from exporter.pseudonyms import VARIABLE
from exporter.registry import registration_page
from exporter.sandbox import State
from tests.archive.making import AT, filled
from tests.formats.conftest import Library, archived

MARKS = ("ann.secret", "ann@corp.example", "170 7654321", "Corp Confidential", "wage-list", "41111111", "hunter2!x")
SERVER = "https://llm.corp.example:8443/v1"
SAID = "I am ann.secret (ann@corp.example, +49 170 7654321) of Corp Confidential; card 4111111111111111, pwd hunter2!x"


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Library:
    state = State.seed(threads=1, messages=3, conversations=1, items=9, chatkit=1, completions=1, responses=2)
    thread = state.add_thread("thread_private")
    state.add_message(thread, {"content": SAID, "metadata": {"user": "ann.secret", "mail": "ann@corp.example"}})
    conversation = state.add_conversation("conv_private")
    for item in (
        {"type": "message", "role": "user", "content": SAID},
        {"type": "function_call", "name": "f", "call_id": "call_1", "arguments": json.dumps({"who": SAID})},
    ):
        state.add_item(conversation, item)
    return archived(state, tmp_path_factory.mktemp("private") / "archive")


@pytest.fixture
def gone(tmp_path: Path) -> Library:
    """A thread of a company's own server, deleted there by this program."""
    thread = ThreadRef("assistants", SERVER, "thread_gone")
    receipt = {"command": "erase --upstream", "asked": "DELETE /threads/thread_gone", "profile": "corp-eu"}
    receipt |= {"answer": '{"id":"thread_gone"}', "reference": "Request of Ann Secret, T-7"}
    gap = {"list": "steps:run_77", "after": "step_55", "code": "x", "detail": f"GET /runs/run_77 at {SERVER}: step_55"}
    visit = {"state": "gone", "code": "x", "error": f"corp-eu: GET /x at {SERVER}", "records": 0, "gaps": [gap]}
    text = "See https://LLM.corp.example:8443/x, llm.corp.example and LLM.CORP.EXAMPLE:8443 of corp-eu; not localhost"
    message = {"id": "msg_1", "content": text, "metadata": {"profile": "corp-eu", "reference": "here", "url": SERVER}}
    bodies: list[tuple[Kind, str | None, object]] = [
        ("thread", thread.id, {"id": thread.id}),
        ("message", "msg_1", message),
        ("visit", None, visit | {"upstream": receipt}),
    ]
    pages = [
        Page(thread, kind, (Item(own, json.dumps(body).encode()),), None, False, AT, kind) for kind, own, body in bodies
    ]
    path = filled(tmp_path / "archive", [registration_page(Registration(thread, "corp-eu"))], pages)
    return Library(path)


def exported(library: Library, out: Path, form: str, *words: str, key: str = "k" * 32) -> dict[str, object]:
    asked = ["export", "--json", "-a", str(library.path), "--format", form, "--pseudonymise", "-o", str(out), *words]
    done = CliRunner().invoke(cli, asked, env={**os.environ, VARIABLE: key})
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout.splitlines()[-1]))


def files(out: Path) -> Iterator[bytes]:
    for path in [out] if out.is_file() else sorted(out.rglob("*")):
        yield path.name.encode()
        if path.is_file():
            yield path.read_bytes()


def ids(library: Library) -> set[str]:
    with Archive.open(library.path) as archive:
        found = {one.id for _, _, page in archive.pages() for one in page if one.id and one.kind != "registration"}
        return {one for one in found if len(one) > 6} | {known.thread.id for known in archive.catalog.known()}


@pytest.mark.parametrize("form", names())
def test_nothing_says_who_it_was(private: Library, tmp_path: Path, form: str) -> None:
    (tmp_path / "names").write_text("Corp Confidential\nann.secret\n")
    words = ["--names", str(tmp_path / "names"), *(["--per-thread"] if form == "markdown" else [])]
    summary = exported(private, tmp_path / "out", form, *words)
    whole = b"\n".join(files(tmp_path / "out")).decode("utf-8", "replace")

    assert summary["threads"]
    assert not [mark for mark in (*MARKS, "127.0.0.1") if mark in whole]
    assert not [one for one in ids(private) if one in whole]
    assert re.search("mail-[a-z2-7]{16}", whole)


def test_a_key_makes_it_the_same_each_time(private: Library, tmp_path: Path) -> None:
    for name in ("a", "b"):
        exported(private, tmp_path / name, "jsonl")
    exported(private, tmp_path / "c", "jsonl", key="l" * 32)
    one, same, other = ((tmp_path / name).read_bytes() for name in "abc")

    assert one == same
    assert len(one.splitlines()) == len(other.splitlines())
    assert not set(one.splitlines()) & set(other.splitlines())


def test_filters_mean_the_real_ones_and_chains_hold_together(private: Library, tmp_path: Path) -> None:
    whole = exported(private, tmp_path / "all", "markdown")
    mine = exported(private, tmp_path / "mine", "markdown", "--user", "ann", "--customer", "acme", "--tag", "vip")
    one = exported(private, tmp_path / "one", "jsonl", "thread_private")
    plain = private.write("markdown", tmp_path / "plain")

    assert (
        (whole["threads"], whole["messages"]) == (mine["threads"], mine["messages"]) == (plain.threads, plain.messages)
    )
    assert one["threads"] == 1
    assert exported(private, tmp_path / "none", "jsonl", "--user", "bob")["threads"] == 0


def test_who_shares_is_told_what_was_replaced(private: Library, tmp_path: Path) -> None:
    counts = exported(private, tmp_path / "out", "jsonl")["pseudonyms"]

    assert isinstance(counts, dict)
    assert {"mail", "phone", "card", "key", "id"} <= set(counts)
    assert all(counts.values())


def test_our_own_words_say_nothing_of_the_server_or_who_asked_for_it(gone: Library, tmp_path: Path) -> None:
    exported(gone, tmp_path / "out", "jsonl")
    whole = (tmp_path / "out").read_text("utf-8")
    told = {line["kind"]: line for line in map(json.loads, whole.splitlines())}
    visit, message = told["visit"]["body"], told["message"]["body"]
    server = told["thread"]["endpoint"].removeprefix("https://")

    assert not re.search("corp|ann secret|T-7|run_77|step_55|8443|thread_gone", whole, re.IGNORECASE)
    assert re.fullmatch(r"endpoint-[a-z2-7]{16}\.invalid", server)
    assert re.fullmatch("profile-[a-z2-7]{16}", visit["upstream"]["profile"])
    assert re.fullmatch("reference-[a-z2-7]{16}", visit["upstream"]["reference"])
    assert visit["error"] == f"{visit['upstream']['profile']}: GET /x at https://{server}"
    assert f" at https://{server}: " in visit["gaps"][0]["detail"]
    assert message["content"] == (
        f"See https://{server}/x, {server} and {server} of {visit['upstream']['profile']}; not localhost"
    )
    assert message["metadata"]["reference"] == "here"


def test_the_usual_profile_and_server_stay(tmp_path: Path) -> None:
    thread = ThreadRef("assistants", "https://api.openai.com/v1", "thread_plain")
    said = b'{"id":"msg_1","content":"the default of https://api.openai.com/v1"}'
    visit: dict[str, object] = {"state": "gone", "code": "x", "error": None, "records": 0, "gaps": []}
    receipt = json.dumps(visit | {"upstream": {"profile": "default", "reference": None}}).encode()
    pages = [
        Page(thread, "message", (Item("msg_1", said),), None, False, AT, "messages"),
        Page(thread, "visit", (Item(None, receipt),), None, False, AT, "visit"),
    ]
    path = filled(tmp_path / "archive", [registration_page(Registration(thread))], pages)
    exported(Library(path), tmp_path / "out", "jsonl")
    whole = (tmp_path / "out").read_text("utf-8")

    assert "the default of https://api.openai.com/v1" in whole
    assert '"profile":"default","reference":null' in whole


def test_who_gives_names_is_told_which_are_too_short(private: Library, tmp_path: Path) -> None:
    (tmp_path / "names").write_text("Corp Confidential\n\nBo\n李明\n李\n", encoding="utf-8-sig")
    asked = ["export", "-a", str(private.path), "--pseudonymise", "-o", str(tmp_path / "out"), "--names"]
    done = CliRunner().invoke(cli, [*asked, str(tmp_path / "names")], env={**os.environ, VARIABLE: "k" * 32})

    assert "--names: 2 too short to be looked for in a sentence" in done.stderr
    assert "see line 3, 5\n" in done.stderr
    assert "Corp Confidential" not in (tmp_path / "out").read_text("utf-8")
