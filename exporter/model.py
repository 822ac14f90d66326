"""The things that flow: from a source through the crawl into the archive and out again.

Everything here is frozen and does no I/O; `docs/format.md` shows how it looks as bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NoReturn, Self

from exporter.errors import UsageError

Kind = Literal["thread", "message", "run", "step", "file", "deletion", "registration", "visit"]
"""What a record is. Every entry of a thread's history is a `message`, whatever its API calls it; turns and subagents
are a `run`, traces a `step`. A `deletion` is our word that an object of a list is not there any more."""

State = Literal["new", "complete", "partial", "gone", "failed"]
"""What we know of a thread after its last visit; `new` is never visited."""


BY_US = "deleted_by_us"
"The code, and the `deleted_reason`, of a thread that is gone because `erase --upstream` deleted it on its server."


@dataclass(frozen=True, slots=True, order=True)
class ThreadRef:
    """Which thread: two keys of one endpoint see the same one, two endpoints may use one id for two."""

    source: str
    "The API surface: `assistants`, `conversations`, ..."
    endpoint: str
    "The base URL without credentials, query or trailing slash."
    id: str
    "Empty for all threads of a source together: whose list of threads it is."

    def __str__(self) -> str:
        return f"{self.source}/{printable(self.id)}" if self.id else self.source


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a page, as sent."""

    id: str | None
    "What the server calls it; None where the API or this object has no id."
    body: bytes
    "The object's JSON, token by token as sent, without line breaks."


@dataclass(frozen=True, slots=True)
class Position:
    """How far a list was walked: what the page mark of its last committed page says."""

    cursor: str | None = None
    "Ask for what comes after this; None is the beginning."
    seq: int = 0
    "Position that the next item gets."
    more: bool = True
    "False once the list was walked to its end: the server said that nothing follows, and no gap is known."


Positions = Mapping[str, Position]
"""Of one thread, by the name of the list."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a list endpoint: the unit of commit."""

    thread: ThreadRef
    kind: Kind
    "What each item is."
    items: tuple[Item, ...]
    cursor: str | None
    "Where to go on after this page, known on the last page too."
    more: bool
    fetched_at: datetime
    list: str
    "Which list of the thread: `thread`, `messages`, `runs`, `steps:RUN_ID`."
    seq: int = 0
    "Position of the first item in its list; the others follow by one."
    next_seq: int | None = None
    "Position of the first item after `cursor` where that is not seq + len(items): the cursor was held back."
    fresh: bool = True
    "Whether no item of it can be in the archive already; else the tables fold it into what they have."
    parent: str | None = None
    "What the objects hang on: for steps the id of their run, for items and turns of a subagent its id."
    notes: tuple[str, ...] = ()
    "Oddities of the server that were survived exactly, one word each: `inclusive_cursor`."

    @property
    def position(self) -> Position:
        """Where the list stands once this page is committed."""
        after = self.seq + len(self.items) if self.next_seq is None else self.next_seq
        return Position(self.cursor, after, self.more)


@dataclass(frozen=True, slots=True)
class Gap:
    """A list that could not be walked to a proven end; what came before it is kept."""

    thread: ThreadRef
    list: str
    after: str | None
    "The cursor that the missing part follows."
    code: str
    "The reason in one word: `cursor_repeated`, `bad_answer`, `temporary`, ..."
    detail: str
    "The reason in a sentence for people."


@dataclass(frozen=True, slots=True)
class Link:
    """Another thread that an object of this one points to: it is registered too, with the same owner, and visited."""

    thread: ThreadRef
    to: ThreadRef


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file that an object of a thread points to."""

    thread: ThreadRef
    type: Literal["file", "container_file", "artifact", "attachment"]
    id: str
    container: str | None = None
    "Of a container's file, the container; it forgets its files after 20 minutes without use."
    message: str | None = None
    "The id of the object that points to it."
    name: str | None = None
    "What the object calls it: data, never a path."
    url: str | None = None
    "Where its bytes are for a short while, signed: of attachments."
    object: bytes | None = None
    "What the server says of it, as sent, where it is had already: of attachments and artifacts."


@dataclass(frozen=True, slots=True)
class Record:
    """One object as the server sent it, with where, when and at which position: one JSONL line."""

    thread: ThreadRef
    kind: Kind
    id: str | None
    seq: int
    observed_at: datetime
    body: bytes
    run: str = ""
    "The backup run that wrote it."
    parent: str | None = None
    "What the object hangs on: for steps the id of their run, for items and turns of a subagent its id."


@dataclass(frozen=True, slots=True)
class Mark:
    """The line that ends a page in journal and segment: the page is whole, and this is the cursor after it."""

    thread: ThreadRef
    kind: Kind
    list: str
    seq: int
    count: int
    position: Position
    fresh: bool
    fetched_at: datetime
    run: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed, immutable file of whole pages."""

    name: str
    "Relative to the archive: `segments/2026/11/000000001-0123456789ab.jsonl.zst`."
    sha256: str
    records: int
    pages: int
    bytes: int
    "Compressed, as `ls` shows it."
    raw_bytes: int
    journal: str
    "The writer whose journal this was."

    @property
    def number(self) -> int:
        """The number of the manifest that commits it."""
        return int(self.name.rsplit("/", 1)[-1].split("-", 1)[0])


