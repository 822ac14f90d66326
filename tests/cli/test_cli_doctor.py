"""`exporter doctor` against real servers: what is well, what is not and why, and who sees a thread."""

from __future__ import annotations

import os
import re
import socket
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from exporter.archive import Archive, note_hints
from exporter.archive._lock import Lock
from exporter.doctor import _reach, _verdict
from exporter.sandbox.keys import Key
from exporter.sources import names
from tests.cli.conftest import Shell
from tests.cli.terminal import on_a_terminal
from tests.conftest import KEY

Looks = dict[str, dict[str, Any]]


def looks(shell: Shell, *words: str) -> tuple[Looks, int]:
    *found, summary = shell.json("doctor", *words)
    assert all(look["message_type"] == "look" for look in found)
    return {look["subject"]: look for look in found}, summary["exit_code"]


def verdict(shell: Shell, *words: str) -> tuple[dict[str, Any], int]:
    found, code = looks(shell, *words)
    (told,) = [look for look in found.values() if look["about"] == "verdict"]
    return told, code


def switch(shell: Shell, **changes: Any) -> None:
    shell.state.switches = shell.state.switches.with_changes(changes)


def profiles(monkeypatch: pytest.MonkeyPatch, **keys: tuple[str, str]) -> None:
    """Write these profiles, each with its address and key, beside the default one of the environment."""
    text = ""
    for name, (url, key) in keys.items():
        monkeypatch.setenv(f"THE_{name.upper()}_KEY", key)
        text += f'[profiles.{name}]\nbase_url = "{url}"\napi_key_env = "THE_{name.upper()}_KEY"\n'
    Path("exporter.toml").write_text(text)


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes connections and never answers; yields its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for one in kept:
            one.close()


# Everything


def test_all_is_well(shell: Shell) -> None:
    found, code = looks(shell)

    assert code == 0
    assert found["profile default"]["key"] == "valid"
    assert found["profile default"]["key_from"] == "$OPENAI_API_KEY"
    assert {look["source"] for look in found.values() if look["about"] == "source"} == set(names())
    assert all(look["state"] == "good" for look in found.values() if look["about"] in ("source", "clock"))
    assert not shell.archive.exists()
    assert shell.ok("doctor").stderr == "all is well\n"


def test_a_source_that_cannot_list_says_where_ids_come_from(shell: Shell) -> None:
    found, _ = looks(shell)
    conversations, chatkit = (found[f"profile default, {name}"] for name in ("conversations", "chatkit"))

    assert conversations["lists"] is False
    assert "application that made the conversations" in conversations["help"]
    assert chatkit["lists"] is True


def test_no_source_costs_more_than_six_requests(shell: Shell) -> None:
    for number in range(5):
        shell.state.add_thread(f"thread_{number}")
        shell.state.add_message(f"thread_{number}", {"created_at": 1_760_000_000 + number})
        for shelf in ("chatkit", "completions", "responses"):
            shell.state.put(shelf)
    shell.ok("backup", "thread_0", "thread_1")
    shell.state.requests.clear()
    found, _ = looks(shell)

    asked = [look["requests"] for look in found.values() if look["about"] == "source"]
    assert max(asked) <= 6
    assert sum(asked) == len(shell.state.requests) == found["profile default"]["requests"]


def test_what_a_list_does_is_seen_on_the_list_of_threads(shell: Shell) -> None:
    for number in range(3):
        shell.state.put("chatkit", {"id": f"cthr_{number}", "created_at": 1_760_000_000 + number})
    found, _ = looks(shell)
    card = found["profile default, chatkit"]

    assert (card["seen_on"], card["default_order"], card["order_obeyed"]) == ("threads", "desc", True)
    assert (card["page_maximum"], card["page_maximum_from"]) == (100, "named")
    assert "newest first unless asked" in card["what"]


