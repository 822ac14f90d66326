from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import UsageError
from exporter.ids import Said, entries
from exporter.model import Registration

END = "https://api.example/v1"


def read(*words: str, stdin: Iterable[str] = (), source: str | None = None) -> list[Registration]:
    return list(entries(words, Said(END, source=source), stdin))


def ids(*words: str, stdin: Iterable[str] = (), source: str | None = None) -> list[str]:
    return [entry.thread.id for entry in read(*words, stdin=stdin, source=source)]


def outcome(words: list[str], text: str = "") -> set[str]:
    """The ids that are found; none where a clear error says so."""
    try:
        return set(ids(*words, stdin=text.splitlines(keepends=True)))
    except UsageError as error:
        return set() if str(error).isprintable() else {f"../{error}"}


def lines(*text: str) -> list[str]:
    return [f"{line}\n" for line in text]


def test_arguments_are_ids_and_their_prefix_names_the_source() -> None:
    found = read("thread_abc", "conv_abc")

    assert [(e.thread.source, e.thread.endpoint, e.thread.id) for e in found] == [
        ("assistants", END, "thread_abc"),
        ("conversations", END, "conv_abc"),
    ]


def test_ids_are_found_in_logs_and_urls() -> None:
    text = lines(
        "2026-11-20 INFO created thread_AbC123, and then conv_0123456789abcdef.",
        '{"oops": not json but thread_zz9}',
        "GET https://api.example/v1/threads/thread_q1/messages?after=msg_1&limit=20",
        "thread=thread_eq1;id:conv_col2",
        "thread_pool is full, thread_id unknown, thread_count=7, conversation starts",
        "thread_abcdefghijklmnopqrstuvwx is long enough to be one",
    )
    assert ids("-", stdin=text) == [
        "thread_AbC123",
        "conv_0123456789abcdef",
        "thread_zz9",
        "thread_q1",
        "thread_eq1",
        "conv_col2",
        "thread_abcdefghijklmnopqrstuvwx",
    ]


def test_ids_of_every_source_are_found_in_text() -> None:
    text = lines(
        'POST /v1/chat/completions -> {"id": "chatcmpl-abc123", "object": "chat.completion"}',
        "chatcmpl-3fa85f64-5717-4562-b3fc-2c963f66afa6, then chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG.",
        'previous_response_id="resp_68fb96fe0d4c8190a1" took resp_time_95=12ms, http_resp_200, resp_code 7',
        "https://platform.example/chat/cthr_68ffb3?x=1 by asess_0123abc; chatcmpl-id is none, chatcmpl_abc1 neither",
    )
    found = [(entry.thread.source, entry.thread.id) for entry in read("-", stdin=text)]

    assert found == [
        ("completions", "chatcmpl-abc123"),
        ("completions", "chatcmpl-3fa85f64-5717-4562-b3fc-2c963f66afa6"),
        ("completions", "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"),
        ("responses", "resp_68fb96fe0d4c8190a1"),
        ("chatkit", "cthr_68ffb3"),
        ("agents", "asess_0123abc"),
    ]


def test_an_id_of_every_source_names_it() -> None:
    found = read("thread_1", "conv_1", "cthr_1", "chatcmpl-1", "resp_1", "asess_1")

    assert [entry.thread.source for entry in found] == [
        *("assistants", "conversations", "chatkit", "completions", "responses", "agents")
    ]


