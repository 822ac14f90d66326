"""Gone, or not? Pure decisions over the threads that answered 404 by name in one run.

A 404 alone never means gone: docs/guide.md, "Gone, or not?".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.archive.catalog import Known
from exporter.errors import SourceGone
from exporter.model import Outcome, printable

SHARE = 0.10
COUNT = 5
"More than both of these vanishing in one run is no coincidence."


@dataclass(frozen=True, slots=True)
class Missing:
    """A thread that the server names and says it has not."""

    known: Known
    message: str
    profile: str
    "Who was told so."
    witnessed: bool = False
    "Whether, in this run, the same profile read another thread of the same source, or one that points to this."
    linked: bool = False
    "Whether another thread points to it: so it was there once."

    @property
    def vanished(self) -> bool:
        """Whether this profile saw it before, and it is news that it is not there now."""
        return self.seen and self.known.state != "gone"

    @property
    def seen(self) -> bool:
        """Whether the profile that was told so is the one that saw it before."""
        return saw(self.profile, self.known)


def saw(profile: str, known: Known) -> bool:
    """Whether it was through this profile that a thread was seen before."""
    return known.seen_at is not None and known.profile == profile


def judge(missing: Sequence[Missing], seen: int, *, accept: bool) -> Iterator[tuple[Known, Outcome]]:
    """Tell for each missing thread of one source and profile how its visit ended.

    `seen` counts the threads of this run that this profile saw before. Raises `SourceGone`, after the others were
    told, when too many of them vanished at once and the user does not accept it; then none of those is marked.
    """
    vanished = [one for one in missing if one.vanished]
    yield from ((one.known, _outcome(one)) for one in missing if not one.vanished)
    if len(vanished) > COUNT and len(vanished) > SHARE * seen and not accept:
        first = vanished[0]
        raise SourceGone(
            f"{first.known.thread.source}: {len(vanished):,} of {seen:,} threads that profile "
            f"{printable(first.profile)} saw before answer 404 in this run: a wrong key, project or region, or a "
            "removed API, rather than deletions. None of them is marked gone. Look with `exporter doctor`; "
            "if they really are gone, run again with --accept-gone",
            whole_run=True,
        )
    yield from ((one.known, _outcome(one)) for one in vanished)


def _outcome(one: Missing) -> Outcome:
    known, thread = one.known, one.known.thread
    if known.state == "gone":
        return Outcome(thread, 0, "gone", one.message, known.code)
    if not known.seen_at and not one.linked:
        help_ = f"perhaps another project's key: `exporter doctor {thread.id}` tries every profile"
        return Outcome(thread, 0, "failed", f"{thread}: not found; {help_}", "not_found")
    if known.seen_at and not one.seen:
        why = f"profile {printable(known.profile)} saw it before, and does not reach its server any more"
        return Outcome(thread, 0, "failed", f"{thread}: not found; {why}, so it is not marked gone", "unwitnessed")
    if not one.witnessed:
        was = "it was there before" if known.seen_at else "another thread points to it"
        why = (
            f"{was}, and nothing else of this source could be read in this run, so it is not marked gone. "
            f"If it is, name it beside one that is there, a new one will do: `exporter backup {thread.id} ID`"
        )
        return Outcome(thread, 0, "failed", f"{one.message}; {why}", "unwitnessed")
    if known.seen_at:
        return Outcome(thread, 0, "gone", one.message, "gone")
    why = f"{known.via or 'another thread'} points to it, but it expired or was deleted before it was ever visited"
    return Outcome(thread, 0, "gone", f"{thread}: {why}", "expired_link")
