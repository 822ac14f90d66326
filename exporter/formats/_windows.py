"""A conversation read part by part: any hundred entries of it, without the others.

The idea: a thread is a row of slots, one per message, and one behind them for what belongs to none; a chain of
responses is its threads' slots one after the other. A slot is told as `entries` tells it, so parts that are put
together are the whole. What is kept in memory is where each page stands: 10 bytes a message at most; a thread that was
walked again, or has deletions, files or steps, is read once as a whole before its first part.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any

from exporter.archive import Archive
from exporter.archive._lines import read_records
from exporter.formats._entries import Entry, File, Reading, Section, beginning, named
from exporter.formats._lasting import Lasting
from exporter.formats._newest import is_straight
from exporter.formats._steps import Call, Steps
from exporter.formats._story import Story, Told
from exporter.model import Mark, Record, ThreadRef
from exporter.rows import identity

STEP = 1000
"Messages that are read at a time where all are."
LINES = 1 << 20
"More records than any page has."


@dataclass(frozen=True, slots=True)
class _Page:
    frame: tuple[str, int]
    number: int
    "Which one of the frame's pages of this thread."
    mark: Mark


class _Order:
    """Where the messages of a thread stand: each once, in the order of `newest`."""

    def __init__(self, archive: Archive, thread: ThreadRef) -> None:
        self._archive, self._thread = archive, thread
        self._pages = list(self._marks())
        self.straight = is_straight(page.mark for page in self._pages)
        self._begins = [0, *accumulate(page.mark.count for page in self._pages)]
        self._places: array[int] | None = None if self.straight else self._sorted()

    def __len__(self) -> int:
        return self._begins[-1] if self._places is None else len(self._places)

    def records(self, begin: int, end: int) -> list[Record]:
        """Read the messages of a range."""
        wanted = [self._place(slot) for slot in range(max(begin, 0), min(end, len(self)))]
        lines = self._lines(sorted(wanted))
        return read_records([lines[place] for place in wanted])

    def find(self, seq: int, parent: str | None) -> int | None:
        """Return the slot of the message at a position of its list; None where there is none."""
        if self._places is None:
            for page, begin in zip(self._pages, self._begins, strict=False):
                slot = begin + seq - page.mark.seq
                held = page.mark.seq <= seq < page.mark.seq + page.mark.count
                if held and self.records(slot, slot + 1)[0].parent == parent:
                    return slot
            return None
        ranges = ((begin, self.records(begin, begin + STEP)) for begin in range(0, len(self), STEP))
        every = ((begin + at, record) for begin, found in ranges for at, record in enumerate(found))
        return next((slot for slot, one in every if (one.seq, one.parent) == (seq, parent)), None)

    def _place(self, slot: int) -> int:
        if self._places is not None:
            return self._places[slot]
        page = bisect_right(self._begins, slot) - 1
        return page * LINES + slot - self._begins[page]

    def _lines(self, places: Sequence[int]) -> dict[int, bytes]:
        """Read the lines at sorted places, each frame once."""
        found: dict[int, bytes] = {}
        for frame, group in groupby(places, lambda place: self._pages[place // LINES].frame):
            wanted = list(group)
            pages = {self._pages[place // LINES].number for place in wanted}
            told = enumerate(self._archive.lines_at(self._thread, "message", *frame))
            lines = {number: page for number, (_, page) in told if number in pages}
            for place in wanted:
                found[place] = lines[self._pages[place // LINES].number][place % LINES]
        return found

    def _marks(self) -> Iterator[_Page]:
        for frame in self._archive.catalog.frames_of(self._thread, "message"):
            for number, (mark, lines) in enumerate(self._archive.lines_at(self._thread, "message", *frame)):
                assert mark.count == len(lines) < LINES
                yield _Page(frame, number, mark)

    def _sorted(self) -> array[int]:
        """Sort the newest revision of each object by its list and its position."""
        found: dict[bytes, tuple[int, int, int, int]] = {}
        lists: dict[str, int] = {}
        pages = zip(self._pages, self._archive.thread_pages(self._thread, "message"), strict=True)
        for number, (page, (_, _, records)) in enumerate(pages):
            place = lists.setdefault(page.mark.list, len(lists))
            for line, record in enumerate(records):
                at = number * LINES + line
                found[identity(record)] = (place, record.seq, at, at)
        return array("q", (at for *_, at in sorted(found.values())))


class _Thread:
    """One thread of a conversation."""

    def __init__(self, archive: Archive, story: Story) -> None:
        self.story = story
        self._order = _Order(archive, story.thread)
        self._reading = Reading(story)
        self._lasting = self._changed()
        self._steps = Steps(story)
        self._runs: dict[str, int] = {}
        "With which slot a run's calls are told."
        self._files: dict[str, int] = {}
        "With which slot the files of a message are told."
        if self._steps.runs() or self._reading.pointed:
            self._own()

    @property
    def slots(self) -> int:
        return len(self._order) + 1

    def close(self) -> None:
        self._steps.close()
        self._reading.close()

    def find(self, seq: int, parent: str | None) -> int | None:
        return self._order.find(seq, parent)

    def part(self, begin: int, end: int) -> Iterator[tuple[int, Section | Entry]]:
        """Tell some slots."""
        records = self._order.records(begin - 1, end)
        parent = records.pop(0).parent if begin and records else None
        for slot, record in enumerate(records, begin):
            one = self._told(record)
            for section in self._reading.heading(one, parent):
                yield slot, section
            parent = record.parent
            row = self.story.row(one)
            yield slot, self._reading.entry(one, row, self._calls(slot, row), self._pointed(slot, row))
        if end >= self.slots:
            yield from ((self.slots - 1, one) for one in self._rest())

    def _told(self, record: Record) -> Told:
        return Told(record, self._lasting.get(identity(record), {}))

    def _changed(self) -> dict[bytes, dict[str, Any]]:
        """Keep what is known of messages beyond their newest records, where it is anything to tell."""
        kept: dict[bytes, dict[str, Any]] = {}
        if self._order.straight and "deletion" not in self.story.archive.catalog.kinds_of(self.story.thread):
            return kept
        lasting = Lasting(self.story.pages, self.story.thread, "message")
        for _, record in self._every() if lasting else ():
            told = lasting.of(record)
            if told["revision"] or told["deleted_at"] or told["seq"] != record.seq:
                kept[identity(record)] = told
        return kept

    def _every(self) -> Iterator[tuple[int, Record]]:
        for begin in range(0, len(self._order), STEP):
            yield from enumerate(self._order.records(begin, begin + STEP), begin)

    def _own(self) -> None:
        """Find the first message of each run that called something, and the first that each file belongs to."""
        runs, files = self._steps.runs(), self._reading.pointed
        for slot, record in self._every():
            row = self.story.row(self._told(record))
            if row.get("run_id") in runs:
                self._runs.setdefault(row["run_id"], slot)
            if row["message_id"] is not None and row["message_id"] in files:
                self._files.setdefault(row["message_id"], slot)

    def _calls(self, slot: int, row: Mapping[str, Any]) -> Iterable[Call]:
        run = row.get("run_id")
        return self._steps.of(run) if run is not None and self._runs.get(run) == slot else ()

    def _pointed(self, slot: int, row: Mapping[str, Any]) -> Iterable[File]:
        name = row["message_id"]
        return self._reading.pointed[name] if name is not None and self._files.get(name) == slot else ()

    def _rest(self) -> Iterator[Section | Entry]:
        """Tell what belongs to no message."""
        left = {name: files for name, files in self._reading.pointed.items() if name not in self._files}
        yield from self._reading.rest(self._steps.rest(but=self._runs), left)


class Windows:
    """A conversation whose parts can be asked for in any order; one at a time. `close` it."""

    def __init__(self, archive: Archive, story: Story) -> None:
        self._story = story
        self._threads = [_Thread(archive, one) for one in (*story.before, story)]
        self._begins = [0, *accumulate(one.slots for one in self._threads)]

    def __len__(self) -> int:
        return self._begins[-1]

    def close(self) -> None:
        """Let go of what lies on the disk meanwhile."""
        for one in self._threads:
            one.close()

    def part(self, begin: int, end: int) -> Iterator[tuple[int, Section | Entry]]:
        """Yield what some slots have to tell, each with its slot."""
        if begin == 0:
            yield from ((0, one) for one in beginning(self._story))
        for thread, first in zip(self._threads, self._begins, strict=False):
            if first + thread.slots <= begin or first >= end:
                continue
            if begin <= first:
                yield from ((first, one) for one in named(self._story, thread.story))
            for slot, told in thread.part(max(begin - first, 0), min(end - first, thread.slots)):
                yield first + slot, told

    def find(self, thread: ThreadRef, seq: int, parent: str | None = None) -> int | None:
        """Return the slot of the message at a position of a thread's list; None where it has none there."""
        for one, first in zip(self._threads, self._begins, strict=False):
            if one.story.thread == thread and (slot := one.find(seq, parent)) is not None:
                return first + slot
        return None
