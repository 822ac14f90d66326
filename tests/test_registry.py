"""Registering: what owners say is kept, merged and counted; ids are data and never paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter import registry
from exporter.archive import Archive
from exporter.errors import UsageError
from exporter.model import Registration, ThreadRef, checked_id
from exporter.registry import Registered, register
from tests.archive.making import THREAD, filled, in_memory, made, page

ANN = Registration(THREAD, user="ann", tags=("vip",))


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.write(made(tmp_path / "a")) as writing:
        yield writing


def test_a_thread_is_registered_once_and_told_apart_from_unchanged_and_changed(archive: Archive) -> None:
    assert register(archive, [ANN]) == Registered(1, 0, 0)
    assert register(archive, [ANN, Registration(THREAD)]) == Registered(0, 0, 2)
    assert register(archive, [Registration(THREAD, title="x")]) == Registered(0, 1, 0)
    assert archive.owner(THREAD) == Registration(THREAD, user="ann", title="x", tags=("vip",))


def test_nothing_new_writes_nothing(archive: Archive) -> None:
    register(archive, [ANN])
    newest = archive.manifest()
    register(archive, [ANN])

    assert newest == archive.manifest()


def test_entries_of_one_thread_in_one_call_are_merged(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    said = [ANN, Registration(THREAD, user="bob"), Registration(THREAD, customer="acme"), Registration(THREAD)]
    for batch in (1, 2, 100):
        monkeypatch.setattr(registry, "BATCH", batch)
        thread = replace(THREAD, id=f"thread_{batch}")
        done = register(archive, [replace(entry, thread=thread) for entry in said])

        assert done == Registered(1, 2, 1)
        assert archive.owner(thread) == Registration(thread, "default", "bob", "acme", None, ("vip",))


def test_the_default_profile_leaves_the_one_that_is_known(archive: Archive) -> None:
    register(archive, [Registration(THREAD, profile="eu")])
    assert register(archive, [Registration(THREAD)]) == Registered(0, 0, 1)
    assert archive.owner(THREAD).profile == "eu"

    register(archive, [Registration(THREAD, profile="us")])
    assert archive.owner(THREAD).profile == "us"


def test_the_default_profile_said_on_purpose_counts(archive: Archive) -> None:
    register(archive, [Registration(THREAD, profile="eu", user="ann")])
    assert register(archive, [Registration(THREAD)], move=True) == Registered(0, 1, 0)
    assert archive.owner(THREAD) == Registration(THREAD, "default", "ann", tags=())


def test_a_registration_survives_the_loss_of_the_catalog(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    with Archive.write(path) as archive:
        register(archive, [ANN])
    for file in path.glob("catalog.sqlite*"):
        file.unlink()

    with Archive.write(path) as archive:
        assert archive.owner(THREAD) == ANN
        assert archive.catalog.count() == {"new": 1}


def test_a_thread_known_only_by_its_pages_is_new_to_the_registry(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0)])
    with Archive.write(path) as archive:
        assert register(archive, [ANN]) == Registered(1, 0, 0)


def test_lone_surrogates_of_a_command_line_do_not_break_the_archive(archive: Archive) -> None:
    bad = Registration(THREAD, user="ann\udcff", title="\ud83d", tags=("\udc80",))

    assert register(archive, [bad]) == Registered(1, 0, 0)
    assert register(archive, [bad]) == Registered(0, 0, 1)
    assert archive.owner(THREAD) == Registration(THREAD, user="ann\ufffd", title="\ufffd", tags=("\ufffd",))


def test_many_registrations_pass_in_batches(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BATCH", 300)
    refs = [ThreadRef("assistants", f"https://{i % 3}/v1", f"thread_{i}") for i in range(1000)]

    assert register(archive, map(Registration, refs)) == Registered(1000, 0, 0)
    assert register(archive, map(Registration, refs)) == Registered(0, 0, 1000)
    assert [known.thread for known in archive.catalog.known()] == refs
    assert set(archive.catalog.find_all(refs)) == set(refs)


@pytest.mark.parametrize(
    "text", ["../../x", "a/b", "", ".", "..", "a b", "a\n", "x" * 300, "\ud800", "%2e%2e", "-x", "a..b"]
)
def test_what_could_be_a_path_is_no_id(archive: Archive, text: str) -> None:
    with pytest.raises(UsageError, match="is no thread id"):
        register(archive, [Registration(replace(THREAD, id=text))])

    assert archive.catalog.count() == {}
    assert archive.manifest() == 0


@pytest.mark.parametrize("text", ["thread_abc123", "conv_0", "chatcmpl-x", "a:b", "A.b=c"])
def test_ids_of_servers_are_ids(text: str) -> None:
    assert checked_id(text) == text