def test_lists_of_ids_are_taken_word_by_word_and_remarks_left_out() -> None:
    text = lines("# thread_old1 is not wanted", "", "thread_abc, thread_def", "conv_abc   # thread_old2 either")

    assert ids("-", stdin=text) == ["thread_abc", "thread_def", "conv_abc"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("column", ["thread_id", "id", "Thread ID", "conversationId", "thread", "conversation_id"])
def test_csv_brings_owners(delimiter: str, column: str, tmp_path: Path) -> None:
    header = delimiter.join(["user", column, "Customer", "title", "tags", "comment"])
    row = delimiter.join(["ann", "thread_1", "acme", '"First\nsteps"', '"vip|spring"', "-"])
    (tmp_path / "x.csv").write_text(f"\ufeff{header}\r\n{row}\r\n\r\n", encoding="utf-8")

    (entry,) = read(f"@{tmp_path / 'x.csv'}")
    assert (entry.thread.id, entry.user, entry.customer) == ("thread_1", "ann", "acme")
    assert (entry.title, entry.tags) == ("First\nsteps", ("vip", "spring"))


def test_json_lines_bring_owners_and_other_lines_their_ids() -> None:
    text = lines(
        '{"id":"msg_1","thread_id":"thread_1","user":7,"tags":["a","b"],"title":null}',
        '{"message":"created conv_123"}',
        "",
    )
    first, second = read("-", stdin=text)

    assert (first.thread.id, first.user, first.tags, first.title) == ("thread_1", "7", ("a", "b"), None)
    assert second.thread.id == "conv_123"


def test_what_a_file_says_counts_more_than_the_options() -> None:
    text = lines("id,user", "thread_1,ann", "thread_2,")
    found = list(entries(["-"], Said(END, user="ben", customer="acme", tags=("t",)), text))

    assert [(e.user, e.customer, e.tags) for e in found] == [("ann", "acme", ("t",)), ("ben", "acme", ("t",))]


def test_duplicates_are_removed_but_news_are_not() -> None:
    text = lines("id,user", "thread_1,ann", "thread_1,ann", "thread_1,ben")

    assert [e.user for e in read("-", stdin=text)] == ["ann", "ben"]


@pytest.mark.parametrize("bad", ["../../x", "thread_../../x", "/etc/passwd", "thr%2e", "\x1b[2J1", ".."])
def test_a_path_is_no_id(bad: str) -> None:
    assert outcome([bad]) == set()
    assert outcome(["-"], f"id\n{bad}\n") == set()
    assert outcome(["-"], json.dumps({"id": bad})) == set()


def test_an_unknown_prefix_is_a_question_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("conv_1\n\nabc123\n")

    with pytest.raises(UsageError, match=r"ids:3: abc123: what kind of thread is it\? Say --source agents, assistants"):
        ids(f"@{tmp_path / 'ids'}")
    with pytest.raises(UsageError, match="what kind of thread"):
        ids("abc123")
    assert ids("abc123", "-", stdin=lines("x1"), source="conversations") == ["abc123", "x1"]


@pytest.mark.parametrize(("word", "says"), [
    ("asst_abc123", "asst_abc123: asst_... is the id of an assistant, not of a thread; an assistant holds no messages"),
    ("abc123", "or responses; `exporter doctor abc123` tries them all"),
    ("all of them", "'all of them' holds no thread id; they look like thread_abc123 or conv_abc123"),
])  # fmt: skip
def test_what_is_no_thread_is_told_what_it_is(word: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        ids(word)

    assert says in str(caught.value)


@pytest.mark.parametrize("source", [None, "agents"])
@pytest.mark.parametrize("key", ["sk-proj-Abcdefgh1234", "sess-Abcdefgh1234", "eyJ0eXAi.Oi-J.K"])
def test_a_key_that_was_pasted_for_an_id_is_neither_taken_nor_repeated(key: str, source: str | None) -> None:
    with pytest.raises(UsageError, match="that is a key") as caught:
        ids(key, source=source)

    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (["id,user", "thread_1,ann", ",ben"], "standard input:3: no id"),
        (["id,user", "thread_1,a,b"], "standard input:2: 3 columns"),
        (["id,user", f'thread_1,"{"x" * 200_000}"'], "standard input:2: field larger than field limit"),
        (["", "id", "thread_1", "../x"], "standard input:4: '../x' is no thread id"),
        (['{"id":"thread_1"}', "{oops"], "standard input:2: not a line of JSON"),
        (['{"id":{"a":1}}'], "standard input:1: id is dict"),
        (["id,source", "thread_1,assistent"], "there is no source 'assistent'"),
        (["id,user", "thread_1,\udce9"], "standard input:2: user is not UTF-8"),
        (["../../x"], "standard input:1: '../../x' is no thread id"),
        (["conv_1", "thread_"], "standard input:2: thread_ is only how an id begins"),
        (["chatcmpl--_"], "chatcmpl--_ is only how an id begins"),
        (["nothing here", "at all"], "no thread id in it"),
        ([], "no thread id in it"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ids("-", stdin=lines(*text))


@pytest.mark.parametrize(
    "text", ["x" * 200_000 + " thread_abc123", '{"id":"thread_abc123","title":"' + "x" * 200_000 + '"}']
)
def test_a_first_line_may_be_long(text: str) -> None:
    assert ids("-", stdin=lines(text)) == ["thread_abc123"]


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.csv: No such file"):
        ids("@nowhere.csv")


def test_a_long_list_streams() -> None:
    def endless() -> Iterable[str]:
        yield "thread_id,user\n"
        for number in range(5_000):
            yield f"thread_{number:024d},user{number % 100}\n"

    tracemalloc.start()
    count = sum(1 for _ in entries(["-"], Said(END), endless()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 5_000
    assert peak < 2 * 2**20  # what is remembered is a digest per id


@given(st.lists(st.from_regex(r"(thread|conv)_[A-Za-z0-9]{1,30}", fullmatch=True), min_size=1, unique=True))
def test_a_list_of_ids_comes_out_as_it_went_in(given_ids: list[str]) -> None:
    expected = [one for one in given_ids if one not in ("thread_id", "conv_id")]

    assert ids(*expected) == expected if expected else True


@given(st.text())
def test_any_text_gives_clean_ids_or_a_clear_error(text: str) -> None:
    assert all("/" not in one and ".." not in one for one in outcome(["-"], text))
