"""Answers of servers, cut into their objects token by token."""

from __future__ import annotations

import json

from exporter.sources._split import compact, elements, member, piece, split
from tests.fuzz._inputs import listed, mutated, texts

INPUT = texts | listed() | mutated(b'{"object":"list","data":[{"id":"a","n":1.10},{"id":null}],"has_more":false}')
ALLOWED = (ValueError,)
"Where a body is split, this becomes `BadAnswer`."


def parse(data: bytes) -> None:
    small = compact(data)
    assert compact(small) == small
    assert b"\n" not in small
    piece(small)
    member(small, "data")
    elements(small, "data")
    for one in split(data).pieces or ():
        json.loads(one.body, parse_int=str, parse_float=str)
