"""Discovery: what a source lists is registered, once, with its owner; where a list ends or lies, that is said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stamina

from exporter.archive import Archive
from exporter.check import check
from exporter.crawl import Options, Stop, backup, plan
from exporter.discovery import Discovered, Listed, Taken, _ledger, discover
from exporter.erase import Asked, choose, erase
from exporter.errors import UsageError
from exporter.model import Gap, Item, Page, Position, Profile, Registration, Secret, ThreadRef, now
from exporter.owner import LONGEST, Owner, owner_in
from exporter.registry import register
from exporter.sandbox import running
from exporter.sandbox.keys import Key
from exporter.sandbox.state import State
from exporter.sandbox.switches import LIES, Switches
from exporter.sources import names
from tests.conftest import Bench
from tests.sources.places import Place

LOUD = {
    "empty_page_has_more",
    "has_more_forever",
    "ignores_parameters",
    "inclusive_cursor_forever",
    "null_ids",
    "null_ids_and_cursor",
}
"The lies after which a list cannot be proven whole; every other one is survived exactly."


def fill(state: State, source: str, numbers: Iterable[int], **fields: Any) -> set[str]:
    """Put threads of a source on the server; returns their ids."""
    place = Place(source)
    made = {f"{place.prefix}{n:04d}": 1_760_000_000 + n // 3 for n in numbers}
    return {state.put(place.shelf, {"id": thread, place.stamp: at, **fields}) for thread, at in made.items()}


def found(bench: Bench, *sources: str, **options: Any) -> Discovered:
    """Discover; the sources that are named, or all."""
    return found_by({"default": bench.profile}, bench.path, sources, **options)


def found_by(
    profiles: dict[str, Profile], path: Path, sources: Iterable[str] = (), *, session: bool = False, **options: Any
) -> Discovered:
    Archive.create(path)
    with Archive.write(path) as archive:
        return discover(archive, profiles, Options(**options), sources=tuple(sources), session=session)


def the(done: Discovered, source: str) -> Listed:
    return next(one for one in done.lists if one.source == source)


def registered(path: Path, **equal: str) -> set[str]:
    with Archive.open(path) as archive:
        return {known.thread.id for known in archive.catalog.known(**equal) if known.registered_at}


def owner(bench: Bench, thread: str) -> Registration:
    with Archive.open(bench.path) as archive:
        return archive.owner(bench.ref(thread))


def lists(bench: Bench) -> int:
    """How many requests for lists came so far."""
    paths = tuple(Place(name).path for name in names())
    return sum(request.path.endswith(paths) for request in bench.state.requests)


# what is found


@pytest.mark.parametrize("source", names())
def test_what_a_source_lists_is_registered_and_the_next_discovery_asks_for_what_is_new(
    bench: Bench, source: str
) -> None:
    bench.state.switches = Switches(listable=True)
    all_ids = fill(bench.state, source, range(230))
    done, first = found(bench), lists(bench)
    again, second = found(bench, source), lists(bench) - first
    new = fill(bench.state, source, range(230, 235))
    third = found(bench, source)

    assert (done.exit_code, the(done, source).state) == (0, "complete")
    assert (done.total("listed"), done.total("registered"), done.requests) == (230, 230, first)
    assert (again.total("listed"), again.requests, second) == (0, 1, 1)
    assert (third.total("registered"), third.total("unchanged")) == (5, 0)
    assert third.requests <= 2
    assert registered(bench.path, source=source) == registered(bench.path) == all_ids | new


def test_the_object_of_a_list_is_archived_as_it_was_sent_and_a_backup_needs_nothing_more(bench: Bench) -> None:
    ids = fill(bench.state, "chatkit", range(12), title="T")
    body = b'{"id":"cthr_odd","created_at":1760000999,"metadata":{"x":1.10,"y":"\\ud800"},"user":null}'
    ids.add(bench.state.put("chatkit", body))
    for thread in ids:
        bench.state.add("chatkit", thread, "items", {"thread_id": thread}, kind="chatkit_item")
    found(bench, "chatkit")

    assert bench.lines("cthr_odd", "thread") == [body]
    bench.state.delete("chatkit", "cthr_0003")
    asked = len(bench.state.requests)
    report = bench.backup()
    assert (report.registered, report.complete, report.gone) == (13, 12, 1)
    assert len(bench.state.requests) - asked <= 13 + 3
    with Archive.open(bench.path) as archive:
        assert {known.thread.id for known in archive.catalog.known(state="complete")} == ids - {"cthr_0003"}
    assert list(check(bench.path, rebuild=True)) == []


def test_what_changed_is_found_by_a_full_walk_and_written_once(bench: Bench) -> None:
    fill(bench.state, "chatkit", range(5))
    found(bench, "chatkit")
    bench.state.edit("chatkit", "cthr_0002", {"id": "cthr_0002", "created_at": 1_760_000_000, "title": "new"})
    later = found(bench, "chatkit")
    full = found(bench, "chatkit", full=True)
    again = found(bench, "chatkit", full=True)

    assert later.total("changed") == 0
    assert (full.total("changed"), full.total("unchanged")) == (1, 4)
    assert (again.total("changed"), again.total("unchanged")) == (0, 5)
    assert len(bench.lines("cthr_0002", "thread")) == 2
    assert len(bench.lines("cthr_0001", "thread")) == 1
    assert owner(bench, "cthr_0002").title == "new"


# whose it is


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"user": "ann", "title": "T"}, Owner("ann", None, "T")),
        ({"metadata": {"user": "u", "customer": "c", "title": "t"}}, Owner("u", "c", "t")),
        ({"metadata": {"user_id": "u", "customer_id": "c"}}, Owner("u", "c")),
        ({"user": "", "title": "  ", "metadata": {"user": "u", "title": "t"}}, Owner("u", None, "t")),
        ({"user": 7, "title": ["x"], "metadata": {"customer": {"name": "x"}, "user": None}}, Owner()),
        ({"metadata": {"User": "u", "customer_name": "c", "userid": "x"}}, Owner()),
        ({"metadata": "user"}, Owner()),
        ({"metadata": None, "user": None}, Owner()),
        ({"title": "x" * (LONGEST + 1), "user": "x" * LONGEST}, Owner("x" * LONGEST)),
        (
            {"title": "\x1b[2J\nthread_x\u202e", "user": "../../etc"},
            Owner("../../etc", None, "\x1b[2J\nthread_x\u202e"),
        ),
        ({"title": "\ud83d", "user": "ann\udcff"}, Owner("ann\ufffd", None, "\ufffd")),
        ([], Owner()),
        ("user", Owner()),
    ],
)
def test_only_strings_under_exact_names_are_words_of_an_owner(told: Any, expected: Owner) -> None:
    assert owner_in(json.dumps(told).encode()) == expected


def test_an_object_that_strict_parsers_refuse_still_tells_its_owner() -> None:
    deep = b"[" * 5000 + b"]" * 5000

    assert owner_in(b'{"n":1e999,"deep":%b,"metadata":{"user":"ann"}}' % deep) == Owner("ann")


def test_what_a_person_registered_stays_and_only_what_is_unknown_is_filled(bench: Bench) -> None:
    fill(bench.state, "chatkit", range(3), user="server", title="S", metadata={"customer": "acme"})
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        mine = Registration(bench.ref("cthr_0000"), profile="eu", user="ann", tags=("vip",))
        register(archive, [mine, Registration(bench.ref("cthr_0001"), title="mine")])
    done = found(bench, "chatkit")

    assert (done.total("registered"), done.total("changed")) == (1, 2)
    assert owner(bench, "cthr_0000") == replace(mine, customer="acme", title="S")
    assert owner(bench, "cthr_0001") == Registration(bench.ref("cthr_0001"), "default", "server", "acme", "mine", ())
    assert found(bench, "chatkit", full=True).total("unchanged") == 3


def test_a_title_that_the_object_gave_follows_the_object_and_a_persons_does_not(bench: Bench) -> None:
    fill(bench.state, "chatkit", range(2), title="first")
    found(bench, "chatkit")
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(bench.ref("cthr_0001"), title="mine")])
    fill(bench.state, "chatkit", range(2), title="second")
    done = found(bench, "chatkit", full=True)

    assert done.total("changed") == 2
    assert owner(bench, "cthr_0000").title == "second"
    assert owner(bench, "cthr_0001").title == "mine"


def test_hostile_words_are_data(bench: Bench) -> None:
    title = "\x1b]0;x\x07\r\n','--\u202e" + "a" * 900
    fill(bench.state, "chatkit", range(1), title=title, user="../../../../tmp/x")
    found(bench, "chatkit")
    bench.backup()

    assert owner(bench, "cthr_0000") == Registration(
        bench.ref("cthr_0000"), "default", "../../../../tmp/x", None, title, ()
    )
    assert not [path for path in bench.path.rglob("*") if "tmp" in path.name and path.name != "tmp"]
    assert list(check(bench.path, rebuild=True)) == []


# keys and endpoints


def test_two_keys_of_one_endpoint_register_one_thread_and_two_endpoints_two(bench: Bench, tmp_path: Path) -> None:
    ids = fill(bench.state, "chatkit", range(4))
    bench.state.keys["sk-second"] = Key("proj_one")
    other = bench.state.put("chatkit", {"id": "cthr_other", "created_at": 1}, project="proj_two")
    second = State()
    fill(second, "chatkit", range(4))
    with running(second) as elsewhere:
        keys = {"a": bench.key, "b": "sk-second", "c": "sk-sandbox-two"}
        profiles = {name: replace(bench.profile, name=name, key=Secret(key)) for name, key in keys.items()}
        profiles["d"] = replace(bench.profile, name="d", base_url=elsewhere.url)
        done = found_by(profiles, bench.path, ["chatkit"])
        again = found_by(profiles, bench.path, ["chatkit"])

    numbers = [(one.profile, one.listed, one.registered, one.unchanged) for one in done.lists]
    assert numbers == [("a", 4, 4, 0), ("b", 4, 0, 4), ("c", 1, 1, 0), ("d", 4, 4, 0)]
    assert [one.listed for one in again.lists] == [0, 0, 0, 0]
    with Archive.open(bench.path) as archive:
        known = [(one.thread.endpoint, one.thread.id, one.profile) for one in archive.catalog.known()]
    here = bench.url
    assert sorted(known) == sorted(
        [(here, one, "a") for one in ids] + [(here, other, "c")] + [(elsewhere.url, one, "d") for one in ids]
    )


def test_a_session_lists_what_no_key_may_and_the_key_reads_it(bench: Bench) -> None:
    ids = fill(bench.state, "conversations", range(3))
    profile = replace(bench.profile, session=Secret("sess-sandbox-one"))
    refused = found_by({"default": profile}, bench.path, ["conversations"])
    done = found_by({"default": profile}, bench.path, ["conversations"], session=True)

    assert (refused.exit_code, refused.lists[0].state, refused.lists[0].code) == (3, "not_listed", "cannot_list")
    assert (done.exit_code, registered(bench.path)) == (0, ids)
    with Archive.write(bench.path) as archive:
        report = backup(archive, {"default": bench.profile}, Options(), everything=True)
    assert (report.complete, report.exit_code) == (3, 0)


def test_a_thread_that_only_a_session_saw_is_not_taken_for_gone(bench: Bench) -> None:
    bench.state.put("conversations", {"id": "conv_theirs"}, project="proj_two")
    bench.state.put("conversations", {"id": "conv_ours"})
    session = replace(bench.profile, session=Secret("sess-sandbox-one"), project="proj_two")
    found_by({"default": session}, bench.path, ["conversations"], session=True)
    report = bench.backup("conv_ours")

    assert registered(bench.path) == {"conv_theirs", "conv_ours"}
    assert (report.complete, report.gone, report.failed) == (1, 0, 1)
    assert [outcome.code for outcome in bench.outcomes if outcome.state == "failed"] == ["not_found"]


def test_without_a_session_it_is_said_which_settings_name_one(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"session_key_env, session_key_file or session_key_command.*short-lived"):
        found(bench, session=True)


# what cannot be listed


def test_a_source_without_a_list_is_no_failure_unless_it_was_asked_for_or_nothing_else_was_read(bench: Bench) -> None:
    fill(bench.state, "chatkit", range(2))
    everything = found(bench)
    asked = found(bench, "conversations", "chatkit")
    nothing = found_by({"default": bench.profile}, bench.path, [])
    bench.state.switches = Switches(fault="api_removed")
    removed = found(bench)

    assert everything.exit_code == nothing.exit_code == 0
    states = {one.source: one.state for one in everything.lists}
    assert states == dict.fromkeys(names(), "complete") | dict.fromkeys(
        ("assistants", "conversations", "responses"), "not_listed"
    )
    told = the(everything, "conversations")
    assert "conversations" in str(told.why)
    assert str(told.ids_from).startswith("Ids come from")
    assert asked.exit_code == 3
    assert (removed.exit_code, {one.state for one in removed.lists}) == (3, {"not_listed"})


def test_a_missing_scope_stops_its_source_and_is_named_and_the_others_finish(bench: Bench) -> None:
    ids = fill(bench.state, "chatkit", range(3))
    bench.state.keys["sk-narrow"] = Key("proj_one", scopes=frozenset({"api.chatkit.read", "api.model.read"}))
    bench.key = "sk-narrow"
    some = found(bench, "agents", "chatkit", "completions")
    bench.key = "sk-sandbox-restricted"
    none = found(bench, "agents", "chatkit")
    bench.key = "sk-wrong"
    wrong = found(bench)

    assert some.exit_code == 3
    assert [one.state for one in some.lists] == ["refused", "complete", "complete"]
    assert "api.agents.read" in str(some.lists[0].why)
    assert registered(bench.path) == ids
    assert (none.exit_code, wrong.exit_code) == (12, 12)


def test_an_unusable_profile_ends_only_its_own_lists(bench: Bench) -> None:
    fill(bench.state, "chatkit", range(3))
    bad = replace(bench.profile, name="bad", base_url="http://user:secret@127.0.0.1:1/v1")
    keyless = Profile("keyless", "https://keyless.example/v1")
    both = found_by({"bad": bad, "keyless": keyless, "default": bench.profile}, bench.path, ["chatkit"])
    alone = found_by({"bad": bad}, bench.path, ["chatkit"])

    assert [one.state for one in both.lists] == ["failed", "refused", "complete"]
    assert (both.exit_code, both.total("registered"), alone.exit_code) == (3, 3, 2)
    assert "secret" not in str(both)


def test_a_server_that_is_unwell_is_temporary_and_the_next_discovery_goes_on(bench: Bench) -> None:
    ids = fill(bench.state, "chatkit", range(250))
    with stamina.set_testing(True, attempts=2):
        bench.state.switches = Switches(fault="error_500")
        nothing = found(bench, "chatkit")
        bench.state.switches = Switches(fault="error_500", only="chatkit", every=1)
        both = found(bench, "chatkit", "completions")
    bench.state.switches = Switches()

    assert (nothing.exit_code, the(nothing, "chatkit").state, the(nothing, "chatkit").code) == (
        75,
        "failed",
        "temporary",
    )
    assert (both.exit_code, [one.state for one in both.lists]) == (3, ["failed", "complete"])
    assert found(bench, "chatkit").exit_code == 0
    assert registered(bench.path) == ids


def test_azure_lists_what_openai_shows_to_no_key(bench: Bench) -> None:
    sources = ("assistants", "conversations", "responses")
    ids = {source: fill(bench.state, source, range(130), metadata={"user_id": "ann"}) for source in sources}
    root, token = bench.url.removesuffix("/v1"), Secret("entra-sandbox-one")
    project, key = f"{root}/api/projects/proj_one", Secret(bench.key)
    dated = Profile("dated", f"{root}/openai", key=key, auth="api-key", api_version="2024-05-01-preview")
    profiles = {
        "classic": Profile("classic", project, key=token, auth="entra", api_version="v1"),
        "foundry": Profile("foundry", f"{project}/openai/v1", key=token, auth="entra"),
    }
    done = found_by(profiles, bench.path)
    again = found_by(profiles, bench.path)
    old = found_by({"dated": dated}, bench.path)

    assert (done.exit_code, again.exit_code, old.exit_code) == (0, 0, 0)
    assert (done.total("registered"), again.total("listed")) == (390, 0)
    for source in sources:
        with Archive.open(bench.path) as archive:
            known = [one for one in archive.catalog.known(source=source) if one.profile in profiles]
        assert {one.thread.id for one in known} == ids[source]
        assert {(one.profile, one.user) for one in known} == {
            ("classic" if source == "assistants" else "foundry", "ann")
        }
    with Archive.write(bench.path) as archive:
        report = backup(archive, profiles | {"dated": dated}, Options(), everything=True)
    assert (report.exit_code, report.complete) == (0, report.registered)


# lies


# of position_ids the sandbox shows a key what has its own id; with changing_ids no two answers name the same threads
@pytest.mark.parametrize("lie", sorted(LIES.keys() - {"position_ids", "changing_ids"}))
def test_a_list_that_lies_is_had_exactly_or_the_lie_is_named(bench: Bench, lie: str) -> None:
    ids = fill(bench.state, "chatkit", range(125))
    bench.state.switches = Switches(lies=frozenset({lie}), lies_only="/chatkit/threads", max_limit=30)
    done = found(bench, "chatkit")
    again = found(bench, "chatkit")
    listed = the(done, "chatkit")

    assert (listed.state == "partial", done.exit_code) == ((True, 3) if lie in LOUD else (False, 0))
    assert listed.state in ("partial", "complete")
    if lie == "duplicate_ids":
        assert registered(bench.path) == {one for n, one in enumerate(sorted(ids)) if n % 7 != 6}
        assert "duplicate_ids" in listed.notes
    elif lie in LOUD:
        assert registered(bench.path) <= ids
        assert listed.why
    else:
        assert registered(bench.path) == ids
        assert again.total("registered") == again.total("nameless") == 0
    if lie in ("has_more_forever", "empty_page_has_more", "inclusive_cursor_forever"):
        assert registered(bench.path) == ids
    bench.state.switches = Switches()
    assert found(bench, "chatkit", full=True).exit_code == 0
    assert registered(bench.path) >= ids


def test_objects_without_a_usable_id_are_counted_and_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    page = [Item(None, b"{}"), Item("../../x", b"{}"), Item("cthr_1", b"{}"), Item("a b", b"{}"), Item("", b"{}")]
    lists_these(monkeypatch, page)
    done = found(bench, "chatkit")
    listed = the(done, "chatkit")

    assert registered(bench.path) == {"cthr_1"}
    assert (listed.state, listed.code, listed.nameless, listed.registered) == ("partial", "no_id", 4, 1)
    assert "4 objects have no id that can be asked for" in str(listed.why)
    assert done.exit_code == 3


def test_an_id_that_comes_again_in_another_place_is_one_thread(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Item("cthr_1", b'{"title":"a"}'), Item("cthr_1", b'{"title":"b","user":"ann"}')
    lists_these(monkeypatch, [first, second], [first], [second])
    done = found(bench, "chatkit")

    assert (done.total("registered"), done.total("changed"), done.total("unchanged")) == (1, 2, 1)
    assert bench.lines("cthr_1", "thread") == [first.body, second.body, first.body, second.body]
    assert owner(bench, "cthr_1").user == "ann"
    assert list(check(bench.path)) == []


def lists_these(monkeypatch: pytest.MonkeyPatch, *pages: list[Item], gap: str | None = None) -> list[Position | None]:
    """Let chatkit list these; returns what it is asked to go on after."""
    asked: list[Position | None] = []

    async def threads(self: Any, after: Position | None = None) -> AsyncIterator[Page | Gap]:
        asked.append(after)
        here = ThreadRef("chatkit", self._transport.endpoint, "")
        for number, items in enumerate(pages):
            seq = sum(map(len, pages[:number]))
            more = number < len(pages) - 1
            yield Page(here, "thread", tuple(items), items[-1].id, more, now(), "threads", seq)
            await asyncio.sleep(0)
        if gap:
            yield Gap(here, "threads", None, gap, f"chatkit: {gap}")

    monkeypatch.setattr("exporter.sources.chatkit.ChatkitSource.threads", threads)
    return asked


def items(*numbers: int) -> list[Item]:
    return [Item(f"cthr_{n:04d}", b'{"id":"cthr_%04d"}' % n) for n in numbers]


# where it goes on


def test_a_budget_ends_it_and_the_next_discovery_goes_on(bench: Bench) -> None:
    ids = fill(bench.state, "chatkit", range(500))
    first = found(bench, "chatkit", "completions", max_requests=2)
    second = found(bench, "chatkit", "completions")

    assert (first.exit_code, first.requests, first.total("registered")) == (14, 2, 200)
    assert [one.state for one in first.lists] == ["stopped"]
    assert (second.exit_code, second.total("listed")) == (0, 300)
    assert registered(bench.path) == ids


def test_an_interruption_keeps_what_was_found_and_the_next_discovery_goes_on(bench: Bench) -> None:
    ids = fill(bench.state, "chatkit", range(500))
    stop = Stop()

    def on_page(taken: Taken) -> None:
        if "cthr_0250" in {thread.id for thread in taken.registered}:
            stop.request(130)

    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        profiles = {"default": bench.profile}
        done = discover(archive, profiles, Options(), sources=["chatkit", "completions"], on_page=on_page, stop=stop)

    assert (done.exit_code, [one.state for one in done.lists]) == (130, ["stopped"])
    assert len(registered(bench.path)) == done.total("registered") == 300
    assert found(bench, "chatkit").total("listed") == 200
    assert registered(bench.path) == ids


def test_a_thread_that_the_list_shows_late_before_a_new_one_is_found_too(bench: Bench) -> None:
    """Threads of one second come in any order, and some come late: the last minutes are listed again."""
    old, at = fill(bench.state, "chatkit", range(5)), int(bench.state.clock.now())
    bench.state.put("chatkit", {"id": "cthr_new", "created_at": at})
    first = found(bench, "chatkit")
    bench.state.delete("chatkit", "cthr_new")
    for thread in ("cthr_late", "cthr_new"):
        bench.state.put("chatkit", {"id": thread, "created_at": at})
    done = found(bench, "chatkit")

    assert first.total("registered") == 6
    assert (done.total("registered"), done.total("unchanged")) == (1, 1)
    assert done.requests <= 2
    assert registered(bench.path) == old | {"cthr_late", "cthr_new"}


def test_a_cursor_that_the_server_forgot_begins_the_list_again(bench: Bench) -> None:
    ids = fill(bench.state, "chatkit", range(150))
    found(bench, "chatkit")
    bench.state.delete("chatkit", "cthr_0149")
    new = fill(bench.state, "chatkit", range(150, 153))
    done = found(bench, "chatkit")

    assert (done.exit_code, done.total("registered"), done.total("unchanged")) == (0, 3, 149)
    assert "stale_cursor" in the(done, "chatkit").notes
    assert registered(bench.path) == ids | new


def test_a_cursor_ahead_of_the_registry_is_not_believed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a journal that lost its end, or an older copy of the segments beside a newer catalog."""
    asked = lists_these(monkeypatch, items(0, 1), items(2, 3))
    found(bench, "chatkit")
    with Archive.write(bench.path) as archive:
        key = next(key for key in archive.catalog.facts("discover:"))
        told = json.loads(archive.catalog.fact(key) or "")
        for lie in (json.dumps({**told, "newest": "cthr_lost"}), "null", "{", "[]", '{"cursor":"x"}', '"x"'):
            archive.catalog.note_fact(key, lie)
            discover(archive, {"default": bench.profile}, Options(), sources=["chatkit"])
            archive.catalog.note_fact(key, json.dumps(told))
        discover(archive, {"default": bench.profile}, Options(), sources=["chatkit"])

    assert asked == [None] * 7 + [Position("cthr_0003", 4, more=False)]


