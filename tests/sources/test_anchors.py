"""Where a later visit goes on: behind all that came, or before what may be lacking."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from exporter.model import Position
from exporter.sources._anchors import Anchor, Anchors
from exporter.sources._split import Piece

Object = tuple[str | None, int | None]
"An id, and when it was made."


def piece_of(name: str | None, at: int | None) -> Piece:
    return Piece(b"{}", name, at, None, None)


def pieces(objects: Sequence[Object]) -> list[Piece]:
    return [piece_of(name, at) for name, at in objects]


def taken(
    anchors: Anchors, seq: int, objects: Sequence[Object], last: Piece | None = None, *, exact: bool = False
) -> None:
    """Take a page one by one, from this position on."""
    anchors.begin()
    for number, (name, _) in enumerate(objects, seq + 1):
        anchors.take()
        if name is not None:
            anchors.move(name, number)
    anchors.pass_second(pieces(objects), last, exact=exact)


@pytest.mark.parametrize(
    ("objects", "place"),
    [
        ([("a", 1), ("b", 2)], Anchor("a", 1)),
        ([("a", 1), ("b", 2), ("c", 2)], Anchor("a", 1)),
        ([("a", 1), ("b", 1)], Anchor(None, 0)),
        ([("a", 1)], Anchor(None, 0)),
        ([("a", 2), ("b", 1)], Anchor("b", 2)),
        ([("a", None), ("b", None)], Anchor("b", 2)),
        ([("a", 1), (None, 2), ("c", 3)], Anchor("a", 1)),
        ([("a", 1), ("b", 2), (None, 3)], Anchor("b", 2)),
        ([], Anchor(None, 0)),
    ],
)
def test_while_more_is_to_come_it_stands_before_the_second_that_a_page_ends_in(
    objects: list[Object], place: Anchor
) -> None:
    anchors = Anchors(Position())
    taken(anchors, 0, objects)

    assert anchors.place(more=True) == place
    assert anchors.place(more=False) == anchors.end


def test_a_second_goes_on_over_pages() -> None:
    anchors = Anchors(Position())
    taken(anchors, 0, [("a", 1), ("b", 2)])
    taken(anchors, 2, [("c", 2)], piece_of("b", 2))
    assert anchors.place(more=True) == Anchor("a", 1)
    taken(anchors, 3, [], piece_of("c", 2))
    assert anchors.place(more=True) == Anchor("a", 1)
    taken(anchors, 3, [("d", 3)], piece_of("c", 2))
    assert anchors.place(more=True) == Anchor("c", 3)
    taken(anchors, 4, [("e", 3), ("f", 3)], piece_of("d", 3), exact=True)
    assert anchors.place(more=True) == anchors.end == Anchor("f", 6)


def test_what_has_no_name_is_counted_and_passed_with_the_next_that_has_one() -> None:
    anchors = Anchors(Position())
    taken(anchors, 0, [("a", 1), (None, 1)])
    taken(anchors, 2, [("b", 2), ("c", 3)], piece_of(None, 1))

    assert anchors.place(more=True) == Anchor("b", 3)


def test_the_first_that_is_not_as_it_will_be_is_where_it_stays() -> None:
    anchors = Anchors(Position("z", 5))
    taken(anchors, 5, [("a", 1), ("b", 2), ("c", 3)])
    assert not anchors.held
    anchors.hold(2)
    anchors.hold(1)

    assert anchors.held == anchors.place(more=False) == Anchor("b", 7)
    taken(anchors, 8, [("d", 4)], exact=True)
    assert anchors.place(more=True) == Anchor("b", 7)


@pytest.mark.parametrize("more", [True, False])
def test_a_gap_holds_it_until_the_end(*, more: bool) -> None:
    anchors = Anchors(Position("z", 5))
    anchors.lack()
    taken(anchors, 5, [("a", 1), ("b", 2)])
    anchors.lack()

    assert anchors.place(more=more) == (Anchor("z", 5) if more else Anchor("b", 7))
