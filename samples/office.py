"""People who talk to assistants: a made-up company for a sandbox, months of it, the same each time.

`Office(state, since, until)` plans everything that happens, second by second; `until(time)` lets it happen. Users work
on weekdays, few at night; the company moves from assistants to conversations and responses while the weeks go by.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from words import TOPICS, Topic

from exporter.sandbox import State
from exporter.sandbox.objects import input_content, output_content, text_content

Body = dict[str, Any]

HOUR, DAY = 3600.0, 86_400.0
A_DAY = 3.1
"Talks that begin on a weekday of the first week."
HOURS = (1, 1, 0, 0, 0, 1, 3, 9, 16, 20, 19, 15, 11, 15, 18, 17, 13, 9, 6, 5, 5, 4, 3, 2)
"How much is going on in each hour, UTC."
WEEKDAYS = (1.15, 1.1, 1.05, 1.0, 0.85, 0.25, 0.2)
SHARES = {
    "assistants": (42, 8),
    "conversations": (10, 30),
    "chatkit": (14, 16),
    "completions": (20, 16),
    "responses": (8, 16),
    "agents": (6, 10),
}
"How often each source is used: in the first week, and in the last."
CUSTOMERS = {
    "Alder Logistics": ("ann", "ben", "carla", "dmitri", "elif"),
    "Birch & Sons": ("farid", "grete", "hana"),
    "Cedar Health": ("ines", "jonas", "kira", "luis"),
    "Dogwood Energy": ("mina", "noor"),
    "Elm Studios": ("otto", "paula", "quentin"),
    "Fir Insurance": ("rosa", "sven"),
    "Ginkgo Tokyo": ("tomoko",),
}
WEIGHTS = (9, 7, 5, 4, 3, 2, 2)
STAYS = {
    "carla": (0.1, 1), "dmitri": (0, 0.45), "elif": (0.3, 1), "grete": (0, 0.2), "hana": (0.25, 0.5),
    "jonas": (0.15, 0.4), "kira": (0, 0.65), "luis": (0.5, 1), "noor": (0.2, 0.3), "paula": (0, 0.3),
    "quentin": (0.35, 0.75), "sven": (0.05, 0.6),
}  # fmt: skip
"From when until when some users are there, as parts of the whole time; all others stay."


class Model(NamedTuple):
    """A model, how often it is used in the first and the last week, and how it answers."""

    name: str
    first: float
    last: float
    seconds: float
    "Half of the answers take less."
    wordy: float


MODELS = (
    Model("gpt-4o-mini", 60, 12, 2.5, 0.8),
    Model("gpt-4.1", 32, 18, 6, 1.0),
    Model("gpt-5.4-mini", 6, 46, 4, 1.1),
    Model("gpt-5.4", 2, 24, 13, 1.6),
)
TROUBLED, LIED_TO = "Zz9", "Yy8"
"In the ids of threads that a fault of the server concerns, and of those about which it lies."
MARKS = ((28, LIED_TO), (29, LIED_TO), (45, LIED_TO), (47, LIED_TO), (50, TROUBLED), (51, TROUBLED), (52, TROUBLED))
"The day from which on the next of the assistants' threads is one of these."
LETTERS = "abcdefghijkmnopqrstuvwxABCDEFGHJKLMNPQRSTUVWX234567"


class Event(NamedTuple):
    """Something that happens at a time."""

    at: float
    number: int
    do: Callable[[], object]


class Named(NamedTuple):
    """A thread whose id the application noted, as its server lists it to nobody."""

    id: str
    user: str
    customer: str
    title: str


class Talk(NamedTuple):
    """Who talks to which model about what."""

    user: str
    customer: str
    model: Model
    topic: Topic

    @property
    def owner(self) -> Body:
        return {"user": self.user, "customer": self.customer, "title": self.topic.title}


class Turn(NamedTuple):
    """A question, and what came of it."""

    at: int
    took: int
    asked: str
    answered: str
    tokens: tuple[int, int]

    @property
    def done(self) -> int:
        return self.at + self.took

    def usage(self, given: str = "input", taken: str = "output") -> Body:
        """Tokens, as each API calls them."""
        return {f"{given}_tokens": self.tokens[0], f"{taken}_tokens": self.tokens[1], "total_tokens": sum(self.tokens)}


class Office:
    """What happens in these months; a state of the sandbox hears of it in time."""

    def __init__(self, state: State, since: float, until: float, seed: int = 7) -> None:
        self.state, self.since, self.last = state, since, until
        self.named: list[Named] = []
        self._random = random.Random(seed)
        self._events: list[Event] = []
        self._marks = list(MARKS)
        for day in range(int((until - since) / DAY)):
            self._plan(since + day * DAY)
        self._events.sort()

    def until(self, time: float) -> list[Named]:
        """Let everything happen before a time; return the threads that the application noted meanwhile."""
        self.named = []
        for event in self._events:
            if event.at > time:
                break
            self.state.clock.advance(event.at - self.state.clock.now())
            event.do()
        self._events = [event for event in self._events if event.at > time]
        self.state.clock.advance(time - self.state.clock.now())
        return self.named

    # planning

    def _plan(self, day: float) -> None:
        rng, gone = self._random, (day - self.since) / (self.last - self.since)
        begun = datetime.fromtimestamp(day, UTC)
        usual = A_DAY * (1 + 0.9 * gone) * WEEKDAYS[begun.weekday()]
        holiday = 0.3 if (begun.month, begun.day) in {(8, 15), (10, 3), (11, 1)} else 1.0
        for _ in range(round(rng.gauss(usual, math.sqrt(usual) * 0.6) * holiday)):
            hour = rng.choices(range(24), HOURS)[0]
            self._talk(day + hour * HOUR + rng.random() * HOUR, gone)

    def _talk(self, at: float, gone: float) -> None:
        rng = self._random
        customer = rng.choices(list(CUSTOMERS), WEIGHTS)[0]
        users = [user for user in CUSTOMERS[customer] if _there(user, gone)]
        user = rng.choices(users, range(len(users), 0, -1))[0]
        model = rng.choices(MODELS, [one.first + (one.last - one.first) * gone for one in MODELS])[0]
        source = rng.choices(list(SHARES), [first + (last - first) * gone for first, last in SHARES.values()])[0]
        talk = Talk(user, customer, model, rng.choice([one for one in TOPICS if one.customer in {"", customer}]))
        getattr(self, f"_{source}")(talk, self._turns(at, talk))

    def _turns(self, at: float, talk: Talk) -> list[Turn]:
        rng, turns, heard = self._random, [], 60
        for _ in range(min(20, 1 + int(rng.expovariate(1 / 5)))):
            asked = rng.choice(talk.topic.questions)
            answered = " ".join(rng.sample(talk.topic.answers, k=min(len(talk.topic.answers), rng.randint(1, 3))))
            taken = round((len(answered) / 4 + rng.expovariate(1 / 60)) * talk.model.wordy)
            heard += len(asked) // 4 + rng.choice((0, 0, 0, 700))
            took = max(1, round(rng.lognormvariate(math.log(talk.model.seconds), 0.6)))
            turns.append(Turn(int(at), took, asked, answered, (heard, taken)))
            heard += taken
            at += took + rng.lognormvariate(math.log(90), 0.9)
            if rng.random() < 0.3:
                at = self._later(at)
        return turns

    def _later(self, at: float) -> float:
        """Return another time of one of the next days at which people are there."""
        rng, day = self._random, at - at % DAY
        ahead = rng.choices(
            range(1, 8),
            [WEEKDAYS[(datetime.fromtimestamp(day, UTC).weekday() + n) % 7] ** 2 / n**2 for n in range(1, 8)],
        )[0]
        return day + ahead * DAY + (rng.choices(range(24), HOURS)[0] + rng.random()) * HOUR

    def _at(self, time: float, do: Callable[[], object]) -> None:
        if time < self.last:
            self._events.append(Event(time, len(self._events), do))

    def _name(self, prefix: str, mark: str = "") -> str:
        return prefix + "".join(self._random.choices(LETTERS, k=24 - len(mark))) + mark

    def _note(self, name: str, talk: Talk) -> None:
        self.named.append(Named(name, talk.user, talk.customer, talk.topic.title))

    # what each source makes of a talk

    def _assistants(self, talk: Talk, turns: list[Turn]) -> None:
        state, rng = self.state, self._random
        marked = self._marks and turns[0].at > self.since + self._marks[0][0] * DAY
        mark = self._marks.pop(0)[1] if marked else ""
        name, agent = self._name("thread_", mark), f"asst_{talk.topic.word}"

        def begin() -> None:
            state.add_thread({"id": name, "created_at": turns[0].at, "metadata": talk.owner})
            self._note(name, talk)

        self._at(turns[0].at, begin)
        said: list[str] = []
        for turn in turns:
            run, asked, told = (self._name(prefix) for prefix in ("run_", "msg_", "msg_"))
            said.append(told)
            tool, failed = rng.random() < 0.35, rng.random() < 0.02

            def ask(turn: Turn = turn, asked: str = asked) -> None:
                body = {"id": asked, "created_at": turn.at, "role": "user", "content": text_content(turn.asked)}
                state.add_message(name, body)

            def answer(turn: Turn = turn, run: str = run, told: str = told, *, tool: bool = tool) -> None:
                whose = {"assistant_id": agent, "run_id": run}
                times = {"created_at": turn.at, "started_at": turn.at, "completed_at": turn.done}
                usage = turn.usage("prompt", "completion")
                one = {"id": run, "assistant_id": agent, "model": talk.model.name, "usage": usage, **times}
                state.add_run(name, one)
                if tool:
                    state.add_step(name, run, _tool_step(run, talk, turn))
                made = {"type": "message_creation", "message_creation": {"message_id": told}}
                state.add_step(name, run, {"id": f"step_{run}b", "step_details": made, **times} | {"usage": usage})
                body = {"id": told, "created_at": turn.done, "role": "assistant", **whose}
                state.add_message(name, body | {"content": text_content(turn.answered)})

            def fail(turn: Turn = turn, run: str = run) -> None:
                error = {"code": "rate_limit_exceeded", "message": "You exceeded your current quota."}
                times = {"created_at": turn.at, "started_at": turn.at, "failed_at": turn.done}
                body = {"id": run, "model": talk.model.name, "status": "failed", "last_error": error, "usage": None}
                state.add_run(name, body | times)

            self._at(turn.at, ask)
            self._at(turn.done, fail if failed else answer)
        if rng.random() < 0.05:
            self._at(turns[-1].done + 5 * DAY, lambda: state.delete_message(name, said[0]))
        elif rng.random() < 0.08:
            self._at(turns[-1].done + rng.uniform(2, 12) * DAY, lambda: state.delete_thread(name))

    def _conversations(self, talk: Talk, turns: list[Turn]) -> None:
        state, rng, name = self.state, self._random, self._name("conv_")

        def begin() -> None:
            state.add_conversation({"id": name, "created_at": turns[0].at, "metadata": talk.owner})
            self._note(name, talk)

        self._at(turns[0].at, begin)
        for turn in turns:
            asked = {"id": self._name("msg_"), "role": "user", "content": turn.asked}
            told = {"id": self._name("msg_"), "role": "assistant", "content": turn.answered}
            between = [_work(talk, self._name, rng) for _ in range(rng.choice((0, 0, 0, 1, 2)))]
            items = [asked, *(item for work in between for item in work), told]
            self._at(turn.done, lambda items=items: [state.add_item(name, item) for item in items])
        if rng.random() < 0.12:
            self._at(turns[-1].done + rng.uniform(2, 20) * DAY, lambda: state.delete_conversation(name))

    def _chatkit(self, talk: Talk, turns: list[Turn]) -> None:
        state, rng, name = self.state, self._random, self._name("cthr_")
        body = {"id": name, "created_at": turns[0].at, "user": talk.user}
        owner = {"customer": talk.customer}
        self._at(turns[0].at, lambda: state.add_chatkit_thread({**body, "metadata": owner}))
        titled = {"object": "chatkit.thread", "title": talk.topic.title, "status": {"type": "active"}}
        self._at(
            turns[0].done + 3 * DAY, lambda: state.edit_chatkit_thread(name, {**titled, **body, "metadata": owner})
        )
        for turn in turns:
            asked = {"id": self._name("cthi_"), "created_at": turn.at, "content": input_content(turn.asked)}
            told = {"id": self._name("cthi_"), "created_at": turn.done, "content": output_content(turn.answered)}
            note = f"{talk.topic.title}\n{turn.asked}\n" * rng.randint(5, 60) if rng.random() < 0.15 else ""

            def ask(asked: Body = asked, note: str = note) -> None:
                files = [state.add_attachment(note.encode(), name="notes.txt")] if note else []
                state.add_chatkit_item(name, {"type": "user_message", **asked, "attachments": files})

            self._at(turn.at, ask)
            if rng.random() < 0.25:
                call = {"id": self._name("cthi_"), "created_at": turn.at, "name": "open_page", "output": "done"}
                self._at(turn.at, lambda call=call: state.add_chatkit_item(name, {"type": "client_tool_call", **call}))
            told["type"] = "assistant_message"
            self._at(turn.done, lambda told=told: state.add_chatkit_item(name, told))

    def _completions(self, talk: Talk, turns: list[Turn]) -> None:
        turn, system = turns[0], {"role": "system", "content": "You answer in two sentences."}
        said = {"role": "assistant", "content": turn.answered, "refusal": None, "annotations": []}
        body = {"id": self._name("chatcmpl-"), "created": turn.at, "model": talk.model.name, "metadata": talk.owner}
        body["choices"] = [{"index": 0, "message": said, "logprobs": None, "finish_reason": "stop"}]
        body["usage"] = turn.usage("prompt", "completion")
        asked = [system, {"role": "user", "content": turn.asked}]
        self._at(turn.done, lambda: self.state.add_completion(body, asked))

    def _responses(self, talk: Talk, turns: list[Turn]) -> None:
        before: str | None = None
        for turn in turns[:3]:
            name = self._name("resp_")
            body: Body = {"id": name, "created_at": turn.at, "previous_response_id": before, "metadata": talk.owner}
            body |= {"completed_at": turn.done, "model": talk.model.name, "usage": turn.usage()}
            work = _work(talk, self._name, self._random) if self._random.random() < 0.3 else []
            body["output"] = [*work, {"id": self._name("msg_"), "role": "assistant", "content": turn.answered}]
            asked = [{"id": self._name("msg_"), "role": "user", "content": turn.asked}]

            def answer(body: Body = body, asked: list[Body] = asked) -> None:
                self.state.add_response(body, asked)
                self._note(body["id"], talk)

            self._at(turn.done, answer)
            before = name

    def _agents(self, talk: Talk, turns: list[Turn]) -> None:
        state, rng, name = self.state, self._random, self._name("asess_")
        model = {"id": f"agent_{talk.topic.word}", "name": talk.topic.word.title(), "model": talk.model.name}
        begun = {"id": name, "created_at": turns[0].at, "last_active_at": turns[0].at, "metadata": talk.owner}
        self._at(turns[0].at, lambda: state.add_session({**begun, "agent": model}))
        for turn in turns:
            long = turn._replace(took=turn.took * 6, tokens=(turn.tokens[0] * 4, turn.tokens[1] * 3))
            own = {"id": self._name("aturn_"), "agent_id": model["id"], "usage": long.usage()}
            times = {"created_at": long.at, "started_at": long.at, "completed_at": long.done}
            asked = {"id": self._name("msg_"), "role": "user", "content": input_content(turn.asked)}
            told = {"id": self._name("msg_"), "role": "assistant", "content": output_content(turn.answered)}
            shell = {"id": self._name("cmd_"), "type": "command_execution", "command": f"grep -r {talk.topic.word} ."}
            items = [asked, *([shell] if rng.random() < 0.6 else []), {**told, "phase": "final_answer"}]

            def work(own: Body = {**own, **times}, items: list[Body] = items) -> None:  # noqa: B006 - never changed
                state.add_turn(name, own)
                for item in items:
                    state.add_session_item(name, item)

            self._at(long.done, work)
        if rng.random() < 0.5:
            report = (f"# {talk.topic.title}\n\n" + "\n".join(turn.answered for turn in turns) * 4).encode()
            made = {"id": self._name("artifact_"), "created_at": turns[-1].done, "path": "/workspace/report.md"}
            self._at(turns[-1].at + 60 + turns[-1].took * 6, lambda: state.add_artifact(name, made, report))


def _there(user: str, gone: float) -> bool:
    begin, end = STAYS.get(user, (0, 1))
    return begin <= gone <= end


def _tool_step(run: str, talk: Talk, turn: Turn) -> Body:
    call: Body = {"id": f"call_{run}", "type": "function"}
    call["function"] = {"name": f"find_{talk.topic.word}", "arguments": '{"days":30}', "output": '{"found":3}'}
    details = {"type": "tool_calls", "tool_calls": [call]}
    times = {"created_at": turn.at, "completed_at": turn.done}
    return {"id": f"step_{run}a", "type": "tool_calls", "step_details": details, **times, "usage": None}


def _work(talk: Talk, name: Callable[[str], str], rng: random.Random) -> list[Body]:
    """What an assistant does before it answers."""
    which, call = rng.random(), name("call_")
    if which < 0.5:
        asked = {
            "type": "function_call",
            "name": f"find_{talk.topic.word}",
            "call_id": call,
            "arguments": '{"days":30}',
        }
        got = {"type": "function_call_output", "call_id": call, "output": '{"found":3}'}
        return [{"id": name("fc_"), **asked}, {"id": name("fco_"), **got}]
    if which < 0.75:
        found = {"type": "search", "query": talk.topic.title, "sources": []}
        return [{"id": name("ws_"), "type": "web_search_call", "action": found}]
    thought = [{"type": "summary_text", "text": f"They ask about: {talk.topic.title}."}]
    return [{"id": name("rs_"), "type": "reasoning", "summary": thought}]
