"""ChatKit threads and their items; attachments stand in the items."""

from __future__ import annotations

from exporter.sources._deleting import Deleting
from exporter.sources._shelf import Shelf, Under


class ChatkitSource(Deleting, Shelf):
    """`/chatkit/threads`: what embedded chats store; a key sees those of all users."""

    name = "chatkit"
    prefixes = ("cthr_",)
    path = "/chatkit/threads"
    headers = {"OpenAI-Beta": "chatkit_beta=v1"}  # noqa: RUF012 - a constant
    lists = (Under("messages", "/items"),)
    ids_from = "Ids come from the application that embeds the chat: its database, its logs."