@dataclass(frozen=True, slots=True)
class Registration:
    """A thread to keep, and what its owner knows about it; None leaves what was known."""

    thread: ThreadRef
    profile: str = "default"
    user: str | None = None
    customer: str | None = None
    title: str | None = None
    tags: tuple[str, ...] | None = None
    via: str | None = None
    "Of a thread that nobody named, the one whose object points to it: `responses/resp_2`."


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one visit of one thread ended."""

    thread: ThreadRef
    records: int
    "Objects written by this visit."
    state: State
    error: str | None = None
    "A sentence for people: what, about which thread, what now."
    code: str | None = None
    "The reason in one word, as in `gaps`; of a complete visit, the oddity that makes the next one walk from the start."
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()


Code = Literal[
    # the truth: only a copy mends it
    "keys_damaged", "manifest_missing", "manifest_damaged", "chain_broken", "other_archive",
    "segment_missing", "segment_damaged", "records_lost", "content_missing", "content_damaged",
    # derived: `check --repair` mends it
    "catalog_damaged", "catalog_differs", "schedule_wrong",
    "table_missing", "table_damaged", "table_differs", "rows_doubled",
    # the server has what the archive lacks
    "server_missing",
    # worth knowing, and no damage
    "gap", "journal_open", "erasure_open", "salvaged", "stray_file", "content_unnamed", "content_given_up",
    "catalog_behind", "table_unnoted", "table_version", "not_compared", "not_opened",
    "server_differs", "server_gone", "server_unread",
]  # fmt: skip
"""What kind of thing `check` found; the list is closed, and docs/check.md explains each."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something `check` found."""

    code: Code
    where: str
    "The file, relative to the archive, or the thread."
    what: str
    help: str
    "What to do now."
    severity: Literal["damage", "note"] = "damage"


Auth = Literal["bearer", "api-key", "entra"]
"""How a profile shows who it is: a key as bearer token, a key in Azure's header `api-key`, a token of Entra ID."""

Client = Literal["lean", "sdk"]
"""What carries a profile's requests: aiohttp with the headers of the SDK, or the SDK itself."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Where and as whom a source is reached. The key itself is asked for late and kept nowhere else."""

    name: str = "default"
    base_url: str = "https://api.openai.com/v1"
    organization: str | None = None
    project: str | None = None
    key: Secret = field(default_factory=lambda: Secret(""), repr=False)
    "For `entra`, a token that somebody else has fetched; empty where `azure-identity` is to fetch it."
    auth: Auth = "bearer"
    api_version: str | None = None
    "Azure's `api-version`, sent with every request."
    entra_scope: str = "https://ai.azure.com/.default"
    session: Secret = field(default_factory=lambda: Secret(""), repr=False)
    "A browser's session token, for the lists that no key may see; used by `discover --session` only."
    client: Client = "lean"
    "What carries the requests."


class Secret:
    """A credential that does not print: `reveal()` is the only way to its text.

    However it is written (`str`, `repr`, `format`, JSON of `str`), that is `Secret(***)`; it cannot be pickled, a copy
    is itself, and what was revealed is taken out of every text that goes through `scrubbed`.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the request header and nothing else."""
        remember(self._text)
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled: pass on where it is kept")


UNRESERVED = re.compile(r"[\w.~-]", re.ASCII)
"What looks the same wherever it is written."
SHORTEST_SECRET = 8
"A shorter text is taken out of nothing: it may well be a part of a word."
REMEMBERED = 64
"Secrets that are looked for in texts; a token of Entra ID lasts for an hour."
_revealed: dict[str, None] = {}


def remember(secret: str) -> None:
    """Take a secret out of all that `scrubbed` is given from now on."""
    text = secret.strip()
    if len(text) >= SHORTEST_SECRET and text not in _revealed:
        while len(_revealed) >= REMEMBERED:
            _revealed.pop(next(iter(_revealed)), None)
        _revealed[text] = None


def scrubbed(text: str) -> str:
    """Return a text without any secret that this process has revealed, however it is spelled."""
    # the longest first: where one is the beginning of another, nothing of that stays
    for secret in sorted(_revealed, key=len, reverse=True):
        text = re.sub(spelled(secret), "***", text)
    return text


@lru_cache(2 * REMEMBERED)
def spelled(secret: str) -> str:
    """Return the regular expression of a secret as it is, as an address writes it, and as JSON does."""
    return "".join(map(_spelled, secret))


def _spelled(letter: str) -> str:
    if UNRESERVED.fullmatch(letter):
        return re.escape(letter)
    percent = "".join(f"%{one:02x}" for one in letter.encode("utf-8", "surrogatepass"))
    wide = letter.encode("utf-16-be", "surrogatepass").hex()
    # JSON in JSON doubles what escapes
    escaped = "".join(rf"\\+u{wide[at : at + 4]}" for at in range(0, len(wide), 4))
    space = r"|\+" if letter == " " else ""
    return rf"(?:\\*{re.escape(letter)}|(?i:{percent}|{escaped}){space})"


THREAD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:=~-]{0,255}")
"What an id may look like where it becomes part of a URL."


def checked_id(text: str) -> str:
    """Return a thread id that can be part of a URL; `UsageError` for anything else, such as a path."""
    if not THREAD_ID.fullmatch(text) or ".." in text:
        raise UsageError(
            f"{text[:80]!r} is no thread id: letters, digits and _ . : = - only; look at how it was copied"
        )
    return text


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def printable(text: str) -> str:
    """Return text from outside in a form that cannot steer a terminal: control characters become escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