def test_a_bit_that_rots_in_the_journal_of_a_crash_loses_no_thread(bench: Bench) -> None:
    """What follows it is cut; the hint about the cursor, which is kept elsewhere, is ahead of the truth then."""
    ids = fill(bench.state, "chatkit", range(500))

    def crash(taken: Taken) -> None:
        if taken.last and taken.last.id == "cthr_0299":
            raise RuntimeError

    Archive.create(bench.path)
    with Archive.write(bench.path) as archive, pytest.raises(RuntimeError):
        discover(archive, {"default": bench.profile}, Options(), sources=["chatkit"], on_page=crash)
    journal = next((bench.path / "journal").iterdir())
    content = bytearray(journal.read_bytes())
    content[content.index(b"cthr_0150")] ^= 1
    journal.write_bytes(content)

    assert found(bench, "chatkit").total("registered") == 350
    assert registered(bench.path) == ids


@pytest.mark.parametrize("code", ["cursor_repeated", "order_ignored"])
def test_after_a_gap_that_discredits_cursors_the_list_is_walked_from_its_beginning(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    asked = lists_these(monkeypatch, items(0, 1), gap=code)
    done = found(bench, "chatkit")
    found(bench, "chatkit")
    lists_these(monkeypatch, items(0, 1), gap="temporary")
    found(bench, "chatkit")
    later = lists_these(monkeypatch, items(2))
    found(bench, "chatkit")

    assert (the(done, "chatkit").state, the(done, "chatkit").code) == ("partial", code)
    assert asked == [None, None]
    assert later == [Position("cthr_0001", 2, more=False)]


def test_the_hint_is_kept_after_the_pages_are_durable(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(bench.state, "chatkit", range(300))
    order: list[str] = []
    append, note = Archive.append, "exporter.archive.catalog.Catalog.note_fact"

    def appending(self: Archive, pages: Iterable[Page]) -> None:
        append(self, pages)
        order.append("pages")

    monkeypatch.setattr(Archive, "append", appending)
    monkeypatch.setattr(note, lambda _, __, value: order.append(json.loads(value)["newest"]))
    found(bench, "chatkit")

    # the last one is full: that it is the end is known when nothing follows
    assert order == ["pages", "cthr_0099", "pages", "cthr_0199", "pages", "cthr_0299", "cthr_0299"]


def test_what_is_held_of_a_long_list_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ledger, "RECENT", 150)
    ids = fill(bench.state, "chatkit", range(500))
    done = found(bench, "chatkit")
    with Archive.open(bench.path) as archive:
        manifests = len(list(archive.manifests()))

    assert (done.total("registered"), registered(bench.path)) == (500, ids)
    assert manifests == 3


def test_what_is_listed_late_in_its_time_is_visited_first(bench: Bench) -> None:
    at = now()
    for source, days in (("completions", 2), ("completions", 28), ("completions", 29), ("agents", 900)):
        place, created = Place(source), int((at - timedelta(days=days)).timestamp())
        bench.state.put(place.shelf, {"id": f"{place.prefix}{days}", place.stamp: created})
    found(bench, "completions", "agents")
    with Archive.open(bench.path) as archive:
        known = {one.thread.id: one.deadline_at for one in archive.catalog.known()}
        first = [one.thread.id for one in plan(archive)]

    prefix, kept = Place("completions").prefix, Place("agents").prefix
    left = [datetime.fromisoformat(known[f"{prefix}{days}"] or "") - at for days in (2, 28, 29)]
    assert first[:2] == [f"{prefix}29", f"{prefix}28"]
    assert sorted(first[2:]) == sorted([f"{prefix}2", f"{kept}900"])
    assert [round(time / timedelta(days=1)) for time in left] == [28, 2, 1]
    assert known[f"{kept}900"] is None


def test_an_unknown_source_is_a_mistake_before_anything_is_asked(bench: Bench) -> None:
    with pytest.raises(UsageError, match="no source is called"):
        found(bench, "chatkitt")

    assert bench.state.requests == []


def test_a_source_that_cannot_list_at_all_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute:
        def __init__(self, _: object) -> None:
            pass

    monkeypatch.setattr("exporter.discovery._walking.load", lambda _: Mute)
    listed = the(found(bench, "chatkit"), "chatkit")

    assert (listed.state, listed.code, listed.ids_from) == ("not_listed", "cannot_list", None)
    assert bench.state.requests == []


def test_a_place_never_names_what_was_erased(bench: Bench) -> None:
    """A page that promises more names a thread before its last one."""
    place = Place("completions")
    for n in range(450):
        bench.state.put(place.shelf, {"id": f"{place.prefix}{n:04d}", place.stamp: 1_760_000_000 + n})
    found(bench, "completions")
    gone = f"{place.prefix}0098"
    with Archive.write(bench.path) as archive:
        asked = [Asked("thread", gone)]
        erase(archive, choose(archive, asked).threads, asked)

    assert found(bench, "completions", full=True, max_requests=1).exit_code == 14

    assert gone.encode() not in (bench.path / "catalog.sqlite").read_bytes()
    assert found(bench, "completions").exit_code == 0