@pytest.mark.parametrize("default", ["asc", "desc"])
def test_a_thread_of_the_archive_shows_what_lists_do_where_there_is_no_list_of_threads(
    shell: Shell, default: str
) -> None:
    shell.state.add_thread("thread_1")
    for number in range(3):
        shell.state.add_message("thread_1", {"id": f"msg_{number}", "created_at": 1_760_000_000 + number})
    shell.ok("backup", "thread_1")
    if default == "desc":
        switch(shell, lies="descending")
    found, _ = looks(shell)
    card = found["profile default, assistants"]

    assert card["seen_on"] == "thread"
    assert (card["default_order"], card["order_obeyed"]) == ("desc", default == "asc")


@pytest.mark.parametrize(
    ("lie", "maximum"),
    [("limit_silently_capped", (50, "capped")), ("limit_too_large_400", (50, "named")), ("", (100, "named"))],
)
def test_the_page_maximum_is_observed(shell: Shell, lie: str, maximum: tuple[int, str]) -> None:
    for number in range(60):
        shell.state.put("chatkit", {"id": f"cthr_{number}", "created_at": 1_760_000_000 + number})
    switch(shell, lies=lie)
    card = looks(shell)[0]["profile default, chatkit"]

    assert (card["page_maximum"], card["page_maximum_from"]) == maximum


