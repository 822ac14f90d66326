"""Files end to end: what a thread points to is in the archive with its bytes, or with the reason why they are not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import stamina

from exporter.archive import Archive, blob_name
from exporter.check import check
from exporter.crawl import Options, _files, backup
from exporter.errors import DiskFull
from exporter.model import Item, Page, Profile, Registration, Secret, now
from exporter.registry import register
from exporter.sandbox.content import Generated
from exporter.sandbox.keys import Key
from tests.conftest import KEY, Bench

PNG = b"\x89PNG\r\n" + bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield


def records(bench: Bench, thread: str) -> list[dict[str, Any]]:
    """The bodies of all records about a thread's files, with the id of each, in order."""
    with Archive.open(bench.path) as archive:
        found = archive.records(bench.ref(thread), "file")
        return [
            json.loads(record.body) | {"id": record.id, "parent": record.parent, "seq": record.seq} for record in found
        ]


def newest(bench: Bench, thread: str) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in records(bench, thread)}


def content(bench: Bench, record: dict[str, Any]) -> bytes:
    return (bench.path / blob_name(record["sha256"])).read_bytes()


def requests(bench: Bench, word: str = "/files") -> list[str]:
    return [one.path for one in bench.state.requests if word in one.path]


def damages(path: Path) -> list[str]:
    return [found.where for found in check(path, rebuild=True) if found.severity == "damage"]


def thread_with(bench: Bench, *files: str, thread: str = "thread_1") -> str:
    """A thread with a message for each of these files."""
    bench.state.add_thread(thread)
    for file in files:
        bench.state.add_message(thread, {"attachments": [{"file_id": file, "tools": []}]})
    return thread


def test_a_file_is_archived_with_its_bytes_and_what_the_server_says_of_it_as_sent(bench: Bench) -> None:
    name = "../../etc/" + "x" * 1000
    said = b'{"id":"file-1","bytes":%d,"filename":"%s","purpose":"vision","n":1.10}' % (len(PNG), name.encode())
    bench.state.add_file(said, PNG)
    thread = thread_with(bench, "file-1")

    report = bench.backup(thread)

    (record,) = records(bench, thread)
    assert report.exit_code == 0
    assert content(bench, record) == PNG
    assert (record["sha256"], record["bytes"]) == (hashlib.sha256(PNG).hexdigest(), len(PNG))
    assert (record["type"], record["form"], record["reason"], record["name"]) == ("file", "bytes", None, name)
    assert bench.lines(thread, "file")[0].endswith(b',"object":%s}' % said)
    assert record["message"] == json.loads(bench.state.messages(thread)[0])["id"]
    assert sorted(file.name for file in (bench.path / "blobs").rglob("*") if file.is_file()) == [record["sha256"]]
    assert damages(bench.path) == []


def test_a_second_visit_asks_for_no_file_again_and_a_new_message_for_the_new_file_only(bench: Bench) -> None:
    for n in (1, 2):
        bench.state.add_file({"id": f"file-{n}", "purpose": "vision"}, b"%d" % n)
    thread = thread_with(bench, "file-1")
    bench.backup(thread)
    bench.state.requests.clear()

    assert bench.backup().records == 0
    assert requests(bench) == []
    bench.state.add_message(thread, {"attachments": [{"file_id": "file-1"}, {"file_id": "file-2"}]})
    bench.backup()

    assert requests(bench) == ["/v1/files/file-2", "/v1/files/file-2/content"]
    assert [(one["id"], one["seq"]) for one in records(bench, thread)] == [("file-1", 0), ("file-2", 1)]


def test_one_file_in_many_threads_is_asked_for_once_in_a_run(bench: Bench) -> None:
    bench.state.add_file({"id": "file-1", "purpose": "vision"}, PNG)
    threads = [thread_with(bench, "file-1", "file-gone", thread=f"thread_{n}") for n in range(20)]

    bench.backup(*threads)

    assert sorted(requests(bench)) == ["/v1/files/file-1", "/v1/files/file-1/content", "/v1/files/file-gone"]
    for thread in threads:
        found = newest(bench, thread)
        assert content(bench, found["file-1"]) == PNG
        assert found["file-gone"]["reason"] == "not_found"


def test_more_files_than_are_remembered_are_archived_once_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_files, "REMEMBERED", 1)
    for name in ("file-1", "file-2"):
        bench.state.add_file({"id": name, "purpose": "vision"}, PNG + name.encode())
    threads = [thread_with(bench, f"file-{1 + n % 2}", thread=f"thread_{n}") for n in range(4)]
    bench.backup(*threads, jobs=1)

    for n, thread in enumerate(threads):
        (found,) = records(bench, thread)
        assert content(bench, found) == PNG + f"file-{1 + n % 2}".encode()
    assert len([one for one in bench.path.rglob("blobs/*/*/*") if one.is_file()]) == 2


