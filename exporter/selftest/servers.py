"""Whatever a server tells: what is archived is exact, or the thread is named; never quietly short, never endless."""

from __future__ import annotations

import re
from collections.abc import Iterable

from exporter.archive import Archive
from exporter.sandbox import State, running
from exporter.selftest._bench import Bench, Broken, Kept, none, promise
from exporter.selftest._child import Done

MESSAGES = 107
NUMBER = re.compile(r"message (\d+)")
ENDLESS = 10**9
MEMORY = 1200.0
"Megabytes that an answer may cost at most, however long it is: twice the longest that is taken, and some."
SAME_IDS = {"duplicate_ids"}
"Lies by which two objects have one id: they are one row, and the records hold both."
NAMELESS = {"null_ids_and_cursor"}
"Lies by which an object comes without an id and later with one: nothing tells that the two are one."
REFUSALS = {1, 3, 12, 13, 75}
"How a backup ends that could not have everything."


@promise("Cursors that repeat, overlap, are ignored or mean something else: exact, or the thread is named.")
def lying_cursors(bench: Bench) -> None:
    """See the sentence."""
    _lies(
        bench,
        "inclusive_cursor_forever",
        "overlapping_pages",
        "ignores_parameters",
        "inclusive_cursor",
        "cursor_by_second",
        "unknown_after_restarts",
        "no_envelope_ids",
        "drops_envelope_empty_strings",
    )


@promise("A list that never says that it ends, or says so too early: exact, or the thread is named.")
def lying_ends(bench: Bench) -> None:
    """See the sentence."""
    _lies(bench, "has_more_forever", "has_more_always_false", "empty_page_has_more")


@promise("A list in the wrong order comes out in the right one, or the thread is named.")
def wrong_order(bench: Bench) -> None:
    """See the sentence."""
    _lies(bench, "descending")


@promise("Ids that come twice, change, or are missing: no message is lost.")
def lying_ids(bench: Bench) -> None:
    """See the sentence."""
    _lies(bench, "changing_ids", "duplicate_ids", "null_ids_and_cursor", "null_ids", "position_ids")


@promise("A server that takes fewer objects at a time, or refuses what is asked for: exact.", quick=False)
def smaller_limits(bench: Bench) -> None:
    """See the sentence."""
    _lies(bench, "limit_silently_capped", "limit_too_large_400", "limit_too_large_422", "include_refused")


@promise("Fields of odd shapes and times that cannot be: every object is kept, as it was sent.", quick=False)
def odd_fields(bench: Bench) -> None:
    """See the sentence."""
    _lies(bench, "created_at_negative", "created_at_milliseconds", "text_as_list", "content_bare_string", "status_null")


@promise("Pages without end are no end of memory: a backup keeps to its budget, says so, and goes on from there.")
def endless_pages(bench: Bench) -> None:
    """See the sentence."""
    with bench.threads() as kept:
        name = kept.thread
        bench.state.delete_thread(name)
        bench.state.add_generated(name, ENDLESS)
        had = 0
        for _ in range(2):
            done = kept.backup(max_requests=12)
            if done.exit_code != 14:
                raise Broken(f"a list without end ended with {_said(done)}")
            none(kept.problems(), "after a part of an endless list")
            _bounded(done, "an endless list")
            with Archive.open(kept.path) as archive:
                found = sum(1 for _ in archive.records(kept.refs[0]))
            if found <= had:
                raise Broken(f"an endless list did not go on: {found} messages after {had}")
            had = found


@promise("Answers that are broken now and then - reset, cut, slow, not JSON, called something else: exact.")
def broken_answers(bench: Bench) -> None:
    """See the sentence."""
    passing = (
        *("reset", "truncated", "html_502", "wrong_content_type", "cut_json", "slow_drip", "storm"),
        *("error_500", "error_503", "malformed_json", "html", "empty_body", "wrong_length", "no_length"),
    )
    for fault in bench.some(passing, quick=3):
        with bench.threads(MESSAGES) as kept:
            bench.switch(fault=fault, every=3)
            done = kept.backup()
            bench.switch()
            if done.exit_code == 0:
                none(kept.differences(), f"{fault} at every third answer")
                continue
            _loud(kept, done, fault)
            _healed(kept, fault)


@promise("Answers that are always broken: the backup says so, invents nothing, and catches up when the server is well.")
def a_server_that_stays_broken(bench: Bench) -> None:
    """See the sentence."""
    staying = (
        *("error_503", "html", "api_removed", "quota", "reset"),
        *("malformed_json", "empty_body", "truncated", "wrong_region", "html_502"),
    )
    for fault in bench.some(staying, quick=3):
        with bench.threads(20) as kept:
            _healed(kept, "an honest server")
            kept.write(20)
            bench.switch(fault=fault)
            done = kept.backup()
            bench.switch()
            _loud(kept, done, fault)
            _healed(kept, fault)


@promise("A storm of 429 slows a backup down, and costs it nothing.")
def too_many_requests(bench: Bench) -> None:
    """See the sentence."""
    with bench.threads(MESSAGES * 3) as kept:
        bench.switch(rate=20, burst=2)
        done = kept.backup()
        bench.switch()
        if done.exit_code:
            raise Broken(f"a limit of 20 requests a second ended a backup with {_said(done)}")
        none(kept.differences(), "under a limit of 20 requests a second")


