"""What a promise is looked at with: a server that does what it is told, and backups of it that may die."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.archive import Archive
from exporter.endpoint import endpoint_of
from exporter.files import make_folder
from exporter.model import ThreadRef
from exporter.sandbox import Running, State, Switches, running
from exporter.selftest import _proof as proof
from exporter.selftest._child import Done, Job, acknowledged, run
from exporter.selftest._disk import Fault
from exporter.selftest._power import Unsynced

KEY = "sk-sandbox-one"
FIRST = 1_760_000_000
"When the first message was written, in seconds."


class Broken(Exception):
    """A promise was not kept; the text says what happened."""


def promise(sentence: str, *, quick: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a promise of a function; one that takes long is left out of a quick run."""

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        vars(function)["promise"] = (sentence, quick)
        return function

    return mark


@dataclass(eq=False)
class Kept:
    """Two threads on the server, an assistants' one and a conversation, and an archive of them."""

    server: Running
    folder: Path
    name: str
    count: int = 0
    "Messages that were ever written to each thread."

    more: tuple[ThreadRef, ...] = ()
    "Other threads to back up."

    def __post_init__(self) -> None:
        self.thread, self.conversation = f"thread_{self.name}", f"conv_{self.name}"
        self.server.state.add_thread(self.thread)
        self.server.state.add_conversation(self.conversation)

    @property
    def path(self) -> Path:
        """The archive."""
        return self.folder / "archive"

    @property
    def refs(self) -> tuple[ThreadRef, ...]:
        """The threads."""
        endpoint = endpoint_of(self.server.url)
        return ThreadRef("assistants", endpoint, self.thread), ThreadRef("conversations", endpoint, self.conversation)

    def write(self, count: int, size: int = 0) -> None:
        """Add messages to both threads."""
        for n in range(self.count, self.count + count):
            text = f"message {n} " + "x" * size
            parts = [{"type": "text", "text": {"value": text, "annotations": []}}]
            body = {"id": f"msg_{self.name}x{n}", "role": "user", "created_at": FIRST + n // 3, "content": parts}
            self.server.state.add_message(self.thread, _sent(body) if size else body)
            item = {"id": f"item_{self.name}x{n}", "type": "message", "role": "user", "content": text}
            self.server.state.add_item(self.conversation, _sent(item) if size else item)
        self.count += count

    def edit(self, chance: random.Random) -> None:
        """Change a message in each thread."""
        state = self.server.state
        for thread, change in ((self.thread, state.edit_message), (self.conversation, state.edit_item)):
            body = json.loads(chance.choice(self.served()[thread]))
            change(thread, body["id"], body | {"metadata": {"edited": str(chance.random())}})

    def delete(self, chance: random.Random) -> None:
        """Delete a message of each thread."""
        state = self.server.state
        for thread, drop in ((self.thread, state.delete_message), (self.conversation, state.delete_item)):
            drop(thread, json.loads(chance.choice(self.served()[thread]))["id"])

    def served(self) -> dict[str, list[bytes]]:
        """Return what the server has, by thread, oldest first."""
        state = self.server.state
        return {self.thread: state.messages(self.thread), self.conversation: state.items(self.conversation)}

    def job(self, **options: Any) -> Job:
        """Return a backup of both threads; fields of a `Job` are taken, all else are options of the crawl."""
        own = {
            name: options.pop(name)
            for name in ("everything", "days", "rebuild", "opens", "erases", "again", "limit", "flushes")
            if name in options
        }
        notes = self.folder / "notes"
        return Job(self.path, notes, self.server.url, KEY, (*self.refs, *self.more), options, **own)

    def backup(self, fault: Fault = Fault(), **options: Any) -> Done:  # noqa: B008 - it is frozen
        """Back both threads up in a process of its own."""
        done = run(self.job(**options), fault)
        if "Traceback" in done.error:
            raise Broken(f"an error that nobody caught: {done.error.strip().splitlines()[-1]}\n{done.error}")
        return done

    def erase(self, thread: str, fault: Fault = Fault()) -> Done:  # noqa: B008 - it is frozen
        """Erase a thread in a process of its own; what was reported archived of it need not be there any more."""
        done = self.backup(fault, erases=thread)
        file = self.folder / "notes" / "acknowledged.jsonl"
        file.write_text("".join(json.dumps(page) + "\n" for page in self.acknowledged() if page["thread"] != thread))
        return done

    def acknowledged(self) -> list[dict[str, Any]]:
        """Return what was reported archived so far, page by page."""
        return acknowledged(self.folder / "notes")

    def problems(self, *, check: bool = True) -> Iterator[str]:
        """Open the archive as the next run does; yield what is not there once, and what is damaged.

        It is opened through the disk that is watched, as that knows what has become sure.
        """
        if self.acknowledged() or (self.path / "archive.json").exists():
            done = self.backup(opens=True)
            if done.exit_code:
                yield f"the archive does not open: {done.error}"
                return
            yield from proof.acknowledged_once(self.path, self.acknowledged())
            yield from proof.whole(self.path) if check else ()

    def cut_power(self, chance: random.Random) -> None:
        """Let the power go while nothing runs."""
        notes = self.folder / "notes"
        unsynced = Unsynced.load(notes / "unsynced", notes / "stash")
        unsynced.cut(chance)
        unsynced.save(notes / "unsynced")

    def differences(self, *, rebuild: bool = False, check: bool = True) -> Iterator[str]:
        """Yield where archive and tables are not what the server has, or what they were."""
        yield from proof.acknowledged_once(self.path, self.acknowledged())
        yield from proof.equal(self.path, self.served())
        yield from proof.whole(self.path, rebuild=rebuild) if check else ()

    def states(self) -> dict[str, str]:
        """Return what the archive says of each thread."""
        with Archive.open(self.path) as archive:
            return {known.thread.id: known.state for known in archive.catalog.known()}

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of the messages table that are not marked deleted, by thread, in order."""
        found: dict[str, list[dict[str, Any]]] = {self.thread: [], self.conversation: []}
        for row in sorted(proof.rows(self.path), key=lambda row: row["seq"]):
            if row["deleted_at"] is None:
                found[row["thread_id"]].append(row)
        return found


@dataclass(eq=False)
class Bench:
    """A server, and a folder for archives of it."""

    server: Running
    folder: Path
    quick: bool
    cases: int = 0
    _made: int = 0
    _on_case: Callable[[int], None] = lambda _: None

    @property
    def state(self) -> State:
        """What the server knows."""
        return self.server.state

    def begin(self, on_case: Callable[[int], None]) -> None:
        """Begin with the next promise: an honest server, no case tried."""
        self.cases, self._on_case = 0, on_case
        self.switch()

    def switch(self, **switches: Any) -> None:
        """Have the server do these things and no others."""
        self.state.switches = Switches().with_changes(switches)

    def case(self) -> None:
        """Count a situation that is tried."""
        self.cases += 1
        self._on_case(self.cases)

    @contextmanager
    def threads(self, messages: int = 0) -> Iterator[Kept]:
        """Lend two new threads with so many messages, and the place of an archive of them; it is gone afterwards."""
        self.case()
        self._made += 1
        folder = make_folder(self.folder / str(self._made))
        kept = Kept(self.server, folder, f"s{self._made}")
        kept.write(messages)
        try:
            yield kept
        finally:
            self.switch()
            shutil.rmtree(folder, ignore_errors=True)

    def some(self, cases: Mapping[str, Any] | Iterable[Any], quick: int) -> list[Any]:
        """Return all cases, or the first few in a quick run."""
        found = list(cases)
        return found[:quick] if self.quick else found


def _sent(body: dict[str, Any]) -> bytes:
    """Return an object as a server sends it; a long one given as a dict is slow to be completed."""
    return json.dumps(body, separators=(",", ":")).encode()


def none(problems: Iterable[str], when: str) -> None:
    """Raise `Broken` with the first few problems, if there are any."""
    if found := list(problems):
        more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
        raise Broken(f"{when}: {'; '.join(found[:3])}{more}")


@contextmanager
def bench(folder: Path, *, quick: bool = False) -> Iterator[Bench]:
    """Lend a bench in a folder, with its server running."""
    with running(State()) as server:
        yield Bench(server, folder, quick)
