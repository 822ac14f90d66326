"""An encrypted archive: nothing that was said lies in clear, its key is everything, and no file passes for another."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import exporter
from exporter.archive import Archive, blob_name, is_encrypted, rotate_keys
from exporter.archive import _keyfile as keyfile
from exporter.check import check
from exporter.errors import ArchiveError, Damaged, NoArchive, NoKey, UsageError
from exporter.files import replacing
from exporter.model import Item, Page, Registration
from exporter.rebuild import rebuild
from exporter.registry import register
from tests.archive.making import AT, THREAD, in_memory, numbers, page, position, recover
from tests.cli.conftest import Shell, shell
from tests.conftest import KEY
from tests.grepping import holding, unpacked
from tests.test_secrets import use_ring

__all__ = ["shell"]

MARK = "marked9b1dwords"
ONE, TWO = "00" * 32, "b2xkZXIgdGhhbiBhbnkgb2YgdXMgd2lsbCBldmVyIGI="
WORDS = "four words and some"
NO_TEXT = os.fsdecode(b"a passphr\xe4se in Latin-1")
"As Python has a variable that is not UTF-8."


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_ARCHIVE_KEY", ONE)
    monkeypatch.setattr(keyfile, "SCRYPT", {"n": 2**4, "r": 8, "p": 1})  # a passphrase costs nothing here


@pytest.fixture
def path() -> Iterator[Path]:
    """Two segments, a content, an open journal; the marked words in each."""
    with in_memory() as folder:
        made(folder / "a")
        yield folder / "a"


def made(path: Path) -> Path:
    Archive.create(path, encrypted=True)
    with Archive.write(path) as archive:
        register(archive, [Registration(THREAD, title=f"about {MARK}", user="ann")])
        archive.append([page(0, 3), said(0)])
        archive.seal()
        with archive.blob() as blob:
            blob.write(f"{MARK}\n".encode() * 20_000)
            kept = blob.keep()
        about = {"type": "file", "message": None, "container": None, "name": MARK, "sha256": kept.sha256}
        item = Item("file_1", json.dumps(about | {"bytes": kept.bytes, "form": "bytes", "object": None}).encode())
        archive.append([Page(THREAD, "file", (item,), None, False, AT, "files")])
        archive.append([page(3, 3)])
        archive.seal({"command": "backup"})
        archive.append([page(6, 3), said(1)])
    return path


def said(seq: int) -> Page:
    items = (Item(f"step_{seq}", json.dumps({"id": f"step_{seq}", "text": MARK}).encode()),)
    return Page(THREAD, "step", items, None, False, AT, "steps:run", seq)


def damages(path: Path) -> list[str]:
    return [f"{one.where}: {one.what}" for one in check(path) if one.severity == "damage"]


def use(monkeypatch: pytest.MonkeyPatch, key: str | None, **more: str) -> None:
    for name in ("EXPORTER_ARCHIVE_KEY", "EXPORTER_ARCHIVE_NEW_KEY"):
        monkeypatch.delenv(name, raising=False)
    if key is not None:
        monkeypatch.setenv("EXPORTER_ARCHIVE_KEY", key)
    for name, value in more.items():
        monkeypatch.setenv(f"EXPORTER_ARCHIVE_{name}", value)


# What lies on the disk


def test_no_file_holds_what_was_said_before_and_after_the_journal_is_sealed(path: Path) -> None:
    assert holding(path, MARK.encode()) == []
    recover(path)
    assert holding(path, MARK.encode()) == []
    rebuild(path)
    assert holding(path, MARK.encode()) == []
    assert not list(path.rglob("*.parquet"))
    assert damages(path) == []


def test_the_same_archive_in_clear_holds_it_in_many_places() -> None:
    with in_memory() as folder:
        Archive.create(folder / "a")
        with Archive.write(folder / "a") as archive:
            register(archive, [Registration(THREAD, title=MARK)])
            archive.append([said(0)])
        assert len(holding(folder / "a", MARK.encode())) >= 2


def test_all_comes_out_again_as_it_went_in(path: Path) -> None:
    recover(path)

    assert numbers(path) == list(range(9))
    assert position(path) == 9
    with Archive.open(path) as archive:
        (known,) = archive.catalog.known()
        assert known.title == archive.owner(THREAD).title == f"about {MARK}"
        assert archive.owners([THREAD])[THREAD].title == f"about {MARK}"
        (record,) = archive.records(THREAD, "file")
        sha256 = json.loads(record.body)["sha256"]
        with archive.storage.open(blob_name(sha256)) as file:
            assert file.seek(0, 2) == 20_000 * (len(MARK) + 1)
            file.seek(65_530)
            expected = (f"{MARK}\n".encode() * 20_000)[65_530:200_000]
            assert file.read(200_000 - 65_530) == expected
        assert archive.place(blob_name(sha256)).exists()
        assert sha256 not in str(archive.place(blob_name(sha256)))


def test_a_rebuilt_catalog_is_equal(path: Path) -> None:
    recover(path)
    with Archive.open(path) as archive:
        before = list(archive.catalog.content())
    rebuild(path)
    with Archive.open(path) as archive:
        assert list(archive.catalog.content()) == before
    assert [one for one in check(path, rebuild=True) if one.severity == "damage"] == []


def test_registering_the_same_title_again_writes_nothing(path: Path) -> None:
    with Archive.write(path) as archive:
        before = archive.manifest()
        register(archive, [Registration(THREAD, title=f"about {MARK}", user="ann")])
        assert archive.seal() is None
        assert archive.manifest() == before


# Keys


@pytest.mark.parametrize("change", ["lost", "wrong", "empty", "words", "no text"])
def test_without_its_key_an_archive_says_so_at_once_and_is_not_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    use(monkeypatch, {"lost": None, "wrong": "11" * 32, "empty": "  ", "words": WORDS, "no text": NO_TEXT}[change])
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    for opens in (Archive.open, Archive.write, rebuild):
        with pytest.raises(NoKey) as caught:
            opens(path)
        assert caught.value.exit_code == 12
        assert not isinstance(caught.value, Damaged)
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("key", [ONE, WORDS])
def test_a_key_that_is_no_text_is_no_damage_and_becomes_nobodys_key(
    key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, NO_TEXT)
    with pytest.raises(NoKey, match=r"EXPORTER_ARCHIVE_KEY: .*not a text in UTF-8"):
        Archive.create(tmp_path / "a", encrypted=True)

    use(monkeypatch, key)
    Archive.create(tmp_path / "a", encrypted=True)
    before = (tmp_path / "a" / "keys.json").read_bytes()
    use(monkeypatch, key, NEW_KEY=NO_TEXT)
    with pytest.raises(NoKey, match=r"EXPORTER_ARCHIVE_NEW_KEY: .*not a text in UTF-8"):
        rotate_keys(tmp_path / "a", new_data_key=False)
    assert (tmp_path / "a" / "keys.json").read_bytes() == before
    use(monkeypatch, NO_TEXT)
    for looks in (Archive.open, lambda path: list(check(path))):
        with pytest.raises(NoKey, match=r"EXPORTER_ARCHIVE_KEY: .*not a text in UTF-8.*Nothing is damaged") as caught:
            looks(tmp_path / "a")
        assert "passphr" not in str(caught.value)


def test_the_file_of_a_wrong_key_is_named(
    path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "wrong-key").write_text("11" * 32)
    use(monkeypatch, None, KEY_FILE=str(tmp_path / "wrong-key"))
    done = shell.run("status", "-a", str(path))

    assert done.exit_code == 12
    assert f"the key in the file {tmp_path / 'wrong-key'} does not open it" in done.stderr


def test_check_without_the_key_still_compares_hashes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recover(path)
    use(monkeypatch, None)
    assert [one.code for one in check(path)] == ["not_opened"]

    segment = sorted(path.glob("segments/*/*/*"))[1]
    segment.write_bytes(segment.read_bytes()[:-1])
    assert [one.code for one in check(path)] == ["segment_damaged", "not_opened"]
    segment.unlink()
    assert [one.code for one in check(path)] == ["segment_missing", "not_opened"]

    use(monkeypatch, "11" * 32)
    with pytest.raises(NoKey, match="does not open it"):
        list(check(path))


@pytest.mark.parametrize("first", [ONE, TWO, WORDS])
@pytest.mark.parametrize("second", ["22" * 32, "other words, many of them"])
def test_after_a_rotation_only_the_new_key_opens(first: str, second: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, first)
    with in_memory() as folder:
        path = made(folder / "a")
        rest = {file: file.read_bytes() for file in path.rglob("*.enc")}
        use(monkeypatch, first, NEW_KEY=second)
        assert rotate_keys(path, new_data_key=False) == 1
        assert {file: file.read_bytes() for file in path.rglob("*.enc")} == rest

        with pytest.raises(NoKey, match="before the key was changed"):
            Archive.write(path)
        use(monkeypatch, second)
        recover(path)
        assert numbers(path) == list(range(9))


def test_a_new_data_key_seals_what_comes_and_the_old_one_opens_what_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recover(path)
    assert rotate_keys(path, new_data_key=True) == 2
    with Archive.write(path) as archive:
        archive.append([page(9, 3)])
        archive.seal()

    assert numbers(path) == list(range(12))
    generations = [file.read_bytes()[19] for file in sorted(path.glob("segments/*/*/*"))]
    assert generations[-1] == 2
    assert set(generations[:-1]) == {1}
    assert damages(path) == []
    rebuild(path)
    assert damages(path) == []


def test_a_rotation_cut_short_leaves_the_old_key_or_the_new(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, ONE, NEW_KEY=TWO)
    with monkeypatch.context() as patch:
        patch.setattr("exporter.files.os.fsync", _refuse)
        with pytest.raises(ArchiveError):
            rotate_keys(path, new_data_key=True)
    assert list(path.glob(".keys*")) == []
    recover(path)
    rotate_keys(path, new_data_key=True)
    use(monkeypatch, TWO)
    recover(path)


def _refuse(_: int) -> None:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("named", ["FILE", "COMMAND", "KEYRING"])
def test_the_key_may_be_in_a_file_or_come_from_a_command(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str
) -> None:
    (tmp_path / "key").write_text(f"{ONE}\n")
    use_ring(monkeypatch, {("exporter", "acme"): ONE})
    values = {"FILE": str(tmp_path / "key"), "COMMAND": f"cat {tmp_path / 'key'}", "KEYRING": "exporter/acme"}
    use(monkeypatch, None, **{f"KEY_{named}": values[named]})
    recover(path)

    monkeypatch.setenv("EXPORTER_ARCHIVE_KEY", ONE)
    with pytest.raises(UsageError, match="both name a key"):
        Archive.open(path)


@pytest.mark.parametrize("key", ["short", "0011"])
def test_a_key_that_anybody_guesses_is_refused(key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, key)
    with pytest.raises(UsageError, match="32 random bytes"):
        Archive.create(tmp_path / "a", encrypted=True)
    use(monkeypatch, ONE)
    made(tmp_path / "a")


def test_lost_or_changed_keys_are_named(path: Path) -> None:
    file = path / "keys.json"
    data = file.read_bytes()
    for at in range(0, len(data), 7):
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises((Damaged, NoKey), match=r"keys\.json"):
            Archive.open(path)
        assert "keys_damaged" in [one.code for one in check(path)]
    file.unlink()
    with pytest.raises(Damaged, match=r"keys\.json: it is missing.*restore"):
        Archive.write(path)
    file.write_bytes(data)
    assert damages(path) == []


def resealed(path: Path, **changed: Any) -> None:
    """Change fields of keys.json as who writes it would: its hash is right; None removes one."""
    fields = {**json.loads((path / "keys.json").read_bytes()), **changed}
    fields.pop("sha256")
    body = json.dumps({name: value for name, value in fields.items() if value is not None}, separators=(",", ":"))
    data = body.encode()[:-1] + b"," + keyfile.FIELD + keyfile.ZEROS + b'"}\n'
    sha256 = hashlib.sha256(data).hexdigest().encode()
    (path / "keys.json").write_bytes(data.replace(keyfile.FIELD + keyfile.ZEROS, keyfile.FIELD + sha256))


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"format": 2}, NoArchive, "keys.json is of a newer exporter; upgrade exporter"),
        ({"format": "x"}, Damaged, "restore this file from a copy"),
        ({"format": None}, Damaged, "restore this file from a copy"),
        ({"archive": "another"}, Damaged, "it is of another archive than archive.json says"),
        ({"user_key": None}, Damaged, "restore this file from a copy"),
        ({"user_key": {"kind": "key", "salt": 1}}, Damaged, "restore this file from a copy"),
        ({"data_keys": [{"generation": 1}]}, Damaged, "restore this file from a copy"),
    ],
)
def test_whole_keys_that_are_not_this_archives_say_what_to_do(
    path: Path, changed: dict[str, Any], error: type[ArchiveError], said: str
) -> None:
    resealed(path)
    with Archive.open(path):
        pass
    resealed(path, **changed)
    for opens in (Archive.open, Archive.write):
        with pytest.raises(error) as caught:
            opens(path)
        assert said in str(caught.value)


def test_keys_that_cannot_be_read_are_not_said_to_be_missing(path: Path) -> None:
    (path / "keys.json").unlink()
    (path / "keys.json").mkdir()

    with pytest.raises(ArchiveError, match=r"keys\.json: Is a directory") as caught:
        Archive.open(path)
    assert not isinstance(caught.value, Damaged)


def test_a_rotation_to_no_key_changes_nothing_and_says_how_one_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (path / "keys.json").read_bytes()
    with pytest.raises(UsageError, match="EXPORTER_ARCHIVE_NEW_KEY_FILE names a file that has it, or see"):
        rotate_keys(path, new_data_key=False)
    use(monkeypatch, ONE, NEW_KEY=" ")
    with pytest.raises(NoKey, match=r"EXPORTER_ARCHIVE_NEW_KEY: .* is empty"):
        rotate_keys(path, new_data_key=False)
    assert (path / "keys.json").read_bytes() == before


def test_a_disk_that_loses_the_new_keys_is_found_before_the_old_key_is_thrown_away(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = (path / "keys.json").read_bytes()

    @contextmanager
    def lost(file: Path) -> Iterator[Any]:
        with replacing(file) as out:
            yield out
        file.write_bytes(old)

    with monkeypatch.context() as patch:
        patch.setattr(keyfile, "replacing", lost)
        with pytest.raises(ArchiveError, match="do not throw the old key away"):
            rotate_keys(path, new_data_key=True)
    recover(path)


def test_an_archive_without_any_key_named_is_not_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, None)
    with pytest.raises(NoKey, match="no key for the archive is named; EXPORTER_ARCHIVE_KEY_FILE names a file"):
        Archive.create(tmp_path / "a", encrypted=True)


def test_keys_that_ask_for_all_memory_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyfile, "SCRYPT", {"n": 2**30, "r": 8, "p": 1})
    use(monkeypatch, ONE, NEW_KEY=WORDS)
    with pytest.raises(ValueError, match="nobody asks for"):
        rotate_keys(path, new_data_key=False)
    recover(path)


# Nothing is another, and nothing changes unseen


def test_any_flipped_byte_is_found_and_named(path: Path) -> None:
    recover(path)
    for file in [*path.glob("segments/*/*/*"), *path.rglob("blobs/*/*/*")]:
        data, name = file.read_bytes(), file.relative_to(path).as_posix()
        places = [*range(0, 60, 5), *range(60, len(data), max(1, len(data) // 12)), len(data) - 1]
        for at in places:
            file.write_bytes(data[:at] + bytes([data[at] ^ 64]) + data[at + 1 :])
            assert any(one.startswith(name) for one in damages(path)), (name, at)
        for cut in (0, 20, 52, len(data) // 2, len(data) - 1):
            file.write_bytes(data[:cut])
            assert any(one.startswith(name) for one in damages(path)), (name, cut)
        file.write_bytes(data)
    assert damages(path) == []


def test_chunks_that_change_places_are_found(path: Path) -> None:
    (blob,) = path.rglob("blobs/*/*/*")
    data, head, chunk = blob.read_bytes(), 52, 65_552
    assert len(data) > head + 3 * chunk
    first, second = data[head : head + chunk], data[head + chunk : head + 2 * chunk]
    for changed in (
        data[:head] + second + first + data[head + 2 * chunk :],
        data[:head] + first + first + data[head + 2 * chunk :],
        data[: head + chunk],
        data[:head] + data[head + chunk :],
    ):
        blob.write_bytes(changed)
        assert len(damages(path)) == 1


def test_a_segment_of_another_archive_number_or_key_is_not_taken(path: Path) -> None:
    recover(path)
    with in_memory() as folder:
        other = made(folder / "b")
        recover(other)
        mine, theirs = sorted(path.glob("segments/*/*/*")), sorted(other.glob("segments/*/*/*"))
        shutil.copy(theirs[0], mine[0])
        shutil.copy(mine[2], mine[1])
    for file in mine[:2]:
        with Archive.open(path) as archive, pytest.raises(Damaged, match=r"changed, or another file's"):
            archive.storage.open(file.relative_to(path).as_posix())
    assert len([one for one in damages(path) if one.startswith("segments")]) == 2


def test_contents_that_change_places_are_found(path: Path) -> None:
    with Archive.write(path) as archive, archive.blob() as blob:
        blob.write(b"another")
        blob.keep()
    one, two = path.rglob("blobs/*/*/*")
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(data)

    assert len(damages(path)) >= 2


def test_frames_of_a_journal_are_bound_to_their_place(path: Path) -> None:
    (journal,) = path.glob("journal/*")
    data = journal.read_bytes()
    with Archive.open(path) as archive:
        assert archive.cipher
        with journal.open("rb") as file:
            opened = archive.cipher.journal(file, journal.name.split(".")[0], "")
            assert opened.read() != b""
            assert opened.end == len(data)
    renamed = journal.with_name(f"20200101T000000-00000000{journal.name[24:]}")
    journal.rename(renamed)
    with Archive.write(path):
        pass
    assert numbers(path) == list(range(6))
    assert [file.read_bytes() for file in (path / ".exporter" / "salvaged").iterdir()] == [data]


def test_keys_that_lack_a_generation_cut_no_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recover(path)
    before = (path / "keys.json").read_bytes()
    rotate_keys(path, new_data_key=True)
    with Archive.write(path) as archive:
        archive.append([page(9)])
    (journal,) = path.glob("journal/*")
    data, newer = journal.read_bytes(), (path / "keys.json").read_bytes()
    (path / "keys.json").write_bytes(before)

    with pytest.raises(Damaged, match=r"sealed with data key 2, which keys\.json does not have"):
        Archive.write(path)
    assert journal.read_bytes() == data
    (path / "keys.json").write_bytes(newer)
    recover(path)
    assert numbers(path) == list(range(10))


# The command line


def night(shell: Shell) -> None:
    shell.state.add_thread("thread_1")
    shell.state.add_message("thread_1", {"role": "user", "content": [{"type": "text", "text": {"value": MARK}}]})


def test_an_encrypted_archive_is_made_filled_read_and_rotated(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    night(shell)
    shell.ok("backup", "--encrypt", "thread_1")
    assert is_encrypted(shell.archive)
    shell.ok("backup", "--all")
    assert MARK in shell.ok("show", "thread_1").stdout
    assert MARK in shell.ok("export", "--format", "jsonl").stdout
    assert MARK in shell.ok("export", "--format", "csv").stdout
    shell.ok("check", "--rebuild")
    shell.ok("rebuild")
    shell.ok("status")
    assert holding(shell.archive, MARK.encode()) == []
    assert holding(shell.archive, KEY.encode()) == []

    searched = shell.run("search", MARK)
    assert (searched.exit_code, "in clear" in searched.stderr) == (2, True)
    with pytest.raises(UsageError, match="no tables"):
        exporter.open(shell.archive).messages().pandas()

    monkeypatch.setenv("EXPORTER_ARCHIVE_NEW_KEY", TWO)
    shell.ok("encrypt", "--rotate", "--new-data-key")
    refused = shell.run("show", "thread_1")
    assert refused.exit_code == 12
    assert "does not open it" in refused.stderr
    monkeypatch.setenv("EXPORTER_ARCHIVE_KEY", TWO)
    monkeypatch.delenv("EXPORTER_ARCHIVE_NEW_KEY")
    assert MARK in shell.ok("show", "thread_1").stdout
    shell.ok("backup", "--all")


def test_who_is_erased_from_an_encrypted_archive_is_gone(shell: Shell) -> None:
    night(shell)
    shell.state.add_thread("thread_2")
    shell.state.add_message("thread_2", {"role": "user", "content": [{"type": "text", "text": {"value": "stays"}}]})
    shell.ok("backup", "--encrypt", "thread_1", "thread_2")
    shell.ok("erase", "thread_1", "--yes")

    assert shell.run("show", "thread_1").exit_code == 2
    assert "stays" in shell.ok("show", "thread_2").stdout
    shell.ok("check", "--rebuild")
    with Archive.open(shell.archive) as archive:
        told = b"".join(archive.storage.open(name).read() for name in archive.storage.names("segments"))
    assert MARK.encode() not in unpacked(told)
    assert b"thread_1" not in unpacked(told)


def test_the_viewer_shows_a_content_and_none_that_is_not_there(path: Path) -> None:
    from starlette.testclient import TestClient

    from exporter.view._blobs import content

    recover(path)
    with Archive.open(path) as archive:
        (record,) = archive.records(THREAD, "file")
    sha256 = json.loads(record.body)["sha256"]
    found = content(path, sha256, body=False)
    assert (found.status_code, found.headers["content-length"]) == (200, str(20_000 * (len(MARK) + 1)))
    assert content(path, "0" * 64).status_code == 404
    assert content(path, "../../etc/passwd").status_code == 404
    assert TestClient(content(path, sha256)).get("/").content == f"{MARK}\n".encode() * 20_000
    (blob,) = path.rglob("blobs/*/*/*")
    blob.write_bytes(b"no content of ours")
    damaged = content(path, sha256)
    assert (damaged.status_code, damaged.body) == (500, b"This file cannot be read; run `exporter check`.\n")


def test_the_doctor_says_that_the_key_is_missing(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.ok("encrypt")
    monkeypatch.delenv("EXPORTER_ARCHIVE_KEY")
    for words in (["status"], ["backup", "thread_1"], ["threads"], ["plan"], ["export"], ["erase", "thread_1"]):
        result = shell.run(*words)
        assert result.exit_code == 12, words
        assert "no key is named; EXPORTER_ARCHIVE_KEY_FILE" in result.stderr
    assert "no key is named" in shell.run("doctor").output


def test_an_empty_archive_becomes_encrypted_and_a_filled_one_stays_plain(shell: Shell) -> None:
    night(shell)
    Archive.create(shell.archive)
    shell.ok("encrypt")
    shell.ok("backup", "thread_1")
    assert holding(shell.archive, MARK.encode()) == []
    assert shell.run("encrypt").exit_code == 2

    shell.ok("backup", "thread_1", "-a", "plain")
    for words in (["encrypt"], ["backup", "--encrypt", "thread_1"], ["encrypt", "--rotate"]):
        result = shell.run(*words, "-a", "plain")
        assert result.exit_code == 2, words
    assert not Path("plain", "keys.json").exists()


def test_a_tool_without_exporter_opens_a_segment_as_the_page_says(path: Path) -> None:
    """docs/encryption.md has these lines."""
    opened: Any = {}
    page = (Path(exporter.__file__).parent.parent / "docs" / "encryption.md").read_text("utf-8")
    code = page.split("```python\n", 1)[1].split("```", 1)[0]
    exec(code, opened)
    name = min(path.glob("segments/*/*/*"))
    data = opened["unsealed"](path, bytes.fromhex(ONE), name.relative_to(path).as_posix())

    assert MARK.encode() in unpacked(data)
