"""A transport that listens: it counts, asks lists for one object, and keeps what was said.

A source asks its questions itself, so a source that comes later is looked at as it is. As soon as a list has answered,
`BudgetReached` ends the walk: the question is known then, and what else is to be found out is asked without a source.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.complaints import complaint
from exporter.errors import BudgetReached, ExporterError, Lie
from exporter.model import Gap, Page, printable
from exporter.sources import NO_HEADERS, Answer, Event, Transport

IDENTITY = ("openai-organization", "openai-project", "x-ms-region", "openai-version")
"Headers of answers that tell whom the server takes us for, or where it is."
PAGING = frozenset({"limit", "order", "after", "before"})
OF_THE_KEY = frozenset(
    {"401", "Unauthorized", "invalid_api_key", "incorrect_hostname", "mismatched_project", "mismatched_organization"}
)
"Refusals that every source would give."

Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """How a source asks for a list."""

    path: str
    params: Params
    "Without limit, order and cursor."
    headers: Mapping[str, str]
    ordered: bool
    "Whether it says which order it wants."
    first: Answer
    "What came when one object was asked for."


@dataclass(frozen=True, slots=True)
class Refused:
    """What the last answer refused, and why."""

    status: int
    code: str
    message: str
    "Safe to print, one line."
    scopes: tuple[str, ...]
    text: str
    "The whole body, to look for names in."

    @property
    def of_the_key(self) -> bool:
        """Whether the key itself is refused, so that no other source needs to be asked."""
        return self.code in OF_THE_KEY or "Access token is missing" in self.message

    @property
    def allowed(self) -> bool:
        """Whether the key is good, and only lacks something."""
        return self.status == 403 or bool(self.scopes)


@dataclass(slots=True)
class Probe:
    """Asks for one source, at most `most` times."""

    way: Transport
    most: int
    small: bool = True
    "Ask lists for one object, and end the walk when one has answered."
    twice: bool = True
    "Ask again what was not found; of a thread that nobody has the first answer is enough."
    asked: int = 0
    last: Answer | None = None
    question: Question | None = None
    identity: dict[str, str] = field(default_factory=dict)
    endpoint: str = ""

    def __post_init__(self) -> None:
        self.endpoint = self.way.endpoint

    async def get(
        self, path: str, params: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """Pass a question on; one for a list becomes a small one."""
        if not self.twice and self.last is not None and self.last.status == 404:
            return self.last
        if self.question is not None or self.asked >= self.most:
            raise BudgetReached("enough was asked")
        is_list = self.small and any(name == "limit" for name, _ in params)
        if is_list:
            params = tuple((name, "1" if name == "limit" else value) for name, value in params)
        answer = await self.ask(path, params, headers)
        if is_list and answer.status == 200:
            kept = tuple(pair for pair in params if pair[0] not in PAGING)
            ordered = any(name == "order" for name, _ in params)
            self.question = Question(path, kept, headers, ordered, answer)
        return answer

    async def ask(self, path: str, params: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> Answer:
        """Send one question as it is."""
        self.asked += 1
        self.last = answer = await self.way.get(path, params, headers)
        self.identity.update({name: printable(answer.headers[name]) for name in IDENTITY if answer.headers.get(name)})
        return answer

    def again(self) -> Probe:
        """Return a probe that goes on with what is left, for another question."""
        return Probe(self.way, self.most - self.asked, self.small, self.twice, identity=self.identity)


async def knock(events: AsyncIterator[Event], probe: Probe) -> ExporterError | None:
    """Let a source walk until a list has answered; return the error that came instead, if any.

    `BudgetReached` where the questions were used up before that.
    """
    try:
        async for event in events:
            if isinstance(event, Gap):
                return Lie(event.detail, event.code)
            if isinstance(event, Page) and event.list != "thread":
                return None
    except BudgetReached as reached:
        return None if probe.question else reached
    except ExporterError as error:
        return error
    return None


def refused(answer: Answer | None) -> Refused | None:
    """Read what an answer refuses; None where it refuses nothing."""
    if answer is None or answer.status < 400:
        return None
    said = complaint(answer.body)
    return Refused(answer.status, said.code, said.message, said.scopes, said.text)


def told(error: ExporterError, no: Refused | None) -> str:
    """Say what came instead of an answer, in the server's words where there are some."""
    if no is None:
        return str(error)
    status = f"HTTP {no.status}" + (f" {no.code}" if no.code not in ("", str(no.status)) else "")
    if no.scopes:
        return f"lacks {', '.join(no.scopes)} ({status})"
    return f"{status}: {no.message}" if no.message else status
