"""JSON bytes: what is not changed stays, token by token."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sandbox import raw

WILD = (
    b'{ "id" : "x","big":123456789012345678901234567890 ,"e":1e400,"p":1.10,"dup":1,"dup":2,'
    b'"s":"\\ud800 \\u0000 \\"{[" , "n":[1,{"a":null},"]"], "last" : true }'
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_the_members_of_wild_bytes_are_found_in_order() -> None:
    found = [(m.key, WILD[m.start : m.end]) for m in raw.members(WILD)]

    assert found == [
        ("id", b'"x"'),
        ("big", b"123456789012345678901234567890"),
        ("e", b"1e400"),
        ("p", b"1.10"),
        ("dup", b"1"),
        ("dup", b"2"),
        ("s", b'"\\ud800 \\u0000 \\"{["'),
        ("n", b'[1,{"a":null},"]"]'),
        ("last", b"true"),
    ]


def test_a_change_touches_only_its_place() -> None:
    changed = raw.changed(WILD, ("n", "*", "a"), lambda _: b"7")

    assert changed == WILD.replace(b"null", b"7")


@given(st.dictionaries(st.text(), values, max_size=6), st.text(), values)
def test_setting_renaming_and_removing_do_what_they_do_to_a_dict(body: dict[str, Any], key: str, value: Any) -> None:
    given_bytes = json.dumps(body).encode()

    assert json.loads(raw.with_field(given_bytes, key, raw.text(value))) == body | {key: value}
    assert json.loads(raw.without(given_bytes, key)) == {k: v for k, v in body.items() if k != key}
    assert raw.value(given_bytes, key) == body.get(key)


@given(values, st.sampled_from([None, 1]))
def test_indented_is_the_same_json_and_looks_like_the_real_api(value: Any, indent: int | None) -> None:
    printed = raw.indented(json.dumps(value, indent=indent).encode())

    assert printed.decode() == json.dumps(value, indent=2)


def test_renaming_keeps_the_value() -> None:
    assert raw.renamed(b'{"metadata": {"a":1.10}}', "metadata", "metadata_") == b'{"metadata_": {"a":1.10}}'


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON at byte"):
        raw.value(b'{"id": "x', "id")
