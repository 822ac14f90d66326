"""Objects that exist only while somebody looks: a thread of 200,000 messages, 100,000 threads of three."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from exporter.sandbox import objects, raw
from exporter.sandbox.series import STRIDE, Generator, Series
from exporter.sandbox.shapes import PREFIXES, TEMPLATES, Body
from exporter.sandbox.state._store import SHELVES, Holder, Shelf, Store

SINCE = 1_760_000_000


class Crowd(NamedTuple):
    """What the threads of one shelf hold: a list, of a kind of object."""

    series: str
    kind: str


CROWDS = {
    "threads": Crowd("messages", "message"),
    "conversations": Crowd("items", "item"),
    "chatkit": Crowd("items", "chatkit_item"),
    "completions": Crowd("messages", "completion_message"),
    "responses": Crowd("input_items", "item"),
    "sessions": Crowd("items", "session_item"),
}


class Lazy(dict[str, Holder]):
    """Holders that are made when asked for; those that are stored come first."""

    def __init__(self, make: Callable[[str], Holder | None], stored: dict[str, Holder]) -> None:
        super().__init__(stored)
        self._make = make

    def __missing__(self, name: str) -> Holder:
        made = self._make(name)
        if made is None:
            raise KeyError(name)
        return made

    def get(self, name: str, default: Any = None) -> Any:
        """Return a holder, stored or made."""
        return super().get(name) or self._make(name) or default


class Crowds(Store):
    """What tests do that need many objects."""

    def add_generated(
        self,
        thread: str,
        count: int,
        make: Callable[[int], bytes] | None = None,
        *,
        prefix: str = "msg_generated",
        project: str = "proj_one",
        since: float = SINCE,
    ) -> str:
        """Add a thread (a conversation, when its id says so) of `count` objects that are made when asked for.

        `make(i)` gives the bytes of the i-th; its id must be `prefix` and i with eight digits.
        """
        shelf = "conversations" if thread.startswith("conv") else "threads"
        self.put(shelf, {"id": thread, "created_at": int(since)}, project=project)
        made = Generator(count, prefix, make or self._maker(CROWDS[shelf].kind, thread, prefix, since), since)
        for position in {0, count - 1} if count else ():
            if raw.value(made.make(position), "id") != made.name(position):
                raise ValueError(f"object {position} should have the id {made.name(position)}")
        self.shelves[shelf].holders[thread].lists[CROWDS[shelf].series] = Series(made)
        return thread

    def add_crowd(
        self, shelf: str, count: int, items: int = 3, *, project: str = "proj_one", since: float = SINCE
    ) -> list[str]:
        """Put `count` threads of `items` each on an empty shelf, all made when asked for; returns the first ids."""
        prefix = f"{PREFIXES[SHELVES[shelf]]}crowd"
        named = Generator(count, prefix, self._maker(SHELVES[shelf], "", prefix, since), since)
        series, crowd = Series(named), CROWDS[shelf]

        def holder(name: str) -> Holder | None:
            position = series.find(name)
            if position is None:
                return None
            at = since + position // STRIDE
            start = f"{objects.prefix_of(crowd.kind, {'type': 'message'})}{name[len(PREFIXES[SHELVES[shelf]]) :]}x"
            told = Series(Generator(items, start, self._maker(crowd.kind, name, start, at), at))
            return Holder(name, project, at, at, {crowd.series: told})

        self.shelves[shelf] = Shelf(series, Lazy(holder, {}))
        return [named.name(position) for position in range(min(count, 10))]

    def _maker(self, kind: str, thread: str, prefix: str, since: float) -> Callable[[int], bytes]:
        """Return a function that makes the i-th object of a kind."""
        stamp = next((name for name in ("created_at", "created") if name in TEMPLATES[kind]), None)

        def make(position: int) -> bytes:
            own: Body = {"id": f"{prefix}{position:08d}"}
            if stamp is not None:
                own[stamp] = int(since) + position // STRIDE
            if "thread_id" in TEMPLATES[kind]:
                own["thread_id"] = thread
            return raw.text(objects.complete(kind, own | _said(kind, position), self.dialect))

        return make


def _said(kind: str, position: int) -> Body:
    """What the i-th object of a kind says."""
    from exporter.sandbox.seed._words import sentence

    role = "assistant" if position % 2 else "user"
    words = f"{position}: {sentence(random.Random(position))}"  # noqa: S311 - data, no secrets
    match kind:
        case "message":
            return {"role": role, "content": objects.text_content(words)}
        case "item" | "session_item":
            return objects.item_body({"role": role, "content": words})
        case "completion_message":
            return {"role": role, "content": words}
        case "chatkit_item":
            said = [{"type": "output_text", "text": words, "annotations": []}]
            user = {"type": "chatkit.user_message", "content": objects.input_content(words)}
            return {"type": "chatkit.assistant_message", "content": said} if position % 2 else user
        case _:
            return {}
