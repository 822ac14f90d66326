"""What every storage must do; a new one is tested by being there."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from exporter.errors import ArchiveError
from exporter.storage import Storage, load, names


@pytest.fixture(params=names())
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return load(request.param, tmp_path / "kept")


def source(storage: Storage, data: bytes) -> Path:
    path = storage.tmp() / f"{abs(hash(data))}-{threading.get_ident()}"
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def read(storage: Storage, name: str) -> bytes:
    with storage.open(name) as file:
        return file.read()


def test_what_is_created_is_read_and_its_source_is_gone(storage: Storage) -> None:
    path = source(storage, b"data")
    storage.create("a/b/one", path)

    assert read(storage, "a/b/one") == b"data"
    assert not path.exists()


def test_a_name_is_created_once(storage: Storage) -> None:
    storage.create("a/one", source(storage, b"first"))
    with pytest.raises(FileExistsError):
        storage.create("a/one", source(storage, b"second"))

    assert read(storage, "a/one") == b"first"


def test_of_many_who_create_one_name_at_once_one_wins(storage: Storage) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        path = source(storage, b"%d" % number)
        try:
            storage.create("one", path)
        except FileExistsError:
            return
        won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    assert read(storage, "one") == b"%d" % won[0]


def test_a_reader_sees_the_old_or_the_new_of_what_is_replaced(storage: Storage) -> None:
    storage.replace("t/one", source(storage, b"0" * 100_000))
    stop, seen = threading.Event(), set[bytes]()

    def look() -> None:
        while not stop.is_set():
            seen.add(read(storage, "t/one"))

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1, 30):
        storage.replace("t/one", source(storage, b"%d" % (number % 10) * 100_000))
    stop.set()
    reader.join()

    assert {len(data) for data in seen} == {100_000}
    assert all(len(set(data)) == 1 for data in seen)


def test_names_come_in_order_and_none_where_there_is_no_folder(storage: Storage) -> None:
    for name in ("f/b", "f/a/z", "f/a-", "f/c/1/2", "g/x"):
        storage.create(name, source(storage, name.encode()))

    assert list(storage.names("f")) == sorted(["f/b", "f/a/z", "f/a-", "f/c/1/2"])
    assert list(storage.names("nothing")) == []


def test_what_is_not_there_is_not_found(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        storage.open("a/b")


def test_what_is_removed_is_not_there_any_more_and_may_be_removed_again(storage: Storage) -> None:
    storage.create("a/one", source(storage, b"x"))
    storage.create("a/two", source(storage, b"y"))
    storage.remove("a/one")
    storage.remove("a/one")
    storage.remove("nothing/at/all")

    assert list(storage.names("a")) == ["a/two"]


def test_settling_changes_nothing_and_nothing_happens_where_nothing_is(storage: Storage) -> None:
    storage.create("a/b/one", source(storage, b"x"))
    for folder in ("a/b", "a", "nothing/at/all"):
        storage.settle(folder)

    assert list(storage.names("a")) == ["a/b/one"]
    assert list(storage.names("nothing")) == []


def test_a_folder_that_cannot_be_read_is_an_error_and_not_empty(storage: Storage) -> None:
    storage.create("f", source(storage, b"a file"))
    with pytest.raises(ArchiveError):
        list(storage.names("f"))


def test_everything_is_private(storage: Storage, tmp_path: Path) -> None:
    storage.create("a/b/one", source(storage, b"x"))
    storage.replace("c/two", source(storage, b"y"))

    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / "kept").rglob("*")}
    assert modes == {(True, 0o700), (False, 0o600)}
