"""Several profiles in one run: a thread is read through the one that sees it, and nothing is there twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exporter.archive import Archive
from exporter.check import check
from exporter.crawl import Options, Report, backup
from exporter.endpoint import endpoint_of
from exporter.model import Outcome, Profile, Registration, Secret, ThreadRef
from exporter.registry import register
from exporter.sandbox.keys import Key
from exporter.sources._probes import NOBODY
from tests.conftest import Bench, loads, rows
from tests.test_crawl import filled

ONE, TWO = "sk-sandbox-one", "sk-sandbox-two"
"Keys of two projects."


def profiles(bench: Bench, **keys: str) -> dict[str, Profile]:
    return {name: Profile(name, bench.url, key=Secret(key)) for name, key in keys.items()}


def of_two(bench: Bench, count: int, thread: str) -> str:
    """Add a thread of the second key's project."""
    filled(bench, count, thread)
    bench.state.shelves["threads"].holders[thread].project = "proj_two"
    return thread


def named(bench: Bench, profile: str, *threads: str) -> None:
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(bench.ref(thread), profile) for thread in threads])


def run(bench: Bench, known: dict[str, Profile], **options: Any) -> Report:
    bench.outcomes = []
    with Archive.write(bench.path) as archive:
        return backup(archive, known, Options(**options), everything=True, on_outcome=bench.outcomes.append)


def outcome(bench: Bench, thread: str) -> Outcome:
    return next(one for one in bench.outcomes if one.thread.id == thread)


def profile_of(bench: Bench, thread: str) -> str:
    with Archive.open(bench.path) as archive:
        return archive.owner(bench.ref(thread)).profile


def asked_by(bench: Bench, project: str) -> int:
    return sum(request.project == project for request in bench.state.requests)


def test_a_second_key_that_sees_more_is_used_and_written_down_and_asked_first_from_then_on(bench: Bench) -> None:
    named(bench, "default", filled(bench, 130), of_two(bench, 130, "thread_two"))
    both = profiles(bench, default=ONE, second=TWO)

    first = run(bench, both)
    bench.state.requests.clear()
    again = run(bench, both)

    assert (first.exit_code, first.complete, first.records) == (0, 2, 262)
    assert (profile_of(bench, "thread_a"), profile_of(bench, "thread_two")) == ("default", "second")
    assert (again.exit_code, again.records) == (0, 0)
    assert not [r for r in bench.state.requests if r.status == 404 and NOBODY not in r.path]
    assert {row["thread_id"]: row["profile"] for row in rows(bench.path)} == {
        "thread_a": "default",
        "thread_two": "second",
    }
    assert len(rows(bench.path)) == 260
    assert len(rows(bench.path, "threads")) == 2


def test_a_thread_that_no_key_sees_is_not_found_once_all_were_asked(bench: Bench) -> None:
    named(bench, "second", filled(bench, 1), "thread_nowhere")

    report = run(bench, profiles(bench, default=ONE, second=TWO, third=TWO))

    assert (report.exit_code, report.complete, report.failed) == (3, 1, 1)
    assert outcome(bench, "thread_nowhere").code == "not_found"
    assert profile_of(bench, "thread_nowhere") == "second"


def test_one_thread_through_two_keys_is_one_thread(bench: Bench) -> None:
    filled(bench, 3)
    both = profiles(bench, default=ONE, other=ONE)
    named(bench, "default", "thread_a")
    run(bench, both)
    named(bench, "other", "thread_a")
    bench.state.add_message("thread_a", {"id": "msg_new", "role": "user", "content": []})

    report = run(bench, both)

    assert (report.exit_code, report.registered, report.records) == (0, 1, 1)
    assert [row["profile"] for row in rows(bench.path)] == ["other"] * 4
    assert len(rows(bench.path, "threads")) == 1


def test_one_id_at_two_endpoints_is_two_threads(bench: Bench) -> None:
    filled(bench, 2)
    there = bench.url.replace("127.0.0.1", "localhost")
    known = {"default": bench.profile, "there": replace(bench.profile, name="there", base_url=there)}
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        twin = replace(bench.ref("thread_a"), endpoint=endpoint_of(there))
        register(archive, [Registration(bench.ref("thread_a")), Registration(twin, "there")])

    first, again = run(bench, known), run(bench, known)

    assert (first.exit_code, first.registered, first.complete, first.records) == (0, 2, 2, 6)
    assert again.records == 0
    found = {(row["endpoint"], row["profile"], row["message_id"]) for row in rows(bench.path)}
    ids = ("msg_thread_a_0", "msg_thread_a_1")
    assert found == {(endpoint_of(bench.url), "default", id_) for id_ in ids} | {
        (endpoint_of(there), "there", id_) for id_ in ids
    }
    assert len(rows(bench.path)) == 4
    assert len(rows(bench.path, "threads")) == 2