def test_a_thread_s_own_files_are_archived_too_also_where_a_list_brought_the_thread(bench: Bench) -> None:
    bench.state.add_file({"id": "file-1", "purpose": "vision"}, PNG)
    bench.state.add_thread({"id": "thread_1", "tool_resources": {"code_interpreter": {"file_ids": ["file-1"]}}})
    bench.state.add_message("thread_1", {})
    bench.register(["thread_1"])
    with Archive.write(bench.path) as archive:
        body = bench.state.body("threads", "thread_1")
        archive.append([Page(bench.ref("thread_1"), "thread", (Item("thread_1", body),), None, False, now(), "thread")])
        archive.seal()

    bench.backup()

    assert content(bench, newest(bench, "thread_1")["file-1"]) == PNG
    assert [one.path for one in bench.state.requests if one.path == "/v1/threads/thread_1"] == []


def test_a_container_s_file_is_had_before_it_is_forgotten_and_known_as_expired_after(bench: Bench) -> None:
    for n in (1, 2):
        bench.state.add_container(f"cntr_{n}")
        bench.state.add_container_file(f"cntr_{n}", {"id": "cfile_1", "path": f"/mnt/data/{n}.png"}, PNG + b"%d" % n)
    bench.state.add_conversation("conv_1")
    for n in (1, 2):
        cited = {
            "type": "container_file_citation",
            "container_id": f"cntr_{n}",
            "file_id": "cfile_1",
            "filename": f"{n}.png",
        }
        part = {"type": "output_text", "text": "x", "annotations": [cited]}
        bench.state.add_item("conv_1", {"type": "message", "role": "assistant", "content": [part]})
    bench.backup("conv_1")

    first, second = records(bench, "conv_1")
    assert [first["parent"], second["parent"]] == [first["container"], second["container"]] == ["cntr_1", "cntr_2"]
    assert [content(bench, first), content(bench, second)] == [PNG + b"1", PNG + b"2"]
    assert first["type"] == "container_file"

    bench.state.add_container("cntr_3")
    bench.state.clock.advance(3600)
    cited = {"type": "container_file_citation", "container_id": "cntr_3", "file_id": "cfile_9"}
    bench.state.add_item(
        "conv_1", {"type": "message", "content": [{"type": "output_text", "text": "", "annotations": [cited]}]}
    )
    assert bench.backup().exit_code == 0
    assert newest(bench, "conv_1")["cfile_9"]["reason"] == "expired"


