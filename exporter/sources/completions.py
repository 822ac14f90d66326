"""Stored chat completions: the messages that were sent, and the answers, which stand in the completion's `choices`.

Messages of a choice have no id, so their position is their name. A completion is listed before it can be retrieved:
of 40 recorded 404s, 34 became 200 on a later try; so a 404 is asked again a few times before it is believed.
"""

from __future__ import annotations

from collections.abc import Iterator

from exporter.model import Item
from exporter.sources._deleting import Deleting
from exporter.sources._embedding import Embedding
from exporter.sources._shelf import Under
from exporter.sources._split import Piece, elements, member


class CompletionsSource(Deleting, Embedding):
    """`/chat/completions`: what was stored with `store`; any key lists those of its project."""

    name = "completions"
    prefixes = ("chatcmpl-",)
    path = "/chat/completions"
    lists = (Under("messages", "/messages"),)
    answers = "choices"
    waits = (0.5, 1.0, 2.0)
    ids_from = "Ids come from the answers that the application got: its logs, its traces."

    def _suffices(self, listed: Piece) -> bool:
        return member(listed.body, "choices")[:1] == b"["

    def _items(self, own: Piece) -> Iterator[Item]:
        for choice in elements(own.body, "choices"):
            message = member(choice, "message")
            if message not in (b"", b"null"):
                yield Item(None, message)