@pytest.mark.parametrize("key", ["sk-wrong-0123456789", "sk-sandbox-restricted"])
def test_a_refused_key_costs_nothing_where_another_sees_the_threads(bench: Bench, key: str) -> None:
    named(bench, "refused", *(filled(bench, 2, f"thread_{i}") for i in range(30)))

    report = run(bench, profiles(bench, refused=key, good=ONE), jobs=4)
    again = run(bench, profiles(bench, refused=key, good=ONE), jobs=4)

    assert (report.exit_code, report.complete, report.stopped) == (0, 30, ())
    assert len(report.remarks) == 1
    assert "no thread was left out" in report.remarks[0]
    assert key not in str(report)
    assert {row["profile"] for row in rows(bench.path)} == {"good"}
    assert (again.exit_code, again.records, again.remarks) == (0, 0, ())


def test_what_a_refused_key_alone_could_see_stays_as_it_was_and_is_counted(bench: Bench) -> None:
    two = [of_two(bench, 2, f"thread_{i}") for i in range(3)]
    named(bench, "default", filled(bench, 2))
    named(bench, "second", *two)
    run(bench, profiles(bench, default=ONE, second=TWO))

    report = run(bench, profiles(bench, default=ONE, second="sk-wrong-0123456789"))

    assert (report.exit_code, report.complete, report.visited, report.gone) == (3, 4, 1, 0)
    assert len(report.stopped) == 1
    assert "3 threads of assistants not visited" in report.stopped[0]
    assert report.sources["assistants"]["not_visited"] == 3
    assert profile_of(bench, "thread_0") == "second"


def test_only_a_source_that_lacks_a_scope_is_closed_and_named_with_it(bench: Bench) -> None:
    bench.state.add_conversation("conv_a")
    bench.state.add_conversation("conv_b")
    bench.state.keys["sk-threads-only"] = Key("proj_one", scopes=frozenset({"api.threads.read"}))
    bench.key = "sk-threads-only"

    report = bench.backup(filled(bench, 2), "conv_a", "conv_b")

    assert (report.exit_code, report.complete, report.never_visited) == (3, 1, 2)
    assert len(report.stopped) == 1
    assert "2 threads of conversations not visited" in report.stopped[0]
    assert "api.responses.read" in report.stopped[0]


def test_a_scope_that_only_the_traces_need_costs_only_the_traces(bench: Bench) -> None:
    bench.state.keys["sk-agents-only"] = Key("proj_one", scopes=frozenset({"api.agents.read"}))
    bench.key = "sk-agents-only"
    for session in ("asess_1", "asess_2"):
        bench.state.add_session(session)
        bench.state.add_turn(session, {"id": f"aturn_{session}"})
        bench.state.add_session_item(session, {"type": "message", "role": "user", "content": []})
        bench.state.add_trace(session, {"id": f"aturn_{session}"})

    report = bench.backup("asess_1", "asess_2")
    bench.key = ONE
    whole = bench.backup()

    assert (report.exit_code, report.partial, report.stopped) == (3, 2, ())
    assert {error.code for error in report.errors} == {"missing_scope"}
    assert "api.traces.read" in str(report.errors[0].error)
    assert (whole.exit_code, whole.complete) == (0, 2)
    assert (len(rows(bench.path)), len(rows(bench.path, "runs")), len(rows(bench.path, "steps"))) == (2, 2, 2)
    assert {(gap["list"], gap["closed_at"] is not None) for gap in rows(bench.path, "gaps")} == {("traces", True)}