def test_where_the_bytes_are_refused_the_text_of_the_threads_vector_store_is_kept(bench: Bench) -> None:
    texts = [f"part {n} \u00e4" for n in range(45)]
    bench.state.add_file({"id": "file-1", "purpose": "assistants", "filename": "a.pdf"}, PNG)
    bench.state.add_file({"id": "file-2", "purpose": "user_data"}, PNG)
    bench.state.add_vector_store("vs_1")
    bench.state.add_vector_file("vs_1", "file-1", texts)
    bench.state.add_thread({"id": "thread_1", "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}}})
    bench.state.add_message("thread_1", {"attachments": [{"file_id": "file-1"}, {"file_id": "file-2"}]})

    assert bench.backup("thread_1").exit_code == 0

    found = newest(bench, "thread_1")
    text, refused = found["file-1"], found["file-2"]
    assert content(bench, text).decode().splitlines() == texts
    assert (text["form"], text["reason"], text["purpose"]) == ("text", "purpose_refused", "assistants")
    assert (refused["form"], refused["reason"], refused["sha256"]) == (None, "purpose_refused", None)
    assert refused["object"]["purpose"] == "user_data"
    bench.state.requests.clear()
    bench.backup()
    assert requests(bench) == []


def test_the_text_is_found_for_a_thread_that_names_the_store_after_one_that_names_none(bench: Bench) -> None:
    bench.state.add_file({"id": "file-1", "purpose": "assistants"}, PNG)
    bench.state.add_vector_store("vs_1")
    bench.state.add_vector_file("vs_1", "file-1", ["text"])
    without = thread_with(bench, "file-1", thread="thread_0")
    bench.state.add_thread({"id": "thread_1", "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}}})
    bench.state.add_message("thread_1", {"attachments": [{"file_id": "file-1"}]})

    bench.backup(without, "thread_1", jobs=1)

    assert newest(bench, without)["file-1"]["form"] is None
    assert content(bench, newest(bench, "thread_1")["file-1"]) == b"text\n"


def test_an_attachment_is_had_while_its_address_lives_without_any_credential(bench: Bench) -> None:
    attachment = bench.state.add_attachment(PNG, name="../a.png", mime_type="image/png")
    thread = bench.state.put("chatkit", "cthr_1")
    item = {"type": "chatkit.user_message", "thread_id": thread, "attachments": [attachment]}
    bench.state.add("chatkit", thread, "items", item, kind="chatkit_item")

    bench.backup("cthr_1")

    (record,) = records(bench, "cthr_1")
    assert content(bench, record) == PNG
    assert (record["type"], record["name"], record["mime_type"]) == ("attachment", "../a.png", "image/png")
    assert bench.state.leaks == []


def test_an_attachment_missed_for_a_while_is_asked_for_at_the_address_it_has_by_then(bench: Bench) -> None:
    attachment = bench.state.add_attachment(PNG)
    thread = bench.state.put("chatkit", "cthr_1")
    item = {"type": "chatkit.user_message", "thread_id": thread, "attachments": [attachment]}
    bench.state.add("chatkit", thread, "items", item, kind="chatkit_item")
    bench.state.switches = replace(bench.state.switches, fault="error_503", only="/_attachments")
    assert bench.backup("cthr_1").exit_code == 75
    bench.state.switches = replace(bench.state.switches, fault="")
    bench.state.clock.advance(24 * 3600)

    assert bench.backup().exit_code == 0

    assert [one["reason"] for one in records(bench, "cthr_1")] == ["temporary", None]
    assert content(bench, records(bench, "cthr_1")[-1]) == PNG
    assert damages(bench.path) == []


def test_artifacts_of_a_session_are_listed_once_and_fetched_once(bench: Bench) -> None:
    session = bench.state.add_session("asess_1")
    bench.state.add_session_item(session, {"content": []})
    ids = [bench.state.add_artifact(session, {"path": f"/out/{n}"}, b"%d" % n) for n in range(120)]
    bench.backup(session)

    found = newest(bench, session)
    assert sorted(found) == sorted(map(str, ids))
    assert [content(bench, found[str(name)]) for name in ids] == [b"%d" % n for n in range(120)]
    assert {(one["type"], one["reason"]) for one in found.values()} == {("artifact", None)}
    bench.state.requests.clear()
    assert bench.backup().records == 0
    assert [path for path in requests(bench, "artifacts") if path.endswith("content")] == []
    late = bench.state.add_artifact(session, {"path": "/out/late"}, b"late")
    bench.state.add_session_item(session, {"content": []})
    bench.backup()
    assert content(bench, newest(bench, session)[str(late)]) == b"late"
    assert len(records(bench, session)) == 121
    assert damages(bench.path) == []


@pytest.mark.parametrize("only", ["/files/file-1", "/files/file-1/content"])
def test_what_may_pass_is_named_as_a_gap_and_asked_for_again_although_nothing_is_new(bench: Bench, only: str) -> None:
    bench.state.add_file({"id": "file-1", "purpose": "vision"}, PNG)
    thread = thread_with(bench, "file-1")
    bench.state.switches = replace(bench.state.switches, fault="error_503", only=only)

    for _ in range(2):
        report = bench.backup(thread)
        (outcome,) = bench.outcomes
        assert (report.exit_code, outcome.state, outcome.code) == (75, "partial", "temporary")
        assert [(gap.list, gap.code) for gap in outcome.gaps] == [("files", "temporary")]
        assert "file-1" in outcome.gaps[0].detail
        assert [one["reason"] for one in records(bench, thread)] == ["temporary"]
    bench.state.switches = replace(bench.state.switches, fault="")
    report = bench.backup()

    assert (report.exit_code, report.complete) == (0, 1)
    assert [one["reason"] for one in records(bench, thread)] == ["temporary", None]
    assert content(bench, newest(bench, thread)["file-1"]) == PNG
    bench.state.requests.clear()
    bench.backup()
    assert requests(bench) == []


def test_a_crash_between_a_failed_file_and_the_end_of_the_visit_forgets_nothing(bench: Bench) -> None:
    bench.state.add_file({"id": "file-1", "purpose": "vision"}, PNG)
    thread = thread_with(bench, "file-1")
    bench.register([thread])
    bench.state.switches = replace(bench.state.switches, fault="error_503", only="/files/")
    pages: list[Page] = []
    with pytest.MonkeyPatch.context() as patch, Archive.write(bench.path) as archive:
        # as if the process died before it wrote how the visit ended
        patch.setattr(
            archive, "append", lambda several: Archive.append(archive, [p for p in several if p.kind != "visit"])
        )
        backup(archive, {"default": bench.profile}, Options(), everything=True, on_page=pages.append)
    bench.state.switches = replace(bench.state.switches, fault="")

    bench.backup()

    assert content(bench, newest(bench, thread)["file-1"]) == PNG


def test_files_are_written_before_the_page_that_points_to_them(bench: Bench) -> None:
    for n in range(3):
        bench.state.add_file({"id": f"file-{n}", "purpose": "vision"}, b"%d" % n)
    thread = thread_with(bench, "file-0", "file-1", "file-2")
    pages: list[Page] = []
    bench.register([thread])
    with Archive.write(bench.path) as archive:
        backup(archive, {"default": bench.profile}, Options(), everything=True, on_page=pages.append)

    assert [page.list for page in pages][:5] == ["thread", "files", "files", "files", "messages"]


def test_a_missing_scope_costs_one_request_is_named_and_heals_with_the_key(bench: Bench) -> None:
    for n in range(5):
        bench.state.add_file({"id": f"file-{n}", "purpose": "vision"}, PNG)
    bench.state.keys["sk-narrow"] = Key("proj_one", scopes=frozenset({"api.threads.read"}))
    threads = [thread_with(bench, f"file-{n}", thread=f"thread_{n}") for n in range(5)]

    narrow = replace(bench, key="sk-narrow")
    report = narrow.backup(*threads, jobs=1)

    assert (report.exit_code, report.partial) == (3, 5)
    assert len(requests(bench)) == 1
    assert {outcome.code for outcome in narrow.outcomes} == {"missing_scope"}
    assert all("api.files.read" in (outcome.error or "") for outcome in narrow.outcomes)
    assert all(len(narrow.lines(thread)) == 1 for thread in threads)
    assert bench.backup().complete == 5
    assert all(content(bench, newest(bench, thread)[f"file-{n}"]) == PNG for n, thread in enumerate(threads))


def test_a_file_api_that_is_not_there_leaves_the_thread_complete(bench: Bench) -> None:
    thread = thread_with(bench, "file-1", "file-2")
    bench.state.switches = replace(bench.state.switches, removed=frozenset({"files"}))

    report = bench.backup(thread)

    assert report.exit_code == 0
    assert {one["reason"] for one in records(bench, thread)} == {"not_found"}


@pytest.mark.parametrize(
    "fault", ["html", "cut_json", "wrong_length", "truncated", "no_length", "endless", "empty_body", "slow_drip"]
)
def test_bytes_that_are_not_the_files_are_never_taken_for_it(bench: Bench, fault: str) -> None:
    bench.state.add_file({"id": "file-1", "purpose": "vision"}, PNG)
    thread = thread_with(bench, "file-1")
    bench.state.switches = replace(bench.state.switches, fault=fault, only="/content")

    bench.backup(thread, max_file_bytes=10 * len(PNG))

    (record,) = records(bench, thread)
    if record["reason"] is None:
        assert fault in ("no_length", "slow_drip")
        assert content(bench, record) == PNG
    elif record["form"] is None:
        assert fault in ("wrong_length", "truncated", "endless")
        assert record["reason"] == ("too_large" if fault == "endless" else "temporary")
        assert not (bench.path / "blobs").exists()
    else:
        assert fault in ("html", "cut_json", "empty_body")
        assert record["reason"] == "size_differs"
        assert record["bytes"] == len(content(bench, record)) != len(PNG)
    assert not list((bench.path / ".exporter" / "tmp").glob("blob*"))


def test_a_hostile_id_is_data_and_never_a_path(bench: Bench) -> None:
    hostile = ["../../v1/threads", "file/../x", "a" * 100_000, "file 1", "x?y=1", "\u202efile", "-rf"]
    thread = thread_with(bench, *hostile)

    report = bench.backup(thread)

    assert report.exit_code == 0
    assert [one["id"] for one in records(bench, thread)] == hostile
    assert {one["reason"] for one in records(bench, thread)} == {"refused"}
    assert requests(bench) == []
    assert damages(bench.path) == []


def test_a_cap_keeps_what_the_server_says_of_the_file_and_full_asks_again_with_a_higher_one(bench: Bench) -> None:
    bench.state.add_file({"id": "file-1", "purpose": "vision"}, PNG)
    thread = thread_with(bench, "file-1")
    bench.backup(thread, max_file_bytes=len(PNG) - 1)

    (record,) = records(bench, thread)
    assert (record["reason"], record["sha256"], record["object"]["bytes"]) == ("too_large", None, len(PNG))
    bench.backup()
    assert len(records(bench, thread)) == 1
    bench.backup(full=True)
    assert content(bench, newest(bench, thread)["file-1"]) == PNG


def test_a_lost_content_is_had_again_by_a_full_walk_and_only_then(bench: Bench) -> None:
    bench.state.add_file({"id": "file-1", "purpose": "vision"}, PNG)
    thread = thread_with(bench, "file-1")
    bench.backup(thread)
    (record,) = records(bench, thread)
    (bench.path / blob_name(record["sha256"])).unlink()
    assert damages(bench.path) == [blob_name(record["sha256"])]
    bench.state.requests.clear()

    bench.backup()
    assert requests(bench) == []
    bench.backup(full=True)

    assert content(bench, record) == PNG
    assert damages(bench.path) == []
    bench.state.requests.clear()
    bench.backup(full=True)
    assert requests(bench) == []


def test_without_files_nothing_is_asked_for_and_a_full_walk_makes_up_for_it(bench: Bench) -> None:
    bench.state.add_file({"id": "file-1", "purpose": "vision"}, PNG)
    thread, session = thread_with(bench, "file-1"), bench.state.add_session("asess_1")
    bench.state.add_artifact(session, {}, PNG)
    bench.backup(thread, session, files=False)

    assert records(bench, thread) == records(bench, session) == []
    assert requests(bench) == []
    bench.backup(full=True)
    assert len(records(bench, thread)) == len(records(bench, session)) == 1


def test_a_spent_budget_moves_no_cursor_past_a_file_that_was_not_asked_for(bench: Bench) -> None:
    for n in range(3):
        bench.state.add_file({"id": f"file-{n}", "purpose": "vision"}, b"%d" % n)
    thread = thread_with(bench, "file-0", "file-1", "file-2")
    bench.register([thread])
    codes: list[int] = []
    while not codes or codes[-1] == 14:
        codes.append(bench.backup(max_requests=5).exit_code)
        assert len(codes) < 10

    assert codes[-1] == 0
    found = newest(bench, thread)
    assert [content(bench, found[f"file-{n}"]) for n in range(3)] == [b"0", b"1", b"2"]
    assert len(bench.lines(thread)) == 3


def test_a_full_disk_stops_the_run_and_the_next_one_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.state.add_file({"id": "file-1", "purpose": "vision"}, PNG)
    thread = thread_with(bench, "file-1")

    def full(*_: object) -> None:
        raise DiskFull("full")

    with monkeypatch.context() as patch:
        patch.setattr("exporter.archive._blobs.Blob.write", full)
        with pytest.raises(DiskFull):
            bench.backup(thread)
    bench.backup()

    assert content(bench, newest(bench, thread)["file-1"]) == PNG
    assert not list((bench.path / ".exporter" / "tmp").iterdir())


def test_two_keys_of_one_server_keep_a_file_once(bench: Bench) -> None:
    bench.state.add_file({"id": "file-1", "purpose": "vision"}, PNG)
    bench.state.keys["sk-other"] = Key("proj_one")
    threads = [thread_with(bench, "file-1", thread=f"thread_{n}") for n in range(2)]
    Archive.create(bench.path)
    profiles = {
        name: Profile(name=name, base_url=bench.url, key=Secret(key)) for name, key in (("a", KEY), ("b", "sk-other"))
    }
    with Archive.write(bench.path) as archive:
        register(
            archive, [Registration(bench.ref(thread), name) for thread, name in zip(threads, profiles, strict=True)]
        )
        report = backup(archive, profiles, Options(), everything=True)

    assert report.complete == 2
    assert len([file for file in (bench.path / "blobs").rglob("*") if file.is_file()]) == 1


def test_a_large_file_streams(bench: Bench) -> None:
    import tracemalloc

    large = Generated(30 * 2**20)
    bench.state.add_file({"id": "file-1", "purpose": "vision"}, large)
    thread = thread_with(bench, "file-1")
    bench.backup(thread_with(bench, "file-none", thread="thread_0"))  # what is loaded once is loaded now
    tracemalloc.start()
    bench.backup(thread)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    (record,) = records(bench, thread)
    assert (record["sha256"], record["bytes"], record["reason"]) == (large.sha256(), large.size, None)
    assert peak < 10 * 2**20
