"""What is archived is found, whatever the history; nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.archive import Archive
from exporter.errors import UsageError
from exporter.model import ThreadRef
from exporter.search import Index, Query, _refresh, _words
from tests.archive.making import in_memory
from tests.search.making import (
    AT,
    T1,
    T2,
    archived,
    deletion,
    everything,
    found,
    ids,
    items,
    marked,
    owned,
    said,
    searching,
    titled,
    visit,
)

SLOW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXTS = st.text(st.sampled_from("abcde é東京都部署가각ไทยมี่🚀 .,-"), min_size=1, max_size=30)
WORDS = ["one", "two", "three", "deploy"]


@SLOW
@given(st.lists(TEXTS, min_size=1, max_size=6), st.data())
def test_every_text_is_found_by_its_words_and_by_every_part_of_a_run(texts: list[str], data: st.DataObject) -> None:
    with in_memory() as folder:
        archived(folder / "a", [said(T1, *texts)])
        with searching(folder / "a") as index:
            for number, text in enumerate(texts):
                spans = _words.spans(text)
                if not spans:
                    continue
                first = data.draw(st.sampled_from(spans))
                last = data.draw(st.sampled_from([span for span in spans if span.begin >= first.begin]))
                part = text[first.begin : last.end]
                hits = index.search(Query(f'"{part}"', limit=100)).hits
                assert f"m{number}" in {hit.message_id for hit in hits}, part
                for hit in hits:
                    assert hit.marks
                    same = " ".join(_words.asked(part)[0])
                    assert all(same in " ".join(_words.words(mark).split()) for mark in marked(hit))


def test_a_phrase_and_a_run_are_found_as_they_are_written_only(tmp_path: Path) -> None:
    path = archived(
        tmp_path / "a", [said(T1, "私は東京都に住む", "京都東", "roll out the deploy", "the roll, deployed")]
    )

    assert ids(path, "東京") == ids(path, "東京都") == ["m0"]
    assert ids(path, "京都") == ["m0", "m1"]
    assert ids(path, "都") == ["m0", "m1"]
    assert ids(path, "roll the") == ["m2", "m3"]
    assert ids(path, '"the roll"') == ["m3"]
    assert ids(path, "deploy*") == ["m2", "m3"]
    assert ids(path, '"roll depl*"') == ["m3"]
    assert ids(path, "nothing") == []


def test_the_best_come_first_and_are_paged(tmp_path: Path) -> None:
    texts = [f"refund {'and other words ' * number}" for number in range(9)]
    path = archived(tmp_path / "a", [said(T1, *texts)])

    with searching(path) as index:
        hits = index.search(Query("refund")).hits
        paged = [hit for at in range(0, 9, 4) for hit in index.search(Query("refund", limit=4, offset=at)).hits]
        assert index.search(Query("refund", limit=2, offset=8)).total == 9

    assert [hit.message_id for hit in hits] == [f"m{number}" for number in range(9)]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert paged == list(hits)


def test_filters_take_what_they_say(tmp_path: Path) -> None:
    other = ThreadRef("conversations", "https://api.example/v1", "conv_1")
    path = archived(
        tmp_path / "a",
        [owned(T1, user="ann", customer="acme", title="Refunds"), owned(T2, user="bob"), owned(other, user="ann")],
        [said(T1, "word one"), said(T2, "word two"), said(other, "word three", role="assistant")],
    )
    words = {(hit.thread, hit.user, hit.customer, hit.title) for hit in found(path, "word")}

    assert words == {(T1, "ann", "acme", "Refunds"), (T2, "bob", None, None), (other, "ann", None, None)}
    taken: list[tuple[dict[str, Any], set[ThreadRef]]] = [
        ({"user": "ann"}, {T1, other}),
        ({"user": "nobody"}, set()),
        ({"customer": "acme"}, {T1}),
        ({"source": "conversations"}, {other}),
        ({"role": "assistant"}, {other}),
        ({"thread": "t2"}, {T2}),
        ({"user": "ann", "role": "user"}, {T1}),
        ({"since": AT}, set()),
        ({"until": AT}, {T1, T2, other}),
    ]
    for filters, threads in taken:
        assert {hit.thread for hit in found(path, "word", **filters)} == threads, filters
    with pytest.raises(UsageError, match="exporter threads"):
        found(path, "word", thread="t9")


def test_times_are_exact(tmp_path: Path) -> None:
    path = archived(tmp_path / "a", [said(T1, "word one", "word two")])
    one, two = sorted((hit for hit in found(path, "word")), key=lambda hit: hit.seq)

    assert one.ts
    assert two.ts
    assert ids(path, "word", since=two.ts) == ["m1"]
    assert ids(path, "word", until=two.ts) == ["m0"]
    assert ids(path, "word", since=one.ts, until=two.ts) == ["m0"]


def test_calls_titles_and_names_of_files_are_found(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function_call", "name": "lookup", "arguments": '{"city":"Zürich"}'}
    given = {"id": "c2", "type": "function_call_output", "output": "sunny"}
    file = {"type": "file", "message": "c1", "name": "Quartalsbericht.pdf", "sha256": None}
    path = archived(
        tmp_path / "a",
        [
            titled(T1, "Weather talk"),
            items(T1, "message", [("c1", call), ("c2", given)]),
            items(T1, "file", [("f", file)]),
        ],
    )

    assert [(hit.type, hit.kind) for hit in found(path, "zurich lookup")] == [("function_call", "message")]
    assert [hit.type for hit in found(path, "sunny")] == ["function_call_output"]
    assert [(hit.kind, hit.message_id, hit.title) for hit in found(path, "weather")] == [
        ("thread", None, "Weather talk")
    ]
    (named,) = found(path, "quartalsbericht")
    assert (named.kind, named.message_id, named.type, marked(named)) == ("file", "c1", "file", ["Quartalsbericht"])


def test_what_changes_is_found_as_it_is_now(tmp_path: Path) -> None:
    path = archived(
        tmp_path / "a", [titled(T1, "Old name"), said(T1, "first words", "second words")], [said(T2, "words")]
    )
    assert len(found(path, "words")) == 3

    archived(path, [said(T1, "changed text", fresh=False)])
    assert ids(path, "first") == []
    assert ids(path, "changed") == ["m0"]

    archived(path, [titled(T1, "New name")])
    assert ids(path, "old") == []
    assert {hit.title for hit in found(path, "changed")} == {"New name"}

    archived(path, [owned(T1, user="ann", title="Registered")])
    assert ids(path, "words", user="ann") == ["m1"]
    assert ids(path, "new") == []
    assert ids(path, "registered") == ["thread"]

    archived(path, [owned(T1, user="bob")])
    assert ids(path, "words", user="ann") == []
    assert ids(path, "words", user="bob") == ["m1"]

    archived(path, [deletion(T1, "m1", at=2)])
    assert [hit.deleted for hit in found(path, "second")] == [True]
    assert ids(path, "second", deleted=False) == []

    archived(path, [visit(T1, "gone", at=3)])
    assert all(hit.deleted for hit in found(path, "changed"))
    assert ids(path, "changed", deleted=False) == []

    archived(path, [visit(T1, "complete", at=4)])
    assert ids(path, "changed", deleted=False) == ["m0"]


STEPS = st.one_of(
    st.builds(
        lambda t, ws: ("say", t, ws), st.sampled_from("ab"), st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)
    ),
    st.builds(lambda t, at, w: ("edit", t, at, w), st.sampled_from("ab"), st.integers(0, 3), st.sampled_from(WORDS)),
    st.builds(lambda t, at: ("delete", t, at), st.sampled_from("ab"), st.integers(0, 3)),
    st.builds(lambda t, w: ("title", t, w), st.sampled_from("ab"), st.sampled_from([*WORDS, None])),
    st.builds(lambda t, u: ("own", t, u), st.sampled_from("ab"), st.sampled_from(["ann", "bob"])),
    st.builds(lambda t, s: ("visit", t, s), st.sampled_from("ab"), st.sampled_from(["gone", "complete"])),
)


@SLOW
@given(st.lists(st.lists(STEPS, min_size=1, max_size=4), min_size=1, max_size=6), st.data())
def test_refreshing_gives_what_an_index_made_from_nothing_gives(history: list[list[Any]], data: st.DataObject) -> None:
    lengths = {"a": 0, "b": 0}
    with in_memory() as folder:
        path = folder / "archive"
        for at, steps in enumerate(history):
            archived(path, [_page(step, lengths, at) for step in steps])
            if data.draw(st.booleans()):
                found(path, "anything")
        grown = everything(path, WORDS)
        assert grown == everything(path, WORDS, path=folder / "fresh")
        assert len({repr(hit) for hit in grown}) == len(grown)


def test_what_comes_to_a_thread_that_was_only_registered_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archived(tmp_path / "a", [owned(T1, user="ann"), owned(T2, user="bob")], [said(T2, "one")])
    found(path, "one")
    archived(path, [titled(T1, "three"), said(T1, "one", "two")], [titled(T2, None), said(T2, "two", seq=1)])

    with monkeypatch.context() as patched:
        patched.delattr(_refresh, "thread_pages")
        assert ids(path, "one") == ["m0", "m0"]
    assert everything(path, WORDS) == everything(path, WORDS, path=tmp_path / "fresh")


def _page(step: Any, lengths: dict[str, int], at: int) -> Any:
    what, name, *rest = step
    ref = {"a": T1, "b": T2}[name]
    if what == "say":
        lengths[name] += len(rest[0])
        return said(ref, *rest[0], seq=lengths[name] - len(rest[0]))
    if what == "edit":
        seq = min(rest[0], max(lengths[name] - 1, 0))
        lengths[name] = max(lengths[name], seq + 1)
        return said(ref, rest[1], seq=seq, fresh=False)
    if what == "delete":
        return deletion(ref, f"m{rest[0]}", at=at)
    if what == "title":
        return titled(ref, rest[0])
    return owned(ref, user=rest[0]) if what == "own" else visit(ref, rest[0], at=at)


def test_a_huge_text_is_found_at_its_end(tmp_path: Path) -> None:
    huge = "x" * 1_000_000 + " " + "東京" * 300_000 + " word " * 300_000 + " needle in it"
    path = archived(tmp_path / "a", [said(T1, huge)])

    (hit,) = found(path, '"needle in"')
    assert marked(hit) == ["needle in"]
    assert len(hit.snippet) < 1000


def test_halves_of_surrogates_are_harmless(tmp_path: Path) -> None:
    odd = ThreadRef("assistants", "https://api.example/v1", "t\ud800")
    path = archived(tmp_path / "a", [said(odd, "half \ud83d word")])

    (hit,) = found(path, "word")
    assert (hit.thread.id, hit.snippet) == (odd.id, "half \ufffd word")


@pytest.mark.parametrize(
    "text", ['"', "*", "", "   ", "()", '"*"', "a*", "\x00", "\ud800", "AND OR NOT:", "+-&&||!", "a" * 5000]
)
def test_questions_that_say_nothing_are_refused_or_find_nothing(tmp_path: Path, text: str) -> None:
    path = archived(tmp_path / "a", [said(T1, "word")])

    with searching(path) as index:
        assert _asked(index, text) == 0


@SLOW
@given(st.text(max_size=60))
def test_no_question_breaks_it(text: str) -> None:
    with in_memory() as folder:
        path = archived(folder / "a", [said(T1, "word")])
        with Archive.open(path) as archive, Index.open(archive) as index:
            _asked(index, text)


def _asked(index: Index, text: str) -> int:
    """How many are found; a question that is refused in a sentence finds none."""
    try:
        return index.search(Query(text)).total
    except UsageError as error:
        said = str(error)
    assert said.isprintable()
    return 0


FAR = "filler, " * 1500


@pytest.mark.parametrize(
    ("text", "asked", "marks"),
    [
        (f"alpha {FAR} beta", "alpha beta", ["alpha"]),  # in no piece both: the first that has any
        (f"{FAR} beta {FAR} alpha", "alpha beta", ["beta"]),
        (f"{'. ' * 1750}alpha{' ' * 1000}beta {FAR}", '"alpha beta"', ["alpha"]),  # in no piece: looked at as a whole
        (f"{'. ' * 1750}alpha{' ' * 1000}beta {FAR * 20}", '"alpha beta"', []),  # and too long for that
        (f"{'y' * 9000} alpha", "alpha", ["alpha"]),  # no space to cut at
    ],
)
def test_the_words_are_shown_however_far_from_each_other(
    text: str, asked: str, marks: list[str], tmp_path: Path
) -> None:
    (hit,) = found(archived(tmp_path / "a", [said(T1, text)]), asked)

    assert [mark.strip() for mark in marked(hit)] == marks
    assert 0 < len(hit.snippet) < 1000


@pytest.mark.parametrize(
    ("asked", "said_of_it"),
    [
        ({"limit": -1}, "--limit -1: from 0 to 10,000"),
        ({"limit": 10_001}, "--limit 10001: from 0 to 10,000"),
        ({"offset": -1}, "--offset -1: from 0 to 1,000,000 with --limit"),
        ({"offset": 1_000_000}, "--offset 1000000: from 0"),
        ({"since": AT.replace(tzinfo=None)}, "--since 2026-11-21 05:00:00: it needs a zone"),
        ({"until": AT.replace(tzinfo=None)}, "--until 2026-11-21 05:00:00: it needs a zone"),
    ],
)
def test_a_question_beyond_all_bounds_is_refused(asked: dict[str, Any], said_of_it: str, tmp_path: Path) -> None:
    path = archived(tmp_path / "a", [said(T1, "word")])

    with searching(path) as index:
        with pytest.raises(UsageError, match=said_of_it):
            index.search(Query("word", **asked))
        assert index.search(Query("word", limit=0)).total == 1
