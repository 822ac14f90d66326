from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources._split import compact, name, piece, split

TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')
numbers = st.sampled_from(
    ["1.10", "1E5", "-0", "-0.0", "1e400", "9" * 30, "123456789012345678901", "0.1e-7"]
) | st.integers().map(str)
texts = st.text(max_size=8).map(json.dumps) | st.sampled_from(
    ['"\\ud800"', '"\\u00e9"', '"\\/"', '"a\\"b,]"', '"\\\\"']
)
spaces = st.text(" \t\r\n", max_size=3)


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    member = st.tuples(spaces, texts, spaces, values, spaces).map(lambda p: f"{p[0]}{p[1]}{p[2]}:{p[3]}{p[4]}")
    return st.lists(member, max_size=4).map(lambda members: "{" + ",".join(members) + "}")


def arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.tuples(spaces, values, spaces).map("".join), max_size=4).map(lambda v: "[" + ",".join(v) + "]")


values = st.recursive(
    numbers | texts | st.sampled_from(["true", "false", "null", "NaN"]), lambda v: objects(v) | arrays(v), max_leaves=12
)


def tokens(text: bytes) -> list[bytes]:
    return TOKENS.findall(text)


@given(values, spaces)
def test_only_white_space_between_tokens_goes(text: str, space: str) -> None:
    body = f"{space}{text}{space}".encode("utf-8", "surrogatepass")
    small = compact(body)

    assert tokens(small) == tokens(body)
    assert b"".join(tokens(small)) == small
    assert b"\n" not in small


@given(st.lists(objects(values), max_size=5), values)
def test_objects_come_out_as_they_went_in(given_objects: list[str], extra: str) -> None:
    body = '{"object": "list",\n "data" : [' + " ,\n".join(given_objects) + f'], "extra": {extra}, "has_more": true}}'
    found = split(body.encode())

    assert found.pieces is not None
    assert [p.body for p in found.pieces] == [compact(one.encode()) for one in given_objects]
    assert found.envelope == {"has_more": True, "last_id": None}


def test_lone_surrogates_and_huge_numbers_take_the_slow_way_to_the_same_bytes() -> None:
    objects = [{"id": f"m{n}", "created_at": 5, "text": "é, \\ [{"} for n in range(50)]
    random.Random(1).shuffle(objects)
    plain = json.dumps({"data": objects, "last_id": "m1"}, indent=2).encode()
    odd = plain.replace(b'"last_id"', b'"odd": ["\\ud800", 1e999, %s], "last_id"' % (b"7" * 5000))
    fast, slow = split(plain), split(odd)

    assert fast.pieces == slow.pieces
    assert slow.envelope["last_id"] == "m1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"data":[',
        b'{"a":1,}',
        b'{"a":"\xff"}',
        b"[1]",
        b'"x"',
        b"{}{}",
        b'{"a":"x\ny"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        '{"a":1}'.encode("utf-16"),
    ],
)
def test_what_is_no_object_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of its kind
        split(body)


@pytest.mark.parametrize("data", [b"", b'"data":null,', b'"data":{"id":"x"},', b'"data":"x",'])
def test_an_answer_without_a_list_has_no_pieces(data: bytes) -> None:
    assert split(b"{" + data + b'"has_more":false}').pieces is None


def test_a_repeated_field_counts_as_parsers_count_it() -> None:
    found = split(b'{"data":[{"id":"a"}],"data":[{"id":"b","id":"c"}]}')

    assert found.pieces is not None
    assert [(p.id, p.body) for p in found.pieces] == [("c", b'{"id":"b","id":"c"}')]


@pytest.mark.parametrize(
    ("value", "known"),
    [("a", "a"), (7, "7"), (None, None), ("", None), (True, None), (1.5, None), ({}, None), ("\ud800", None)],
)
def test_ids_are_read_leniently(value: Any, known: str | None) -> None:
    assert name(value) == known


@pytest.mark.parametrize(
    ("raw", "time"),
    [
        ("5", 5.0),
        ("1700000000000", 1.7e9),
        ("1700000000.5", 1700000000.5),
        ("-5", None),
        ('"x"', None),
        ("null", None),
        ("true", None),
        ("1e400", None),
        ("9" * 500, None),
    ],
)
def test_times_are_read_leniently(raw: str, time: float | None) -> None:
    assert piece(b'{"created_at":%s}' % raw.encode()).time == time


ODD = ['"a"', '""', "7", "-7", "0", "null", "true", "1.5", "{}", "[]", '"\\ud800"', "1e11", "1700000000123", "1e400"]


@pytest.mark.parametrize("key", ["id", "created_at", "created", "status", "thread_id", "x"])
@pytest.mark.parametrize("value", ODD)
def test_what_a_page_tells_is_what_each_of_its_objects_tells(key: str, value: str) -> None:
    usual = '{"id":"b","created_at":5,"status":"completed","thread_id":"t"}'
    alone, twice = f'{{"{key}":{value}}}', f'{{"{key}":{value},"created":6,"{key}":"a"}}'
    for objects in ([alone], [usual, alone, alone], [usual, twice], [usual, value]):
        found = split(f'{{"data":[{",".join(objects)}]}}'.encode())
        assert found.pieces == tuple(piece(one.encode()) for one in objects)


@pytest.mark.parametrize("body", [b"1", b'"x"', b"null", b"[]", b'{"id":{"a":1},"status":3,"thread_id":[]}'])
def test_odd_objects_are_kept_without_a_name(body: bytes) -> None:
    found = piece(body)

    assert (found.body, found.id, found.status, found.thread) == (body, None, None, None)


def test_a_byte_order_mark_is_no_content() -> None:
    assert compact(b'\xef\xbb\xbf{"a": 1}') == b'{"a":1}'
