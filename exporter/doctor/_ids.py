"""What kind of id is it? People paste what they have: ids of messages, of files, of their own database. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.errors import UsageError
from exporter.model import checked_id, printable
from exporter.sources import source_of

WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{5,255}")
QUOTES = " \t\r\n\"'`<>()[]{},;."
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
UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
USUAL = re.compile(r"thread_[A-Za-z0-9]{24}")
"How ids of OpenAI's own threads look."


@dataclass(frozen=True, slots=True)
class Named:
    """What was pasted, as an id."""

    id: str
    source: str | None
    "Whose ids begin like this."
    other: str = ""
    "What it is instead of a thread, when that is certain or all that can be said."
    help: str = ""
    certain: bool = False
    "It can be no thread: no server needs to be asked."


def read(text: str) -> Named:
    """Find the id in what was pasted; `UsageError` where there is none, and for a key, which is not repeated."""
    if text.strip(QUOTES).startswith(SECRETS):
        raise UsageError("that is a key, not the id of a thread; keys belong into no command line: revoke this one")
    found = text.strip(QUOTES)
    try:
        checked_id(found)
    except UsageError:
        known = {word for word in WORD.findall(text) if source_of(word)}
        if len(known) != 1:
            raise
        found = known.pop()
    return Named(found, source_of(found), *_other(found))


def _other(text: str) -> tuple[str, str, bool]:
    if source_of(text):
        return "", "", False
    for prefix, (what, help_) in OTHERS.items():
        if text.startswith(prefix):
            return f"{printable(prefix)}... is the id of {what}, not of a thread", help_, True
    return (*_local(text), False)


def _local(text: str) -> tuple[str, str]:
    """Say what an id may be that no API makes; a server of one's own may, so it is asked for all the same."""
    where = "look there for the id that the API gave: it begins with thread_, conv_, resp_, cthr_ or chatcmpl-"
    if UUID.fullmatch(text):
        return "a UUID is an id that applications and their databases make, not these APIs", where
    if text.isdigit():
        return "a number is an id of a row in an application's own database", where
    if text.lower().startswith(("local_", "local-", "temp_", "tmp_", "draft_")):
        return "an id that begins like this was made by an application, for itself", where
    return "no API that is known here makes ids that look like this", where


def cut_short(text: str) -> bool:
    """Whether an id looks like one of OpenAI's threads that was not copied whole."""
    return text.startswith("thread_") and not USUAL.fullmatch(text)
