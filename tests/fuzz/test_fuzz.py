"""A few examples of each parser, the same in each run; `make fuzz` tries many more, and others."""

from __future__ import annotations

import pytest

from tests.fuzz import fuzz, load, names

EXAMPLES = 40


@pytest.mark.parametrize("name", names())
def test_nothing_from_outside_ends_in_a_traceback(name: str) -> None:
    fuzz(name, EXAMPLES, again=True)


def test_every_parser_says_what_it_is_fed_with() -> None:
    assert len(names()) >= 15
    for name in names():
        assert load(name).__doc__
