"""Conversations and their items.

Everything that `include[]` can open is asked for: without it, images, search results and outputs of code are null.
"""

from __future__ import annotations

from exporter.sources._deleting import Deleting
from exporter.sources._shelf import Shelf, Under

INCLUDE = tuple(
    ("include[]", value)
    for value in (
        "file_search_call.results",
        "web_search_call.results",
        "web_search_call.action.sources",
        "message.input_image.image_url",
        "computer_call_output.output.image_url",
        "code_interpreter_call.outputs",
        "reasoning.encrypted_content",
        "message.output_text.logprobs",
    )
)


class ConversationsSource(Deleting, Shelf):
    """`/conversations`: what replaced threads."""

    name = "conversations"
    prefixes = ("conv_",)
    path = "/conversations"
    lists = (Under("messages", "/items", params=INCLUDE),)
    ids_from = (
        "Ids come from the application that made the conversations (its database, its logs), or from the "
        "responses that belong to one: each names its conversation."
    )
