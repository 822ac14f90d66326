"""What a visit without news costs, one request, and what it may not miss for that."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.archive import Archive
from exporter.crawl import Options
from exporter.discovery import discover
from exporter.sandbox import Clock
from exporter.sandbox.switches import Switches
from exporter.sources import load
from exporter.sources import names as sources
from exporter.sources._probes import NOBODY
from tests.conftest import Bench, rows
from tests.sources.places import Place

LIVING = ("agents", "assistants", "chatkit", "conversations")
"Sources whose threads go on; the others hold one exchange each."
DAY = 24 * 3600.0


def fill(bench: Bench, source: str, count: int = 4) -> list[str]:
    """Put threads of three objects each on the server; returns their ids."""
    place = Place(source)
    names = [f"{place.prefix}idle{n}" for n in range(count)]
    for name in names:
        place.add_thread(bench.state, name)
        place.add(bench.state, name, 3)
    return names


def add(bench: Bench, thread: str, name: str) -> None:
    place = Place(bench.ref(thread).source)
    owner = {"thread_id": thread} if place.source in ("assistants", "chatkit") else {}
    place.add_one(bench.state, thread, {"id": name, "type": "message", "role": "user", "content": [], **owner})


def edit(bench: Bench, thread: str) -> bytes:
    """Change the thread's own object; returns it."""
    place = Place(bench.ref(thread).source)
    body = b'{"id":"%s","%s":1760000000,"changed":1}' % (thread.encode(), place.stamp.encode())
    bench.state.edit(place.shelf, thread, body)
    return body


def cost(bench: Bench, **options: Any) -> dict[str, int]:
    """Visit all; returns how many requests each thread took, and the questions about nobody's thread."""
    bench.state.requests.clear()
    bench.backup(**options)
    found: dict[str, int] = {}
    for request in bench.state.requests:
        if dict(request.params).get("limit") in (None, "100") or NOBODY in request.path:
            path = request.path.removeprefix("/v1") + "/"
            name = next(part for part in path.split("/") if "_" in part and not part.endswith("threads"))
            found[name] = found.get(name, 0) + 1
    return found


def idle(source: str, *threads: str) -> dict[str, int]:
    return dict.fromkeys((*threads, Place(source).prefix + NOBODY), 1)


def newest(bench: Bench, thread: str) -> bytes:
    """The newest of the thread's own objects in the archive."""
    return bench.lines(thread, "thread")[-1]


@pytest.mark.parametrize("source", LIVING)
def test_a_visit_without_news_is_one_request_and_the_server_is_tried_once_in_a_run(bench: Bench, source: str) -> None:
    names, lists = fill(bench, source, 20), Place(source).lists
    bench.register(names)
    first = cost(bench)
    again = cost(bench)
    requests = len(bench.state.requests)
    add(bench, names[3], "msg_new")
    news = cost(bench)

    assert first == dict.fromkeys(names, 1 + lists)
    assert again == idle(source, *names)
    assert requests == len(names) + 1
    assert news == idle(source, *names) | {names[3]: 1 + lists}
    assert any(b'"msg_new"' in body for body in bench.lines(names[3]))


@pytest.mark.parametrize("source", LIVING)
def test_a_thread_that_a_list_brought_costs_no_more(bench: Bench, source: str) -> None:
    bench.state.switches = Switches(listable=True)
    names = fill(bench, source)
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        discover(archive, {"default": bench.profile}, Options(), sources=(source,))

    assert cost(bench) == dict.fromkeys(names, Place(source).lists)
    assert cost(bench) == idle(source, *names)


@pytest.mark.parametrize("source", LIVING)
def test_what_changes_without_a_message_is_seen_within_a_week(bench: Bench, clock: Clock, source: str) -> None:
    names = fill(bench, source)
    bench.backup(*names)
    body = edit(bench, names[1])
    nights = [cost(bench) for _ in range(7) if clock.advance(DAY) and newest(bench, names[1]) != body]

    assert newest(bench, names[1]) == body
    assert 4 < len(nights) <= 7
    assert all(night == idle(source, *names) for night in nights[:4])


@pytest.mark.parametrize("source", ["agents", "assistants"])
def test_a_run_without_a_message_is_seen_within_a_week_and_with_one_at_once(
    bench: Bench, clock: Clock, source: str
) -> None:
    names = fill(bench, source)
    bench.backup(*names)
    for thread in names[:2]:
        if source == "agents":
            bench.state.add_turn(thread, {"id": f"aturn_{thread}", "created_at": int(clock.now())})
        else:
            bench.state.add_run(thread, {"id": f"run_{thread}", "status": "completed"})
            bench.state.add_step(thread, f"run_{thread}", {"id": f"step_{thread}"})
    add(bench, names[0], "msg_new")
    clock.advance(DAY)
    bench.backup()

    assert [len(bench.lines(thread, "run")) for thread in names] == [1, 0, 0, 0]
    for _ in range(6):
        clock.advance(DAY)
        bench.backup()
    assert [len(bench.lines(thread, "run")) for thread in names] == [1, 1, 0, 0]
    assert len(rows(bench.path, "steps")) == (2 if source == "assistants" else 0)


