"""Erasing: everything of these threads is gone, everything of all others is as it was, and a crash changes neither."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from exporter.archive import Archive, _manifests
from exporter.archive._verify import segment
from exporter.check import check
from exporter.cli import cli
from exporter.crawl import Options, backup
from exporter.discovery import discover
from exporter.erase import Asked, choose, erase, finish
from exporter.errors import ArchiveError, Damaged, UsageError
from exporter.model import Registration, ThreadRef
from exporter.rebuild import rebuild
from exporter.registry import register
from exporter.search import Index, Query
from exporter.storage.local import LocalStorage
from exporter.touching import touch
from tests.archive.making import filled, in_memory
from tests.archive.publishing import messages, publish_all
from tests.archive.test_crashes import Crashed, crashing
from tests.conftest import Bench
from tests.erasing import QUIET, THREADS, Maker, copied, known, left, noticed, records, rows, with_traces
from tests.fuzz.manifests import hashed

GONE = THREADS[:2]
STRIDE = int(os.environ.get("ERASE_STRIDE", "8"))
"Steps between the crashes that are tried: all of them take minutes."


def archived(path: Path, seed: int, nights: int = 4) -> Path:
    Maker(path, seed).make(nights)
    with Archive.write(path) as archive:
        publish_all(archive)
    return path


def erased(path: Path, threads: Sequence[ThreadRef] = GONE) -> dict[str, Any]:
    with Archive.write(path) as archive:
        asked = [Asked("thread", one.id) for one in threads]
        return erase(archive, choose(archive, asked).threads, asked)


@settings(
    max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck)
)
@given(st.integers(0, 10_000), st.sets(st.sampled_from(THREADS), min_size=1, max_size=4))
def test_nothing_of_them_is_left_and_everything_of_others_is_as_it_was(seed: int, chosen: set[ThreadRef]) -> None:
    gone = sorted(chosen)
    with in_memory() as root:
        path = root / "a"
        Maker(path, seed).make(3)
        with_traces(path, gone[0])
        with Archive.write(path) as archive:  # seals what a crash left, so that before and after can be compared
            publish_all(archive)
        before = records(path), rows(path), known(path)
        ids = {one.id for one in gone}

        receipt = erased(path, gone)

        assert left(path, gone) == []
        assert records(path) == {one: said for one, said in before[0].items() if one not in chosen}
        assert rows(path) == {name: said for name, said in before[1].items() if name not in ids}
        assert known(path) == {name: said for name, said in before[2].items() if name not in ids}
        assert {found.code for found in noticed(path)} <= {"salvaged"}
        assert receipt["finished_at"]
        assert not any(one.id in json.dumps(receipt) for one in gone)
        after = rows(path), known(path)
        rebuild(path)
        assert rows(path) == after[0]
        assert left(path, gone) == []


class Crashes:
    """An archive, what stands in it, and what a crash makes of erasing some of its threads."""

    def __init__(self, root: Path, seed: int, gone: Sequence[ThreadRef]) -> None:
        self.root, self.base, self.gone = root, root / "base", gone
        Maker(self.base, seed).make(2)
        with_traces(self.base, gone[0])
        with Archive.write(self.base) as archive:
            publish_all(archive)
            self._threads = choose(archive, [Asked("thread", one.id) for one in gone]).threads
        self._before = records(self.base), rows(self.base), known(self.base)

    def crash(self, at: int, *, after: bool, by_backup: bool, rebuild: bool = False) -> tuple[bool, bool]:
        """Crash at a step, let the next command finish, and tell whether it came to that step, and what was decided."""
        path = copied(self.base, self.root / str(at))
        archive = Archive.write(path)
        with (
            pytest.MonkeyPatch.context() as patch,
            crashing(patch, at, Crashed, after=after) as done,
            suppress(Crashed),
        ):
            erase(archive, self._threads)
        crashed = done[0] >= at
        archive._lock.release()  # type: ignore[union-attr]  # the system does that when a process dies
        archive.catalog.close()

        with Archive.write(path) as archive:
            (publish_all if by_backup else finish)(archive)
        decided = bool(list(_manifests.erasing(LocalStorage(path))))
        gone = set(self.gone) if decided else set()
        ids = {one.id for one in gone}

        assert not decided or left(path, self.gone) == [], at
        assert records(path) == {one: said for one, said in self._before[0].items() if one not in gone}, at
        assert rows(path) == {name: said for name, said in self._before[1].items() if name not in ids}, at
        assert known(path) == {name: said for name, said in self._before[2].items() if name not in ids}, at
        assert {found.code for found in check(path, rebuild=rebuild)} <= {"salvaged", *QUIET}, at
        assert not decided or all(one["finished_at"] for one in receipts(path)), at
        shutil.rmtree(path)
        return crashed, decided


@pytest.mark.parametrize(("after", "at"), [(False, 1), (False, 3), (True, 2), (True, 4)])
def test_a_crash_at_any_step_erases_all_or_nothing_and_the_next_opening_finishes(after: bool, at: int) -> None:
    with in_memory() as root:
        crashes = Crashes(root, 11, GONE)
        decided, crashed = set[bool](), True
        while crashed:
            at += STRIDE
            crashed, done = crashes.crash(at, after=after, by_backup=False)
            decided.add(done)

        assert decided == {False, True}
        assert at > 60


@settings(
    max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck)
)
@given(
    st.integers(0, 10_000), st.sets(st.sampled_from(THREADS), min_size=1, max_size=4), st.integers(1, 90), st.booleans()
)
@example(345041, {THREADS[1], THREADS[3]}, 92, True)  # after a file of the tables, before its note
def test_a_crash_anywhere_in_any_archive_erases_all_or_nothing_and_the_next_backup_finishes(
    seed: int, chosen: set[ThreadRef], at: int, after: bool
) -> None:
    with in_memory() as root:
        Crashes(root, seed, sorted(chosen)).crash(at, after=after, by_backup=True, rebuild=True)


def receipts(path: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_bytes()) for file in sorted((path / "receipts").iterdir())]


def test_one_erasure_after_another_and_a_thread_that_comes_back_keep_the_chain_whole(tmp_path: Path) -> None:
    path = archived(tmp_path / "a", 5, 3)
    before = records(path), rows(path)
    for one in THREADS[:3]:
        erased(path, [one])
    again = Registration(THREADS[0], user="somebody")
    with Archive.write(path) as archive:
        assert register(archive, [again]).erased == 1
        assert archive.catalog.find(THREADS[0]) is None
        assert register(archive, [again], again=True).new == 1
        archive.append([messages(0, 2, THREADS[0])])
        archive.seal()
        assert register(archive, [replace(again, title="more")]).changed == 1
        publish_all(archive)

    assert noticed(path) == []
    assert len(rows(path)[THREADS[0].id]) == 3
    with Archive.write(path) as archive:
        archive.catalog.note_fact("published", "0")  # as after a lost catalog: nobody knows what the tables hold
        publish_all(archive)
    assert noticed(path) == []
    assert len(rows(path)[THREADS[0].id]) == 3
    assert {one: said for one, said in records(path).items() if one in THREADS[3:]} == {
        one: said for one, said in before[0].items() if one in THREADS[3:]
    }
    erased(path, [THREADS[0]])
    assert left(path, THREADS[:3]) == []
    assert noticed(path) == []
    rebuild(path)
    assert {name: said for name, said in before[1].items() if name > THREADS[2].id} == rows(path)
    assert noticed(path) == []


def test_what_is_asked_for_after_it_was_erased_is_known_by_its_tombstone_and_never_by_its_name(tmp_path: Path) -> None:
    path = archived(tmp_path / "a", 3, 2)
    with Archive.write(path) as archive:
        users = Asked("user", "user-1")
        chosen = choose(archive, [users])
        receipt = erase(archive, chosen.threads, [users], "TICKET-1")
        assert {one.id for one in chosen.threads} == {"thread_e001", "thread_e003"}
        assert choose(archive, [Asked("thread", "thread_e001")]).before == (Asked("thread", "thread_e001"),)
        with pytest.raises(UsageError, match="thread_unknown: not in "):
            choose(archive, [Asked("thread", "thread_e000"), Asked("thread", "thread_unknown")])
        number = archive.manifest()
        archive_id = archive.id

    assert json.loads((path / "receipts" / f"{number:09d}.json").read_bytes()) == receipt
    as_documented = hashlib.sha256(f"{archive_id}\nuser\nuser-1".encode()).hexdigest()
    stone = hashlib.sha256("\n".join([archive_id, *astuple(THREADS[1])]).encode()).hexdigest()
    assert receipt["asked"] == [{"what": "user", "sha256": as_documented}]
    assert stone in receipt["threads"]
    assert (receipt["reference"], receipt["command"]) == ("TICKET-1", "erase")
    for one in receipt["segments"]:
        after = one["after"]
        assert hashlib.sha256((path / after["name"]).read_bytes()).hexdigest() == after["sha256"]
        assert not (path / one["before"]["name"]).exists()
        assert after["records"] < one["before"]["records"]


def test_nothing_is_erased_where_a_segment_is_damaged_or_belongs_to_no_commit(tmp_path: Path) -> None:
    path = archived(tmp_path / "a", 4, 2)
    (first, *_) = sorted((path / "segments").rglob("*.zst"))
    stray = first.with_name("000000001-000000000000.jsonl.zst")
    shutil.copy(first, stray)
    before = rows(path)
    with pytest.raises(ArchiveError, match="no commit names it, and it holds what is to be erased"):
        erased(path)
    stray.unlink()
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    with pytest.raises(ArchiveError, match=first.name):
        erased(path)

    assert rows(path) == before
    assert not (path / "receipts").exists()


def test_nothing_is_erased_where_a_segment_is_not_the_file_that_its_manifest_names(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [messages(0, 3, GONE[0])])
    (file,) = (path / "manifests").iterdir()
    fields = json.loads(file.read_bytes())
    fields.pop("sha256")
    fields["segments"][0]["sha256"] = "1" * 64
    file.write_bytes(hashed(fields))
    (path / "catalog.sqlite").unlink()
    before = {file: file.read_bytes() for file in path.rglob("*.zst")}

    with pytest.raises(Damaged, match="it is not the file that its manifest names; restore this file from a copy"):
        erased(path, GONE[:1])
    assert {file: file.read_bytes() for file in path.rglob("*.zst")} == before


def test_what_a_crash_left_beside_a_file_and_in_the_index_of_words_is_erased_as_well(tmp_path: Path) -> None:
    path = archived(tmp_path / "a", 4, 2)
    left = [path / ".archive.json.abc.tmp", path / ".exporter" / ".plan.tmp", path / ".exporter" / "search" / "words"]
    left[-1].parent.mkdir(exist_ok=True)
    for file in left:
        file.write_text(GONE[0].id)
    mine = path / "notes.tmp"
    mine.write_text("a user's own")
    erased(path)

    assert [file for file in left if file.exists()] == []
    assert mine.exists()


def test_a_segment_that_was_just_written_again_without_them_is_no_damage_to_who_still_knows_the_old(
    tmp_path: Path,
) -> None:
    path = archived(tmp_path / "a", 4, 2)
    with Archive.open(path) as archive:
        old = [one for found in archive.manifests() for one in found.segments]
        whose = archive.id
    erased(path)
    storage = LocalStorage(path)

    assert [one for one in old if not (path / one.name).exists()] != []
    assert [found for one in old for found in segment(one, storage, whose, lambda *_: None)] == []


def test_who_reads_beside_follows_what_was_written_again_or_is_told_so(tmp_path: Path) -> None:
    path = archived(tmp_path / "a", 6, 2)
    with Archive.open(path) as reading:
        other = THREADS[4]
        straight = reading.pages()
        first = next(straight)
        before = [first, *reading.pages()][1:]
        places = list(reading.catalog.frames_of(other, "message"))
        erased(path)

        rest = [(number, mark) for number, mark, _ in straight]
        assert [one for one in rest if one[1].thread not in GONE] != []
        assert [one[1] for one in before if one[1].thread == other] == [
            one[1] for one in reading.pages() if one[1].thread == other
        ]
        with pytest.raises(ArchiveError, match="wrote it again just now; run the command again"):
            list(reading.lines_at(other, "message", *places[0]))
        assert list(reading.records(other))


def night(bench: Bench, **options: Any) -> None:
    """Register all that is listed and named anew, and visit everything."""
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        profiles = {"default": bench.profile}
        register(archive, [Registration(bench.ref(one)) for one in options.pop("threads", ())])
        discover(archive, profiles, Options(), sources=["chatkit", "completions"])
        backup(archive, profiles, Options(full=True), everything=True)


def test_no_night_brings_back_what_was_erased_until_somebody_says_so(bench: Bench) -> None:
    state = bench.state
    first = state.add_response({"id": "resp_1", "output": []}, [{"type": "message", "role": "user", "content": "deep"}])
    second = state.add_response({"id": "resp_2", "output": [], "previous_response_id": first}, [])
    chat = state.add_chatkit_thread({"id": "cthr_1"})
    state.add_chatkit_item(chat, {"type": "user_message", "id": "cthi_1", "created_at": 1})
    other = state.add_chatkit_thread({"id": "cthr_2"})
    night(bench, threads=[second])
    with Archive.open(bench.path) as archive:
        assert {one.thread.id for one in archive.catalog.known()} == {first, second, chat, other}
    erased(bench.path, [bench.ref(first), bench.ref(chat)])
    touch(bench.path, [chat], profile=bench.profile)

    night(bench, threads=[second, first, chat])

    with Archive.open(bench.path) as archive:
        assert {one.thread.id for one in archive.catalog.known()} == {second, other}
        assert archive.catalog.count_waiting() == 0
    assert set(rows(bench.path)) == {second, other}
    assert not [found for found in check(bench.path, rebuild=True) if found.severity == "damage"]

    with Archive.write(bench.path) as archive:
        assert register(archive, [Registration(bench.ref(chat))], again=True).new == 1
    night(bench)
    with Archive.open(bench.path) as archive:
        assert [record.id for record in archive.records(bench.ref(chat))] == ["cthi_1"]
    assert set(rows(bench.path)) == {second, other, chat}


def test_the_index_of_words_is_made_again_without_them(bench: Bench) -> None:
    one, two = bench.state.add_thread("thread_1"), bench.state.add_thread("thread_2")
    for thread in (one, two):
        bench.state.add_message(thread, {"content": f"hello from {thread}x", "created_at": 1_760_000_000})
    bench.backup(one, two)
    with Archive.open(bench.path) as archive, Index.open(archive) as index:
        assert index.search(Query("hello")).total == 2
        erased(bench.path, [bench.ref(one)])
        assert not (bench.path / ".exporter" / "search" / "index").exists()
    with Archive.open(bench.path) as archive, Index.open(archive) as index:
        (hit,) = index.search(Query("hello")).hits
        assert (hit.thread.id, hit.snippet) == (two, "hello from thread_2x")
        assert index.search(Query(f"{one}x")).total == 0


def files_of(path: Path) -> dict[str, bytes]:
    return {str(one.relative_to(path)): one.read_bytes() for one in sorted(path.rglob("*.*")) if one.is_file()}


def test_the_command_shows_first_asks_and_says_what_it_did(tmp_path: Path) -> None:
    path = archived(tmp_path / "a", 8, 2)
    before = files_of(path / "segments") | files_of(path / "messages") | files_of(path / "manifests")
    run = partial(CliRunner().invoke, cli)
    at = ["-a", str(path)]

    dry = run(["erase", "--user", "user-1", "--dry-run", "--json", *at])
    unasked = run(["erase", "thread_e001", *at])
    unknown = run(["erase", "thread_e001", "thread_nobody", "--yes", *at])
    nothing = run(["erase", *at])

    assert [one.exit_code for one in (dry, unasked, unknown, nothing)] == [0, 2, 2, 2]
    told = [json.loads(line) for line in dry.stdout.splitlines()]
    assert {one["thread"] for one in told[:-1]} == {"thread_e001", "thread_e003"}
    assert told[-1]["threads"] == 2
    assert told[-1]["messages"] == sum(one["messages"] for one in told[:-1])
    assert "nobody is here to say yes" in unasked.stderr
    assert "thread_nobody: not in" in unknown.stderr
    assert before == files_of(path / "segments") | files_of(path / "messages") | files_of(path / "manifests")

    done = run(["erase", "--user", "user-1", "thread_e000", "--yes", "--json", "--reference", "R 1", *at])
    again = run(["erase", "--user", "user-1", "thread_e000", "--yes", *at])
    kept = run(["register", "thread_e000", "--source", "assistants", "--json", *at])

    assert (done.exit_code, again.exit_code) == (0, 0)
    receipt, summary = map(json.loads, done.stdout.splitlines())
    assert summary["threads"] == 3
    assert receipt["reference"] == "R 1"
    assert "user-1" not in done.stdout
    assert "nothing of them is there" in again.stderr
    assert json.loads(kept.stdout)["new"] == 1  # it is the thread of another endpoint
    assert left(path, [one for one in THREADS if one.id in ("thread_e001", "thread_e003")]) == []


def test_an_encrypted_archive_is_erased_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_ARCHIVE_KEY", base64.b64encode(bytes(range(32))).decode())
    path = tmp_path / "a"
    Archive.create(path, encrypted=True)
    archived(path, 7, 2)
    before = records(path)

    erased(path)

    assert records(path) == {one: said for one, said in before.items() if one not in GONE}
    assert noticed(path) == []
    with Archive.open(path) as archive:
        assert archive.held(GONE).pages == 0
        assert not list(archive.missing())


def test_a_user_whom_only_the_threads_own_object_names_is_found_and_one_whom_nobody_knows_is_an_error(
    bench: Bench,
) -> None:
    thread = bench.state.add_chatkit_thread({"id": "cthr_1", "user": "user_2"})
    bench.state.add_chatkit_item(thread, {"id": "cthi_1", "type": "chatkit.user_message", "content": []})
    bench.backup(thread)
    with Archive.write(bench.path) as archive:
        assert archive.catalog.known(user="user_2").__next__().thread.id == thread
        with pytest.raises(UsageError, match="user user_3, customer c: not in "):
            choose(archive, [Asked("user", "user_3"), Asked("customer", "c"), Asked("user", "user_2")])
        asked = [Asked("user", "user_2")]
        erase(archive, choose(archive, asked).threads, asked)
        assert choose(archive, asked).before == tuple(asked)
    bench.backup()

    with Archive.open(bench.path) as archive:
        assert not list(archive.catalog.known())


def test_whose_a_thread_is_follows_its_object_unless_somebody_said_otherwise(bench: Bench) -> None:
    for name in ("cthr_1", "cthr_2"):
        bench.state.add_chatkit_thread({"id": name, "user": "ann", "metadata": {"customer": "firm"}})
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(bench.ref("cthr_2"), user="bob")])
    bench.backup("cthr_1", "cthr_2")
    assert owners(bench) == [("ann", "firm"), ("bob", "firm")]
    for name in ("cthr_1", "cthr_2"):
        bench.state.edit_chatkit_thread(name, {"id": name, "user": "eve", "metadata": {"customer": "firm"}})
    bench.backup(full=True)

    assert owners(bench) == [("eve", "firm"), ("bob", "firm")]
    assert bench.backup(full=True).records == 0


def owners(bench: Bench) -> list[tuple[str | None, str | None]]:
    with Archive.open(bench.path) as archive:
        return [(one.user, one.customer) for one in sorted(archive.catalog.known(), key=lambda one: one.thread)]
