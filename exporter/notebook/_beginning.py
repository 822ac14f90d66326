"""The beginning of a conversation: as much as is good to show in a notebook, whatever its length.

The idea: it is a story that tells less, so that every format that takes stories shows it as it shows them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from exporter.formats._story import Story, Told
from exporter.model import Kind

BYTES = 256 << 10
"Of objects as they were sent; of messages, of steps and of files each."
PICTURES = 4 << 20
"Bytes of files: a format may put pictures into what it makes."


class Beginning:
    """The beginning of a story and of those before it, the oldest first."""

    def __init__(self, story: Story, limit: int = BYTES) -> None:
        self._left: dict[Kind, int] = {"message": limit, "step": limit, "file": limit}
        self._pictures = PICTURES
        self.cut = False
        "Whether anything is left out."
        before = [_Part(one, self) for one in story.before]
        self.story: Story = _Part(story, self)
        "What is shown."
        self.story.before = tuple(one for one in before if not self.cut or any(True for _ in one.told("message")))
        self.story.missing, self.story.circular = story.missing, story.circular

    def take(self, kind: Kind, told: Iterator[Told], wanted: Callable[[Told], bool]) -> Iterator[Told]:
        """Yield the first of what is wanted of these."""
        for one in filter(wanted, told):
            self._left[kind] -= len(one.record.body)
            if self._left[kind] < 0:
                self.cut = True
                return
            yield one

    def has_room(self, size: int) -> bool:
        """Tell whether a file of that size can be shown."""
        self._pictures -= size
        self.cut |= self._pictures < 0
        return self._pictures >= 0


class _Part(Story):
    """A story of which the beginning is told."""

    def __init__(self, whole: Story, beginning: Beginning) -> None:
        super().__init__(whole.archive, whole.known, whole.wanted)
        self._told: dict[Kind, list[Told]] = {"message": list(beginning.take("message", super().told("message"), _any))}
        rows = [self.row(one) for one in self._told["message"]] if beginning.cut else []
        runs, ids = ({row.get(name) for row in rows} for name in ("run_id", "message_id"))

        def is_shown(one: Told) -> bool:
            if not beginning.cut:
                return True
            return one.record.parent in runs if one.record.kind == "step" else self.row(one)["message_id"] in ids

        self._told["step"] = list(beginning.take("step", super().told("step"), is_shown))
        files = list(beginning.take("file", super().told("file"), is_shown))
        self._told["file"] = [one for one in files if beginning.has_room(_size(self.row(one)))]

    def told(self, kind: Kind) -> Iterator[Told]:
        """Yield what is shown of a kind."""
        return iter(self._told[kind]) if kind in self._told else super().told(kind)


def _any(_: Told) -> bool:
    return True


def _size(row: dict[str, Any]) -> int:
    return row["bytes"] or 0 if row["blob"] else 0