def test_a_run_under_way_has_its_thread_asked_for_whole_until_it_is_over(bench: Bench, clock: Clock) -> None:
    first, other = fill(bench, "assistants", 2)
    run = {"id": "run_1", "status": "in_progress", "created_at": int(clock.now())}
    bench.state.add_run(first, run)
    bench.backup(first, other)
    clock.advance(DAY / 2)
    under_way = cost(bench)
    bench.state.edit_run(first, "run_1", {**run, "thread_id": first, "status": "completed"})
    bench.state.add_step(first, "run_1", {"id": "step_1"})
    over = cost(bench)

    assert under_way == over == idle("assistants", other) | {first: 4}
    assert [row["status"] for row in rows(bench.path, "runs")] == ["completed"]
    assert [row["step_id"] for row in rows(bench.path, "steps")] == ["step_1"]
    assert cost(bench) == idle("assistants", first, other)


@pytest.mark.parametrize("source", LIVING)
@pytest.mark.parametrize("lie", ["", "unknown_thread_empty"])
def test_a_thread_that_was_deleted_is_missed_at_its_next_visit(bench: Bench, source: str, lie: str) -> None:
    names = fill(bench, source)
    bench.backup(*names)
    bench.state.switches = Switches(lies=frozenset({lie} - {""}))
    before = cost(bench)
    bench.state.delete(Place(source).shelf, names[2])
    report = bench.backup()

    believed = idle(source, *names)
    assert before == (believed if not lie else believed | dict.fromkeys(names, 1 + Place(source).lists))
    assert (report.gone, report.complete, report.exit_code) == (1, 3, 0)


@pytest.mark.parametrize("requests", range(1, 7))
def test_a_visit_that_was_cut_short_is_made_up_for_though_its_messages_are_had(bench: Bench, requests: int) -> None:
    (thread,) = fill(bench, "assistants", 1)
    bench.backup(thread)
    add(bench, thread, "msg_new")
    bench.state.add_run(thread, {"id": "run_new"})
    bench.state.add_step(thread, "run_new", {"id": "step_new"})
    cut = bench.backup(max_requests=requests)
    bench.backup()

    assert cut.exit_code == (14 if requests < 5 else 0)
    assert [row["run_id"] for row in rows(bench.path, "runs")] == ["run_new"]
    assert [row["step_id"] for row in rows(bench.path, "steps")] == ["step_new"]
    assert len(rows(bench.path)) == 4
    assert cost(bench) == idle("assistants", thread)


def test_runs_that_were_left_out_are_had_when_they_are_wanted(bench: Bench) -> None:
    names = fill(bench, "assistants", 2)
    bench.state.add_run(names[0], {"id": "run_1"})
    bench.backup(*names, runs=False)
    without = cost(bench, runs=False)
    bench.backup()

    assert without == idle("assistants", *names)
    assert [row["run_id"] for row in rows(bench.path, "runs")] == ["run_1"]


@pytest.mark.parametrize("found", [False, True])
def test_a_response_is_visited_until_it_is_finished_and_then_never_again(
    bench: Bench, clock: Clock, *, found: bool
) -> None:
    bench.state.switches = Switches(listable=True)
    name = bench.state.add_response({"id": "resp_1", "status": "in_progress"}, ["Hello?"])
    if found:
        Archive.create(bench.path)
        with Archive.write(bench.path) as archive:
            discover(archive, {"default": bench.profile}, Options(), sources=("responses",))
        clock.advance(2 * DAY)
    else:
        bench.backup(name, everything=False)
        bench.register([name])
    before = len(rows(bench.path)) if not found else 0
    bench.state.finish_response(name, [{"role": "assistant", "content": "Hello."}])
    clock.advance(1.1 * DAY)
    bench.backup(everything=False)

    assert before == (0 if found else 1)
    assert [row["text"] for row in sorted(rows(bench.path), key=lambda row: row["seq"])] == ["Hello?", "Hello."]
    clock.advance(20 * DAY)
    bench.state.requests.clear()
    assert bench.backup(everything=False).visited == 0
    assert bench.state.requests == []


def test_the_other_sources_hold_one_exchange_each() -> None:
    assert set(sources()) - set(LIVING) == {name for name in sources() if hasattr(load(name), "answers")}
