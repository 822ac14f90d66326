"""Pages of a list that came newest first, held until the walk from the other end reaches them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.sources._asking import Listed
from exporter.sources._split import Piece

EACH_BYTES = 400
"What an object takes in memory beside its JSON."


@dataclass(slots=True)
class Held:
    """Objects, newest first, none of them twice or without an id."""

    size: int = 0
    "Bytes of memory, nearly."
    pages: list[tuple[int, Listed]] = field(default_factory=list)
    "Where each page begins, and what it was like without its objects."
    _pieces: list[Piece] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)
    _left_out: int = 0
    "How many of the newest are not to be had any more."

    def __len__(self) -> int:
        return len(self._pieces)

    @property
    def newest(self) -> str | None:
        """The id of what comes last in the list."""
        return next((piece.id for piece in self._pieces[self._left_out : self._left_out + 1]), None)

    @property
    def oldest(self) -> str | None:
        """The id of what was held last."""
        return self._pieces[-1].id if self._pieces else None

    @property
    def cursor(self) -> str | None:
        """What to ask after so that the next page begins with `oldest`: the object before it."""
        return self._pieces[-2].id if self._pieces else None

    def add(self, pieces: Sequence[Piece], like: Listed) -> bool:
        """Hold what follows; False where an object is held already, or has no id."""
        start = len(self._pieces)
        places = {piece.id: start + n for n, piece in enumerate(pieces) if piece.id is not None}
        if len(places) < len(pieces) or not self._places.keys().isdisjoint(places):
            return False
        self.pages.append((start, Listed((), None, like.more, like.limit, like.at)))
        self._pieces.extend(pieces)
        self._places.update(places)
        self.size += sum([len(piece.body) for piece in pieces]) + EACH_BYTES * len(pieces)
        return True

    def place(self, name: str) -> int | None:
        """Return where an object is held, 0 being the newest."""
        return self._places.get(name)

    def ids(self, start: int, count: int) -> list[str | None]:
        """Return so many ids from a place on, newest first; fewer where there are no more."""
        return [piece.id for piece in self._pieces[max(0, start) : max(0, start) + count]]

    def cut(self, place: int) -> None:
        """Let go of the object there, and of all that are older; nothing can be added any more."""
        del self._pieces[place:]
        self.pages = [page for page in self.pages if page[0] < place]
        self._places.clear()

    def leave_out_newest(self) -> None:
        """Let go of the newest object."""
        self._left_out += 1

    def pop(self) -> tuple[tuple[Piece, ...], Listed] | None:
        """Take the oldest page, its objects oldest first; None where nothing is held any more."""
        if not self.pages:
            return None
        start, like = self.pages.pop()
        pieces = self._pieces[max(start, self._left_out) :]
        del self._pieces[start:]
        return (tuple(reversed(pieces)), like) if pieces else None
