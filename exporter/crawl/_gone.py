"""Gone, or not? Pure decisions over the threads that answered 404 by name in one run.

A 404 alone never means gone: docs/guide.md, "Gone, or not?".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.archive.catalog import Known
from exporter.errors import SourceGone
from exporter.model import Outcome

SHARE = 0.10
COUNT = 5
"More than both of these vanishing in one run is no coincidence."


@dataclass(frozen=True, slots=True)
class Missing:
    """A thread that the server names and says it has not."""

    known: Known
    message: str
    witnessed: bool = False
    "Whether, in this run, the same profile read another thread of the same source."


def judge(missing: Sequence[Missing], seen: int, *, accept: bool) -> Iterator[Outcome]:
    """Tell for each missing thread how its visit ended.

    `seen` counts the threads of this run that were seen before. Raises `SourceGone` when too many of them vanished
    at once and the user does not accept it; then nothing is marked.
    """
    vanished = [one for one in missing if one.known.seen_at and one.known.state != "gone"]
    if len(vanished) > COUNT and len(vanished) > SHARE * seen and not accept:
        raise SourceGone(
            f"{len(vanished)} of {seen} threads seen before answer 404 in this run: a wrong key, project or region, "
            "or a removed API, rather than deletions. Nothing is marked gone. Look with `exporter doctor`; "
            "if they really are gone, run again with --accept-gone",
            whole_run=True,
        )
    yield from map(_outcome, missing)


def _outcome(one: Missing) -> Outcome:
    thread = one.known.thread
    if not one.known.seen_at:
        help_ = f"perhaps another project's key: `exporter doctor {thread.id}` tries every profile"
        return Outcome(thread, 0, "failed", f"{thread}: not found; {help_}", "not_found")
    if not one.witnessed and one.known.state != "gone":
        why = "it was there before, and nothing else of this source could be read in this run, so it is not marked gone"
        return Outcome(thread, 0, "failed", f"{thread}: {one.message}; {why}", "unwitnessed")
    return Outcome(thread, 0, "gone", one.message, "gone")