def test_a_wrong_key_is_12_and_costs_one_request(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-wrong")
    found, code = looks(shell)

    assert code == 12
    assert found["profile default"]["key"] == "refused"
    assert found["profile default"]["code"] == "invalid_api_key"
    assert "make a new one" in found["profile default"]["help"]
    assert len(shell.state.requests) == 1
    assert len(found["profile default"]["not_asked"]) == len(names()) - 1


def test_a_missing_key_is_12(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example/v1")
    found, code = looks(shell)

    assert code == 12
    assert found["profile default"]["key"] == "missing"
    assert "set OPENAI_API_KEY" in found["profile default"]["what"]


def test_each_missing_scope_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-sandbox-restricted")
    found, code = looks(shell)

    assert code == 12
    assert found["profile default"]["key"] == "valid"
    assert found["profile default, assistants"]["scopes"] == ["api.threads.read"]
    assert "api.responses.read" in found["profile default, conversations"]["help"]


def test_a_missing_scope_is_a_note_unless_the_archive_needs_it(shell: Shell) -> None:
    shell.state.keys["sk-some"] = Key("proj_one", scopes=frozenset({"api.responses.read"}))
    shell.state.add_conversation("conv_1")
    shell.state.add_thread("thread_1")
    shell.ok("backup", "conv_1")
    shell.state.keys[KEY] = shell.state.keys["sk-some"]
    found, code = looks(shell)
    assert (code, found["profile default, assistants"]["state"]) == (0, "note")
    assert found["profile default, assistants"]["needed"] is False

    shell.run("backup", "thread_1")
    found, code = looks(shell)
    assert (code, found["profile default, assistants"]["state"]) == (12, "bad")
    assert found["profile default, assistants"]["needed"] is True


def test_a_removed_api_is_a_note_while_another_answers_and_else_13(shell: Shell) -> None:
    switch(shell, removed="threads")
    found, code = looks(shell)
    assert code == 0
    assert found["profile default, assistants"]["state"] == "note"
    assert found["profile default, assistants"]["does"] == "removed"

    switch(shell, removed="", fault="api_removed")
    assert looks(shell)[1] == 13


def test_a_removed_api_of_which_the_archive_has_threads_is_13(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    shell.ok("backup", "thread_1")
    switch(shell, removed="threads")

    found, code = looks(shell)
    assert (code, found["profile default, assistants"]["state"]) == (13, "bad")


def test_a_wrong_region_says_which_host_to_take(shell: Shell) -> None:
    switch(shell, hostname="eu.api.openai.com")
    found, code = looks(shell)

    assert code == 12
    assert found["profile default"]["code"] == "incorrect_hostname"
    assert 'set base_url = "https://eu.api.openai.com/v1" in profile default' in found["profile default"]["help"]
    assert len(shell.state.requests) == 1


def test_the_profile_says_whom_the_server_takes_it_for(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj_one")
    told = looks(shell)[0]["profile default"]

    assert (told["project"], told["organization"]) == ("proj_one", None)
    assert (told["answered_project"], told["answered_organization"]) == ("proj_one", "org_sandbox")
    assert "project proj_one" in told["what"]
    assert "organization org_sandbox" in told["what"]


@pytest.mark.parametrize(("variable", "what"), [("OPENAI_PROJECT_ID", "project"), ("OPENAI_ORG_ID", "organization")])
def test_a_project_that_is_not_the_keys_is_named(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, variable: str, what: str
) -> None:
    monkeypatch.setenv(variable, "another")
    found, code = looks(shell)

    assert code == 12
    assert found["profile default"]["code"] == f"mismatched_{what}"
    assert f"says {what} another" in found["profile default"]["help"]
    assert variable in found["profile default"]["help"]


def test_nobody_answering_is_75_and_costs_the_others_nothing(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reach, "TIMEOUT", (1.0, 0.3))
    monkeypatch.setattr(_reach, "PATIENCE", 0.5)
    with silent() as url:
        profiles(monkeypatch, dead=("http://127.0.0.1:9/v1", KEY), hangs=(url, KEY), two=(shell.url, "sk-sandbox-two"))
        found, code = looks(shell)

    assert code == 75
    assert "nobody answers" in found["profile dead"]["what"]
    assert "no answer in time" in found["profile hangs"]["what"]
    assert found["profile two"]["key"] == found["profile default"]["key"] == "valid"
    assert found["profile two, responses"]["state"] == "good"


def test_a_profile_that_takes_too_long_is_given_up(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reach, "LONGEST", 0.3)
    switch(shell, latency=5.0)
    found, code = looks(shell)

    assert code == 75
    assert "did not answer everything within" in found["profile default"]["what"]


def test_a_server_in_trouble_is_75_for_each_source(shell: Shell) -> None:
    switch(shell, fault="error_500", only="threads")
    found, code = looks(shell)

    assert code == 75
    assert found["profile default, assistants"]["does"] == "unwell"
    assert found["profile default, conversations"]["state"] == "good"


def test_a_server_that_answers_with_something_else_is_named_and_the_thread_keeps_its_last_error(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    switch(shell, fault="html", only="threads")
    assert shell.run("backup", "thread_1").exit_code == 3
    found, code = looks(shell)
    assert (code, found["profile default, assistants"]["does"]) == (3, "odd")
    assert found["profile default, conversations"]["state"] == "good"

    found, code = looks(shell, "thread_1", "--source", "assistants")
    assert (code, found["thread_1"]["reason"]) == (3, "odd_answer")
    assert "; last error: " in found["archive, assistants"]["what"]
    assert found["archive, assistants"]["last_there"] is None


def test_a_server_that_claims_to_have_everything_is_not_trusted(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = "conv_0exporter0doctor0"
    shell.state.add_conversation(nobody)
    found, code = looks(shell)

    assert code == 0
    assert found["profile default, conversations"]["state"] == "note"
    assert "nobody made" in found["profile default, conversations"]["what"]


def test_one_profile_may_be_looked_at_alone(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles(monkeypatch, two=(shell.url, "sk-sandbox-two"))

    found, _ = looks(shell, "--profile", "two")
    assert {look["profile"] for look in found.values() if look["about"] == "source"} == {"two"}
    assert shell.run("doctor", "--profile", "three").exit_code == 2


def test_no_key_is_ever_shown(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-and-secret")
    for words in (["doctor"], ["doctor", "--json"], ["doctor", "thread_1"], ["doctor", "sk-pasted-by-mistake"]):
        result = shell.run(*words)
        assert "wrong-and-secret" not in result.output + result.stderr
        assert "pasted" not in result.output + result.stderr
    assert shell.run("doctor", "sk-pasted-by-mistake").exit_code == 2


# The archive


def test_the_archive_its_lock_and_its_last_runs_are_looked_at(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    shell.ok("backup", "thread_1")
    found, code = looks(shell)
    archive = found[f"archive {shell.archive}"]
    assert code == 0
    assert archive["last_backup"]["exit_code"] == 0
    assert (archive["threads"], archive["last_check"]) == (1, None)
    assert found["disk"]["archive_bytes"] > found["disk"]["grown_bytes_30d"] > 0

    shell.ok("check")
    with Lock(shell.archive):
        found, code = looks(shell)
    assert code == 0
    assert found[f"archive {shell.archive}"]["last_check"]["rebuild"] is False
    assert "is writing" in found["lock"]["what"]

    (shell.archive / "archive.json").unlink()
    assert looks(shell)[1] == 5


def test_an_archive_below_a_file_is_not_well(shell: Shell) -> None:
    Path("file").write_text("x")
    found, code = looks(shell, "-a", "file/archive")

    assert code == 10
    assert "is a file" in found["archive file/archive"]["what"]


# Cards


def test_what_a_server_did_is_kept_with_its_time(shell: Shell) -> None:
    shell.ok("register", "thread_1")
    assert [line["message_type"] for line in shell.json("doctor", "--card")] == ["summary"]
    shell.run("doctor")
    first = {card["source"]: card for card in shell.json("doctor", "--card")[:-1]}
    assert set(first) == set(names())
    assert first["chatkit"]["lists"] is True
    assert first["chatkit"]["first_at"] == first["chatkit"]["last_at"]

    switch(shell, removed="chatkit")
    shell.run("doctor")
    cards = [card for card in shell.json("doctor", "--card")[:-1] if card["source"] == "chatkit"]
    assert [card["does"] for card in cards] == ["answers", "removed"]
    assert cards[0] == first["chatkit"]
    assert "removed" in shell.ok("doctor", "--card").stdout


def test_seeing_the_same_again_makes_no_new_card(shell: Shell) -> None:
    shell.ok("register", "thread_1")
    for _ in range(2):
        shell.run("doctor")

    assert len(shell.json("doctor", "--card")) == len(names()) + 1


def test_cards_are_kept_by_project(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.ok("register", "thread_1")
    profiles(monkeypatch, two=(shell.url, "sk-sandbox-two"))
    shell.run("doctor")

    cards = shell.json("doctor", "--card")[:-1]
    assert {(card["project"], card["source"]) for card in cards} == {
        (project, name) for project in ("proj_one", "proj_two") for name in names()
    }


def test_no_card_gets_into_the_way_of_who_writes(shell: Shell) -> None:
    shell.ok("register", "thread_1")
    with Lock(shell.archive):
        shell.run("doctor")

    assert len(shell.json("doctor", "--card")) == 1


def test_a_card_that_cannot_be_read_is_left_out(shell: Shell) -> None:
    shell.ok("register", "thread_1")
    note_hints(shell.archive, {"card x": "{", "card y": '[{"source": 1}, 2]', "card z": "7"})

    assert len(shell.json("doctor", "--card")) == 1
    assert shell.run("doctor", "--card", "-a", "nowhere").exit_code == 10


# A thread


def test_a_thread_is_found_by_the_profile_that_sees_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"id": "thread_two1", "created_at": 1_760_000_000, "metadata": {"title": "In[red]voice\x1b[31m"}}
    shell.state.add_thread(body, project="proj_two")
    shell.state.add_message("thread_two1", {})
    profiles(monkeypatch, two=(shell.url, "sk-sandbox-two"))
    found, code = looks(shell, "thread_two1")

    assert code == 0
    two = found["profile two, assistants"]
    assert (two["sees"], two["created_at"], two["items"], two["more"]) == (True, "2025-10-09T08:53:20Z", 1, False)
    assert two["title"] == "In[red]voice\\x1b[31m"
    assert found["profile default, assistants"]["sees"] is False
    assert found["thread_two1"]["reason"] == "seen"
    assert "`exporter backup thread_two1 --profile two`" in found["thread_two1"]["help"]
    assert "\x1b" not in shell.ok("doctor", "thread_two1").output


def test_an_archived_thread_under_a_profile_that_does_not_see_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.state.add_thread("thread_two1", project="proj_two")
    shell.ok("register", "thread_two1")
    profiles(monkeypatch, two=(shell.url, "sk-sandbox-two"))

    told, code = verdict(shell, "thread_two1")
    assert code == 0
    assert "under profile default, which does not see it: `exporter backup thread_two1 --profile two`" in told["help"]


def test_a_thread_never_seen_is_3_and_the_lines_to_paste_work(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    told, code = verdict(shell, "thread_nope1")
    assert (code, told["reason"]) == (3, "other_project")
    assert "Another project's key is the usual reason" in told["what"]
    assert "exporter.toml" not in told["paste"]

    shell.state.add_thread("thread_nope1", project="proj_two")
    monkeypatch.setenv("OTHER_API_KEY", "sk-sandbox-two")
    Path("exporter.toml").write_text(told["paste"])
    assert tomllib.loads(told["paste"])["profiles"]["other"]["base_url"] == shell.url
    assert verdict(shell, "thread_nope1")[0]["reason"] == "seen"


def test_a_thread_that_was_there_before_was_deleted_or_expired(shell: Shell) -> None:
    shell.state.add_conversation("conv_1")
    shell.state.add_item("conv_1", {"role": "user", "content": "hello"})
    shell.ok("backup", "conv_1")
    shell.state.delete_conversation("conv_1")
    told, code = verdict(shell, "conv_1")

    assert (code, told["reason"]) == (3, "deleted")
    assert told["what"].startswith("it was there on 20")
    assert "kept until they are deleted" in told["what"]
    assert "`exporter show conv_1`" in told["help"]


def test_the_archive_tells_since_when_a_thread_is_gone_and_why(shell: Shell) -> None:
    for number in range(8):
        shell.state.add_thread(f"thread_{number}")
        shell.state.add_message(f"thread_{number}", {})
    shell.ok("backup", *(f"thread_{number}" for number in range(8)))
    shell.state.delete_thread("thread_0")
    shell.ok("backup", "--all")
    found, code = looks(shell, "thread_0")
    known = found["archive, assistants"]

    assert code == 3
    assert (known["thread_state"], known["profile"], known["archived"]) == ("gone", "default", 1)
    assert known["gone_at"]
    assert "No thread found" in known["gone_why"]
    assert known["last_there"] < known["gone_at"]
    assert found["thread_0"]["reason"] == "deleted"


def test_a_thread_behind_a_removed_api_is_13(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    shell.ok("backup", "thread_1")
    switch(shell, removed="threads")
    told, code = verdict(shell, "thread_1")

    assert (code, told["reason"]) == (13, "api_removed")


def test_a_thread_behind_a_wrong_key_is_12(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-wrong")
    told, code = verdict(shell, "thread_1")

    assert (code, told["reason"]) == (12, "key_refused")


def test_a_thread_behind_a_missing_scope_names_the_scope(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-sandbox-restricted")
    told, code = verdict(shell, "thread_1")

    assert (code, told["reason"]) == (12, "missing_scope")
    assert "api.threads.read" in told["what"]
    assert "api.threads.read" in told["help"]


def test_a_thread_behind_another_project_header_or_region(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    switch(shell, fault="wrong_region")
    assert verdict(shell, "thread_1")[0]["reason"] == "wrong_region"
    switch(shell, fault="")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj_two")
    told, code = verdict(shell, "thread_1")
    assert (code, told["reason"]) == (12, "mismatched_project")
    assert "OPENAI_PROJECT_ID" in told["help"]


def test_a_thread_behind_a_dead_server_is_75(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    told, code = verdict(shell, "thread_1")

    assert (code, told["reason"]) == (75, "unwell")


def test_what_the_profile_says_that_saw_a_thread_counts_most(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.state.add_thread("thread_1")
    shell.ok("backup", "thread_1")
    profiles(monkeypatch, two=(shell.url, "sk-sandbox-two"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-wrong")
    told, code = verdict(shell, "thread_1")

    assert (code, told["reason"]) == (12, "key_refused")


def test_a_profile_that_could_not_look_is_named_as_a_hope(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles(monkeypatch, locked=(shell.url, "sk-sandbox-restricted"))
    told, code = verdict(shell, "thread_1")

    assert (code, told["reason"]) == (3, "other_project")
    assert "profile locked could not be asked" in told["help"]


def test_a_thread_of_an_address_without_a_profile(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.ok("register", "thread_1")
    where = shell.url.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("OPENAI_BASE_URL", where)
    told, code = verdict(shell, "thread_1")

    assert (code, told["reason"]) == (3, "no_profile")
    assert tomllib.loads(told["paste"])["profiles"]["default"]["base_url"] == shell.url


@pytest.mark.parametrize(
    ("pasted", "word"),
    [("asst_abc123", "assistant"), ("msg_abc123", "message"), ("run_abc1", "run"), ("file-abc123", "file"),
     ("vs_abc123", "vector store"), ("proj_abc", "project")],
)  # fmt: skip
def test_the_id_of_something_else_is_named_and_no_server_asked(shell: Shell, pasted: str, word: str) -> None:
    told, code = verdict(shell, pasted)

    assert (code, told["reason"]) == (2, "other_kind")
    assert word in told["what"]
    assert told["help"]
    assert not shell.state.requests


@pytest.mark.parametrize(
    ("pasted", "word"),
    [("6f0d2f6e-0d5c-4b2c-9d4e-1a2b3c4d5e6f", "UUID"), ("123456", "number"), ("local_7f", "application"),
     ("abc", "no API")],
)  # fmt: skip
def test_an_id_of_no_known_kind_is_looked_for_everywhere(shell: Shell, pasted: str, word: str) -> None:
    found, code = looks(shell, pasted)
    told = found[pasted]

    assert (code, told["reason"]) == (3, "unknown_id")
    assert word in told["what"]
    (seen,) = [look for look in found.values() if look["about"] == "thread"]
    assert sorted(seen["sources"]) == sorted(names())


def test_an_id_of_no_known_kind_is_found_where_it_is(shell: Shell) -> None:
    shell.state.put("sessions", {"id": "abc-1"})
    told, code = verdict(shell, "abc-1")

    assert (code, told["reason"]) == (0, "seen")
    assert "`exporter backup abc-1 --source agents --profile default`" in told["help"]


def test_an_id_is_found_in_what_was_pasted(shell: Shell) -> None:
    shell.state.add_thread("thread_1abcdef")

    assert verdict(shell, "https://platform.example/threads?thread=thread_1abcdef&x=1")[0]["thread"] == "thread_1abcdef"
    assert verdict(shell, ' "thread_1abcdef",')[0]["reason"] == "seen"
    assert shell.run("doctor", "../x", "--source", "assistants").exit_code == 2
    assert shell.run("doctor", "abc", "--source", "nope").exit_code == 2


def test_a_damaged_archive_is_a_note_beside_the_search(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    shell.ok("register", "thread_1")
    (shell.archive / "catalog.sqlite").unlink()
    found, code = looks(shell, "thread_1")

    assert code == 0
    assert found[f"archive {shell.archive}"]["state"] == "note"


# How it is shown


def test_a_terminal_gets_a_tree_and_no_code_from_outside(shell: Shell) -> None:
    from rich.console import Console

    from exporter import doctor
    from exporter.cli import _looks
    from exporter.config import profiles as configured

    shell.state.add_thread({"id": "thread_1", "metadata": {"title": "[bold]a\x1b]0;b"}})
    known = list(configured(None).values())
    console = Console(width=400, record=True, force_terminal=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    shown = list(_looks._drawn(doctor.everything(known, shell.archive), console))
    list(_looks._drawn(doctor.thread(known, "thread_1", shell.archive), console))
    text = console.export_text()
    console.file.close()

    assert len(shown) > len(names())
    assert "├── " in text
    assert "✓ profile default" in text
    assert "[bold]a\\x1b]0;b" in text
    assert "\x1b]0;b" not in text


def test_a_terminal_shows_a_profile_without_sources_and_the_lines_to_paste(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    Archive.create(shell.archive)
    environ = {name: os.environ[name] for name in ("HOME", "XDG_CONFIG_HOME", "OPENAI_BASE_URL", "EXPORTER_ARCHIVE")}
    text = on_a_terminal("doctor", "thread_1", environ=environ, columns=200)
    assert "[profiles.other]\n" in re.sub(r"\x1b\[[0-9;]*m", "", text).replace("      [", "[")

    monkeypatch.delenv("OPENAI_API_KEY")
    text = on_a_terminal("doctor", environ=environ | {"OPENAI_BASE_URL": "https://api.example/v1"}, columns=200)
    assert "✗ profile default" in re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "what it does" not in text


# Azure


def azure(shell: Shell, monkeypatch: pytest.MonkeyPatch, path: str, key: str, **said: str) -> None:
    """Make the default profile one of the sandbox's Azure face."""
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("THE_KEY", key)
    said |= {"base_url": shell.url.removesuffix("/v1") + path, "api_key_env": "THE_KEY"}
    lines = "".join(f'{name} = "{value}"\n' for name, value in said.items())
    Path("exporter.toml").write_text(f"[profiles.default]\n{lines}")


PLACES: dict[str, tuple[str, dict[str, str], set[str]]] = {
    "/api/projects/proj_one": ("entra-sandbox-one", {"auth": "entra", "api_version": "v1"}, {"assistants"}),
    "/api/projects/proj_one/openai/v1": ("entra-sandbox-one", {"auth": "entra"}, {"conversations", "responses"}),
    "/openai/v1": ("sk-sandbox-one", {"auth": "api-key"}, {"conversations", "responses"}),
    "/openai": ("sk-sandbox-one", {"auth": "api-key", "api_version": "2024-05-01-preview"}, {"assistants"}),
}


@pytest.mark.parametrize("path", PLACES)
def test_each_place_of_azure_says_what_it_has_and_lists(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    key, said, there = PLACES[path]
    azure(shell, monkeypatch, path, key, **said)
    found, code = looks(shell)
    lists = {look["source"] for look in found.values() if look.get("does") == "answers" and look["lists"]}

    assert code == 0
    assert (found["profile default"]["auth"], found["profile default"]["key"]) == (said["auth"], "valid")
    assert there <= lists
    assert found["profile default, chatkit"]["does"] == "removed"
    assert found["profile default, chatkit"]["state"] == "note"


def test_an_identity_without_the_role_is_told_which_action_it_lacks(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure(shell, monkeypatch, "/api/projects/proj_one/openai/v1", "entra-sandbox-role", auth="entra")
    found, code = looks(shell)

    assert code == 12
    assert found["profile default"]["key"] == "valid"
    assert found["profile default, conversations"]["scopes"][0].endswith("/agents/read")
    assert "Foundry User" in found["profile default, conversations"]["help"]
    assert verdict(shell, "conv_1")[0]["reason"] == "missing_scope"


@pytest.mark.parametrize("key", ["entra-sandbox-audience", "entra-sandbox-nobody"])
def test_a_token_for_somebody_else_is_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    azure(shell, monkeypatch, "/api/projects/proj_one/openai/v1", key, auth="entra")
    found, code = looks(shell)

    assert code == 12
    assert found["profile default"]["key"] == "refused"
    assert "entra_scope" in "".join(look["help"] for look in found.values())


# Its documents

GUIDE = (Path(__file__).parents[2] / "docs" / "guide.md").read_text("utf-8")
COMMON = {"message_type", "about", "subject", "state", "what", "help", "exit_code", "paste"}


def test_the_guide_names_every_field_and_reason(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    shell.ok("backup", "thread_1")
    said = [*shell.json("doctor"), *shell.json("doctor", "thread_1"), *shell.json("doctor", "thread_2abc")]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", GUIDE[GUIDE.index("| about |") :], re.MULTILINE))
    sources = {path.read_text("utf-8") for path in Path(_verdict.__file__).parent.glob("*.py")}
    reasons = {reason for text in sources for reason in re.findall(r'Why\(\s*"(\w+)"|reason, what = "(\w+)"', text)}

    for look in said:
        if look["message_type"] == "look":
            for name in set(look) - COMMON:
                assert f"`{name}`" in rows[look["about"]], (look["about"], name)
    for one in {"".join(pair) for pair in reasons}:
        assert f"`{one}`" in GUIDE, one
