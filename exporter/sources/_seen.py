"""What one walk has seen of a list, as 64-bit hashes: a million objects fit into some 30 MB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from exporter.sources._numbers import Numbers
from exporter.sources._split import Piece


class Sifted(NamedTuple):
    """A page against everything before it."""

    new: list[Piece]
    progress: bool
    "Whether an id came that was not seen before, or a nameless object with a body that was not."
    twice: bool
    "Whether an id came again with another body."
    repeated: list[int]
    "Indices of the objects that were seen before."


class Seen:
    """Ids and bodies of the objects so far."""

    def __init__(self) -> None:
        self._ids = Numbers()
        self._bodies = Numbers()
        self._twice: set[int] = set()

    def adds(self, pieces: Sequence[Piece]) -> bool:
        """Remember a page whose objects all have names that are new and differ; False where one does not."""
        ids = [piece.id for piece in pieces]
        keys = set(map(hash, ids))
        if None in ids or len(keys) < len(ids) or not self._ids.isdisjoint(keys):
            return False
        self._ids.update(keys)
        self._bodies.update(map(hash, zip(ids, [piece.body for piece in pieces], strict=True)))
        return True

    def sift(self, pieces: Sequence[Piece], skip: int = 0) -> Sifted:
        """Remember a page; its first `skip` objects are known although this walk has not seen them."""
        new: list[Piece] = []
        repeated: list[int] = []
        progress = twice = False
        for index, piece in enumerate(pieces):
            key, body = hash(piece.id), hash((piece.id, piece.body))
            had, same = key in self._ids, body in self._bodies
            self._bodies.add(body)
            if piece.id is None:
                progress = progress or not same
                new.append(piece)
                continue
            self._ids.add(key)
            if index < skip:
                continue
            if had and same:
                repeated.append(index)
                continue
            if had:
                twice = True
                self._twice.add(key)
            progress = progress or not had
            new.append(piece)
        if not progress:
            # nothing but repeats: what has no name was here before too
            new = [piece for piece in new if piece.id is not None]
        return Sifted(new, progress, twice, repeated)

    def __contains__(self, name: str | None) -> bool:
        return name is not None and hash(name) in self._ids

    def names_one(self, piece: Piece) -> bool:
        """Whether a later visit can go on after this object's id."""
        return piece.id is not None and not (self._twice and hash(piece.id) in self._twice)
