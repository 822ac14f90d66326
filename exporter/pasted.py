"""What people paste that is no id of a thread: ids of other things, beginnings of ids, keys. Pure."""

from __future__ import annotations

import re
from functools import cache

from exporter.errors import UsageError
from exporter.sources import prefixes

OTHERS = {
    "asst_": ("an assistant", "an assistant holds no messages: look for the thread_ ids of its threads"),
    "msg_": ("one message", "look for the thread_ or conv_ id of the thread it is in"),
    "run_": ("a run", "look for the thread_ id that was named when the run was made"),
    "step_": ("a step of a run", "look for the thread_ id that was named when the run was made"),
    "file-": ("a file", "files come with the threads that point to them: name the thread"),
    "file_": ("a file", "files come with the threads that point to them: name the thread"),
    "cfile_": ("a file of a container", "it comes with the conversation or response that points to it: name that"),
    "cntr_": ("a container", "its files come with the conversation or response that points to them: name that"),
    "vs_": ("a vector store", "a vector store holds no conversation: name the thread that searches in it"),
    "call_": ("one call of a tool", "look for the id of the thread, conversation or response it was made in"),
    "fc_": ("an item of a conversation", "look for the conv_ or resp_ id it belongs to"),
    "rs_": ("an item of a conversation", "look for the conv_ or resp_ id it belongs to"),
    "ws_": ("an item of a conversation", "look for the conv_ or resp_ id it belongs to"),
    "wf_": ("a ChatKit workflow", "look for the cthr_ ids of its threads; `exporter discover` lists them"),
    "batch_": ("a batch", "its answers are in its output file, which is no conversation"),
    "req_": ("a request, as in a log", "look for the id of the thread, conversation or response that it asked for"),
    "proj_": ("a project", "put it into the profile as `project`; `exporter discover` lists what can be listed"),
    "org-": ("an organization", "put it into the profile as `organization`; `exporter discover` lists threads"),
    "user-": ("a user", "`exporter discover` lists the threads that can be listed, with their users"),
    "g-": ("a GPT of ChatGPT", "ChatGPT's own chats are behind no API: ask ChatGPT for an export of your data"),
}
"What begins like this is no thread: what it is instead, and what to look for."
SECRETS = ("sk-", "sess-", "ek-", "ek_", "eyJ")
"How keys and tokens begin."


def other_thing(text: str) -> tuple[str, str] | None:
    """Return of what this is the id, and what to look for instead; None where no such thing is known."""
    for prefix, (what, help_) in OTHERS.items():
        if text.startswith(prefix):
            return f"{prefix}... is the id of {what}, not of a thread", help_
    return None


def no_key(text: str) -> str:
    """Return what was given as an id; `UsageError` for a key, which is not repeated."""
    if text.startswith(SECRETS):
        raise UsageError("that is a key, not the id of a thread; keys belong into no command line: revoke this one")
    return text


def no_beginning(text: str) -> str:
    """Return what was given as an id; `UsageError` where it is only how a source's ids begin."""
    if _only_beginnings().fullmatch(text):
        raise UsageError(f"{text} is only how an id begins; look at how it was copied")
    return text


@cache
def _only_beginnings() -> re.Pattern[str]:
    """Return what a text is that begins like an id, and has no letter or digit behind that."""
    return re.compile(rf"(?:{'|'.join(map(re.escape, prefixes()))})[\W_]*")
