"""Where in the sandbox a source looks, read from the source itself: a new one is tested because it is there."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from exporter.sandbox import State
from exporter.sandbox.reads import Under
from exporter.sandbox.routes import PATHS, UNDER
from exporter.sandbox.shapes import TEMPLATES
from exporter.sandbox.state import SHELVES
from exporter.sources import load

SINCE = 1_760_000_000
IMAGE = "https://files.example/cat.png"
PART = {"type": "output_text", "text": "largely", "annotations": [], "logprobs": [{"token": "a", "logprob": -0.25}]}
ITEMS: tuple[dict[str, Any], ...] = (
    {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": IMAGE}]},
    {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"},
    {"type": "function_call", "name": "find", "call_id": "call_1", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "words"},
    {"type": "code_interpreter_call", "code": "print(1)", "outputs": [{"type": "logs", "logs": "1"}]},
    {"type": "file_search_call", "queries": ["words"], "results": [{"text": "words", "score": 0.5}]},
    {"type": "web_search_call", "action": {"type": "search", "query": "words", "sources": [{"url": IMAGE}]}},
    {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": IMAGE}},
    {"type": "message", "role": "assistant", "content": [PART]},
)
"What threads are made of, round and round: much of it comes only where include[] asks for it."
LOUD = {
    "cursor_by_second": ([], ["cursor_by_second"]),
    "descending": ([], ["order_ignored"]),
    "empty_page_has_more": (["empty_page_has_more"],) * 2,
    "has_more_forever": (["cursor_repeated"],) * 2,
    "ignores_parameters": (["cursor_repeated"], ["order_ignored", "cursor_repeated"]),
    "inclusive_cursor_forever": (["cursor_repeated"],) * 2,
    "null_ids_and_cursor": (["no_cursor"],) * 2,
}
"The lies that end in a gap, where objects have times and where they have none; every other is survived exactly."


@dataclass(eq=False)
class Place:
    """The shelf of a source, and the first of the lists under its threads."""

    source: str

    @cached_property
    def prefix(self) -> str:
        return load(self.source).prefixes[0]

    @cached_property
    def path(self) -> str:
        return load(self.source).path

    @cached_property
    def tail(self) -> str:
        return str(getattr(load(self.source), "lists")[0].tail)  # noqa: B009 - the protocol has no lists

    @cached_property
    def lists(self) -> int:
        """How many lists there are under each thread."""
        return len(getattr(load(self.source), "lists"))  # noqa: B009 - the protocol has no lists

    @cached_property
    def answers(self) -> str | None:
        """The list of answers that stand in the thread's own object."""
        return getattr(load(self.source), "answers", None)

    @cached_property
    def shelf(self) -> str:
        return next(name for name, path in PATHS.items() if path == self.path)

    @cached_property
    def stamp(self) -> str:
        """What tells when a thread was made."""
        return "created" if "created" in TEMPLATES[SHELVES[self.shelf]] else "created_at"

    @cached_property
    def kind(self) -> str:
        """What the sandbox calls an object of the list."""
        return self._under.kind[:-1] if self._under.kind[:-1] in TEMPLATES else "item"

    @cached_property
    def _under(self) -> Under:
        return next(one for one in UNDER if (one.shelf, one.path) == (self.shelf, self.tail))

    @cached_property
    def timed(self) -> bool:
        """Whether objects of the list say when they were made."""
        return "created_at" in TEMPLATES[self.kind]

    def add_thread(self, state: State, name: str, **fields: Any) -> str:
        """Add a thread; its answers, if it holds some, are two."""
        body: dict[str, Any] = {"id": name, self.stamp: SINCE}
        if self.answers:
            body[self.answers] = [answer(name, n) for n in range(2)]
        return state.put(self.shelf, body | fields)

    def add(self, state: State, thread: str, count: int, seed: int = 1) -> None:
        """Add objects to a thread's first list; `n` counts them, and no lie bends it."""
        rng = random.Random(seed)
        at = SINCE
        for n in range(count):
            at += rng.choice((0, 0, 1, 30))
            body = ITEMS[n % len(ITEMS)] | {"id": f"msg_{thread.removeprefix(self.prefix)}x{n:05d}", "n": n}
            body |= {"created_at": at} if self.timed else {}
            body |= {"thread_id": thread} if "thread_id" in TEMPLATES[self.kind] else {}
            self.add_one(state, thread, body)

    def add_one(self, state: State, thread: str, body: dict[str, Any] | bytes) -> None:
        """Add an object to a thread's first list; bytes stay as they are."""
        state.add(self.shelf, thread, self._under.series, body, kind=self.kind)

    def loud(self, lie: str) -> list[str]:
        """The gaps that a lie ends in, told of the first list."""
        return LOUD.get(lie, ([], []))[not self.timed]

    def loud_about_threads(self, lie: str) -> list[str]:
        """The gaps that a lie ends in, told of the list of threads."""
        return LOUD.get(lie, ([], []))[self.stamp not in TEMPLATES[SHELVES[self.shelf]]]


def answer(thread: str, n: int) -> dict[str, Any]:
    """An answer as it stands in an object: a choice with its message, or an item."""
    text = {"role": "assistant", "content": f"answer {n}"}
    return {"id": f"msg_{thread}answer{n}", "type": "message", "index": n, "message": text, **text}