@promise("A gzip bomb, a body of a gigabyte and one without end are refused in bounded memory; other threads go on.")
def bodies_too_long(bench: Bench) -> None:
    """See the sentence."""
    for fault in bench.some(("gzip_bomb", "gigabyte", "endless"), quick=1):
        with bench.threads(20) as kept:
            bench.switch(fault=fault, only=f"{kept.thread}/messages")
            done = kept.backup()
            bench.switch()
            _bounded(done, fault)
            states = kept.states()
            if states[kept.conversation] != "complete" or states[kept.thread] == "complete":
                raise Broken(f"{fault} in one of two threads left {states}; it ended with {_said(done)}")
            _healed(kept, fault)


@promise("A message of ten megabytes is kept to the last byte.")
def a_long_message(bench: Bench) -> None:
    """See the sentence."""
    with bench.threads(3) as kept:
        kept.write(1, size=10_000_000)
        kept.write(3)
        done = kept.backup()
        if done.exit_code:
            raise Broken(f"a message of 10 MB ended a backup with {_said(done)}")
        none(kept.differences(), "with a message of 10 MB")


@promise("When most threads vanish at once, none is believed to be gone, and the backup says so.")
def mass_disappearance(bench: Bench) -> None:
    """See the sentence."""
    with bench.threads(3) as kept:
        others = [bench.state.add_thread(f"{kept.thread}x{n}") for n in range(9)]
        refs = [kept.refs[0], *(type(kept.refs[0])("assistants", kept.refs[0].endpoint, name) for name in others)]
        kept.more = tuple(refs[1:])
        _ended(kept.backup(), 0, "an honest server")
        for name in others:
            bench.state.delete_thread(name)
        _ended(kept.backup(), 13, "nine of eleven threads that answer 404")
        gone = [name for name, state in kept.states().items() if state == "gone"]
        if gone:
            raise Broken(f"{len(gone)} threads were believed to be gone, as {gone[0]}")


@promise("A server that sends us elsewhere gets no key there, and its word is not taken for the conversation.")
def redirected_elsewhere(bench: Bench) -> None:
    """See the sentence."""
    with running(State()) as other, bench.threads(20) as kept:
        bench.switch(fault="redirect", elsewhere=other.root.replace("127.0.0.1", "localhost"))
        done = kept.backup()
        bench.switch()
        if other.state.requests:
            raise Broken(f"{len(other.state.requests)} requests went to another host with what is ours")
        _loud(kept, done, "redirect")
        _healed(kept, "redirect")


def _lies(bench: Bench, *lies: str) -> None:
    for lie in bench.some(lies, quick=2):
        with bench.threads(MESSAGES) as kept:
            for more in (0, 3):
                kept.write(more)
                bench.switch(lies=[lie], max_limit=30)
                done = kept.backup(max_requests=400)
                bench.switch()
                if done.exit_code not in (0, 3):
                    raise Broken(f"the lie {lie} ended a backup with {_said(done)}")
                _exact_or_named(kept, lie)


def _exact_or_named(kept: Kept, lie: str) -> None:
    states, rows, wanted = kept.states(), kept.rows(), set(range(kept.count))
    with Archive.open(kept.path) as archive:
        for ref in kept.refs:
            said = f"under the lie {lie} {ref} is {states[ref.id]}"
            records = _numbers(record.body.decode("utf-8", "replace") for record in archive.records(ref))
            table = _numbers(f"{row['text']} {row['content_json']}" for row in rows[ref.id])
            if len(table) > len(set(table)) + (lie in NAMELESS):
                raise Broken(f"{said}, and its table has {len(table)} rows for {len(set(table))} messages")
            if states[ref.id] == "complete" and (
                set(records) != wanted or (set(table) != wanted and lie not in SAME_IDS)
            ):
                raise Broken(f"{said}, with {len(set(table))} of {len(wanted)} messages")


def _numbers(texts: Iterable[str]) -> list[int]:
    return [int(found[1]) for text in texts if (found := NUMBER.search(text))]


def _loud(kept: Kept, done: Done, what: str) -> None:
    """A backup that could not have everything says so, and what it has is whole."""
    if done.exit_code not in REFUSALS:
        raise Broken(f"{what} ended a backup with {_said(done)}")
    if (kept.path / "catalog.sqlite").exists():
        none(kept.problems(), f"after {what}")


def _healed(kept: Kept, what: str) -> None:
    """The next backup of a server that is well has everything."""
    _ended(kept.backup(), 0, f"the next backup after {what}")
    none(kept.differences(), f"after {what}")


def _ended(done: Done, code: int, what: str) -> None:
    if done.exit_code != code:
        raise Broken(f"{what} ended a backup with {_said(done)} instead of {code}")


def _bounded(done: Done, what: str) -> None:
    if done.memory > MEMORY:
        raise Broken(f"{what} cost {done.memory:,.0f} MB of memory")


def _said(done: Done) -> str:
    return f"{done.exit_code}{': ' if done.error else ''}{done.error}"
