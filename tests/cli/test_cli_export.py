"""`exporter export`: what is named is written, whole or not at all, and the last line says how much."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from exporter.formats import names
from exporter.sandbox import State
from tests.cli.conftest import Shell

FILES = {"chat": ".jsonl", "csv": ".csv", "html": ".html", "jsonl": ".jsonl", "markdown": ".md", "sqlite": ".sqlite"}


@pytest.fixture
def filled(shell: Shell) -> Shell:
    seeded = State.seed(
        threads=2, messages=4, conversations=1, items=9, chatkit=1, completions=1, responses=1, sessions=1
    )
    shell.state.shelves.update(seeded.shelves)
    assert len(shell.state.ids()) == 9
    ids = shell.state.ids()
    shell.ok("register", ids[0], "--user", "ann", "--customer", "acme", "--tag", "vip")
    shell.ok("backup", *ids)
    return shell


@pytest.mark.parametrize("name", names())
def test_a_format_goes_to_a_file_to_a_folder_and_to_stdout(name: str, filled: Shell, tmp_path: Path) -> None:
    one = tmp_path / f"all{FILES[name]}"
    whole = filled.json("export", "--format", name, "-o", str(one))[-1]
    piped = filled.ok("export", "--format", name)
    parts = filled.json("export", "--format", name, "-o", f"{tmp_path}/parts/", "--per-thread")[-1]

    assert piped.stdout_bytes == one.read_bytes()
    assert piped.stderr.startswith(f"complete: {whole['threads']} threads, {whole['messages']} messages")
    assert {**whole, "output": 0} == {**parts, "output": 0}
    files = sorted((tmp_path / "parts").rglob(f"*{FILES[name]}"))
    assert len([file for file in files if file.name != "index.html"]) == whole["threads"]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"archive", one.name, "parts"}


def test_jsonl_parts_joined_are_the_whole(filled: Shell, tmp_path: Path) -> None:
    filled.ok("export", "-o", f"{tmp_path}/parts/")
    parts = [line for path in (tmp_path / "parts").iterdir() for line in path.read_bytes().splitlines()]

    assert sorted(parts) == sorted(filled.ok("export").stdout_bytes.splitlines())


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("--user", "ann"), 1),
        (("--customer", "acme", "--tag", "vip"), 1),
        (("--tag", "other"), 0),
        (("--source", "responses"), 3),
        (("--source", "assistants", "--user", "ann"), 1),
        (("--since", "2100-01-01"), 0),
        (("--until", "2000-01-01T00:00:00+01:00"), 0),
        (("--since", "2000-01-01", "--until", "2100-01-01"), 9),
    ],
)
def test_filters_say_which_threads(words: tuple[str, ...], count: int, filled: Shell) -> None:
    found = {json.loads(line)["thread"] for line in filled.ok("export", *words).stdout.splitlines()}

    assert len(found) == count


def test_what_is_there_is_not_replaced_unless_it_is_said(filled: Shell, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("mine")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("mine")

    refused = filled.run("export", "--format", "csv", "-o", str(path))
    assert refused.exit_code == 2
    assert "it is there already" in refused.stderr
    assert filled.run("export", "--format", "html", "-o", str(tmp_path / "site")).exit_code == 2
    assert path.read_text() == (tmp_path / "site" / "index.html").read_text() == "mine"
    assert not (tmp_path / "site" / "threads").exists() or not any((tmp_path / "site" / "threads").iterdir())
    filled.ok("export", "--format", "csv", "-o", str(path), "--force")
    filled.ok("export", "--format", "html", "-o", str(tmp_path / "site"), "--force")
    assert path.read_text().startswith("source,")
    assert "Conversations" in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.parametrize("name", names())
def test_an_export_that_fails_leaves_nothing(name: str, filled: Shell, tmp_path: Path) -> None:
    for segment in filled.archive.glob("segments/*/*/*.zst"):
        content = bytearray(segment.read_bytes())
        content[len(content) // 2] ^= 1
        segment.chmod(0o600)
        segment.write_bytes(content)
    result = filled.run("export", "--format", name, "-o", str(tmp_path / f"all{FILES[name]}"))

    assert result.exit_code == 5
    assert {path.name for path in tmp_path.iterdir()} == {"archive"}


def test_ids_are_no_paths(shell: Shell, tmp_path: Path) -> None:
    ids = ["thread_a.b~c", "thread_A.b~c", "thread_" + "x" * 200]
    for one in ids:
        shell.state.add_thread(one)
    shell.ok("backup", *ids)
    shell.ok("export", "-o", f"{tmp_path}/out/")
    found = sorted(path.name for path in (tmp_path / "out").iterdir())

    assert len({name.lower() for name in found}) == 3
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") for name in found)
    assert all(name.count(".") == 1 and len(name) < 90 for name in found)


def test_a_site_leads_to_every_page(filled: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.formats._folder.PER_PAGE", 3)
    filled.ok("export", "--format", "html", "-o", str(tmp_path / "site"))
    pages = sorted((tmp_path / "site").glob("index*.html"))
    text = "".join(path.read_text() for path in pages)

    assert [page.name for page in pages] == ["index-2.html", "index-3.html", "index.html"]
    threads = [path.name for path in (tmp_path / "site" / "threads").iterdir()]
    assert len(threads) == 7
    assert all(f'href="threads/{name}"' in text for name in threads)
    assert 'href="index-2.html"' in pages[-1].read_text()
    assert 'href="index.html"' in pages[0].read_text()


def test_a_chain_is_one_page_and_named_ones_are_told_with_what_came_before(filled: Shell) -> None:
    first, _, last = filled.state.ids("responses")
    whole, begin = (filled.ok("export", one, "--format", "markdown").stdout for one in (last, first))

    assert whole.count("\n### user") == 3
    assert begin.count("\n### user") == 1
    assert filled.ok("export", "--format", "markdown", "--source", "responses").stdout == whole


def test_usage_errors(filled: Shell, tmp_path: Path) -> None:
    assert filled.run("export", "--per-thread").exit_code == 2
    assert filled.run("export", "--since", "tomorrow").exit_code == 2
    assert filled.run("export", "nothing_like_it").exit_code == 2
    (tmp_path / "file").touch()
    assert filled.run("export", "--per-thread", "-o", str(tmp_path / "file")).exit_code == 2
    assert filled.run("export", "-a", str(tmp_path / "none")).exit_code == 10
    nowhere = filled.run("export", "-o", str(tmp_path / "nowhere" / "all.jsonl"))
    assert (nowhere.exit_code, "nowhere: there is no such folder" in nowhere.stderr) == (2, True)


def test_without_the_extra_html_says_what_to_install(filled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from exporter.formats import _page

    _page._templates.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    result = filled.run("export", "--format", "html")

    assert result.exit_code == 2
    assert "pip install 'conversation-exporter[html]'" in result.stderr
    assert filled.run("export", "--format", "markdown").exit_code == 0


def test_what_is_empty_and_what_is_dropped_is_said(filled: Shell, tmp_path: Path) -> None:
    filled.ok("register", "thread_never1")
    said = filled.ok("export", "--format", "chat", "-o", str(tmp_path / "chat.jsonl")).stderr

    assert "; 1 threads have nothing of it; dropped: " in said
    assert "1 web_search_call" in said


def test_sqlite_opens(filled: Shell, tmp_path: Path) -> None:
    count = filled.json("export", "--format", "sqlite", "-o", str(tmp_path / "all.sqlite"))[-1]["messages"]
    with closing(sqlite3.connect(f"file:{tmp_path}/all.sqlite?mode=ro", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM messages").fetchone() == (count,)
        assert db.execute("SELECT sum(messages) FROM threads").fetchone() == (count,)