def test_a_visit_that_wrote_something_is_not_begun_again_by_another_key(bench: Bench) -> None:
    named(bench, "default", filled(bench, 2))
    bench.state.switches = bench.state.switches.with_changes({"fault": "wrong_region", "only": "/messages"})
    both = profiles(bench, default=ONE, other=ONE)

    broken = run(bench, both)
    asked = len(bench.state.requests)
    bench.state.switches = bench.state.switches.with_changes({"fault": ""})
    whole = run(bench, both)

    assert (broken.exit_code, broken.never_visited) == (12, 1)
    assert "1 thread of assistants not visited" in broken.stopped[0]
    assert asked == 2
    assert (whole.exit_code, whole.complete) == (0, 1)
    assert list(map(loads, bench.lines("thread_a"))) == list(map(loads, bench.state.messages("thread_a")))
    assert len(rows(bench.path)) == 2
    assert len(rows(bench.path, "threads")) == 1


# Gone is judged by who saw it


def test_the_witness_is_the_profile_that_saw_it(bench: Bench) -> None:
    both = profiles(bench, default=ONE, second=TWO)
    named(bench, "default", filled(bench, 1))
    named(bench, "second", of_two(bench, 1, "thread_two"), of_two(bench, 1, "thread_other"))
    run(bench, both)
    bench.state.delete_thread("thread_two")
    bench.state.delete_thread("thread_other")

    alone = run(bench, both)
    of_two(bench, 1, "thread_witness")
    named(bench, "second", "thread_witness")
    newcomer = run(bench, both)
    witnessed = run(bench, both)

    assert (alone.exit_code, alone.gone) == (3, 0)
    assert (newcomer.exit_code, newcomer.gone, newcomer.complete) == (3, 0, 2), "new, it may be of another project"
    assert outcome(bench, "thread_two").state == "gone"
    assert (witnessed.exit_code, witnessed.gone) == (0, 2)


def test_a_key_of_another_project_that_reads_a_new_thread_marks_none_of_the_old_ones_gone(bench: Bench) -> None:
    named(bench, "default", filled(bench, 1), filled(bench, 1, "thread_b"))
    run(bench, profiles(bench, default=ONE))
    named(bench, "default", of_two(bench, 1, "thread_two"))

    report = run(bench, profiles(bench, default=TWO))

    assert (report.exit_code, report.gone, report.complete) == (3, 0, 1)
    assert {error.code for error in report.errors} == {"unwitnessed"}


def test_a_thread_that_a_removed_profile_saw_is_not_gone_because_another_key_does_not_see_it(bench: Bench) -> None:
    named(bench, "default", filled(bench, 1))
    named(bench, "second", of_two(bench, 1, "thread_two"))
    run(bench, profiles(bench, default=ONE, second=TWO))

    report = run(bench, profiles(bench, default=ONE))
    renamed = run(bench, profiles(bench, default=ONE, renamed=TWO))

    assert (report.exit_code, report.gone, report.errors[0].code) == (3, 0, "unwitnessed")
    assert "second" in str(report.errors[0].error)
    assert (renamed.exit_code, renamed.complete) == (0, 2)
    assert profile_of(bench, "thread_two") == "renamed"
    assert [row["profile"] for row in rows(bench.path) if row["thread_id"] == "thread_two"] == ["renamed"]
    assert len(rows(bench.path)) == 2
    assert list(check(bench.path, rebuild=True)) == []


def test_many_vanishing_for_one_profile_are_not_hidden_by_what_another_reads(bench: Bench) -> None:
    both = profiles(bench, default=ONE, second=TWO)
    named(bench, "default", *(filled(bench, 1, f"thread_{i}") for i in range(80)))
    named(bench, "second", *(of_two(bench, 1, f"thread_two_{i}") for i in range(10)))
    run(bench, both)
    for i in range(6):
        bench.state.delete_thread(f"thread_two_{i}")
    bench.state.delete_thread("thread_0")

    report = run(bench, both)
    accepted = run(bench, both, accept_gone=True)

    assert (report.exit_code, report.gone) == (13, 1)
    assert "6 of 10 threads" in report.stopped[0]
    assert "second" in report.stopped[0]
    assert (accepted.exit_code, accepted.gone) == (0, 7)


def test_a_link_is_read_by_the_key_that_sees_where_it_leads(bench: Bench) -> None:
    bench.state.put("responses", {"id": "resp_2", "previous_response_id": "resp_1"})
    bench.state.put("responses", {"id": "resp_1"}, project="proj_two")
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(ThreadRef("responses", endpoint_of(bench.url), "resp_2"))])

    report = run(bench, profiles(bench, default=ONE, second=TWO))

    assert (report.exit_code, report.complete) == (0, 2)
    assert profile_of(bench, "resp_1") == "second"
