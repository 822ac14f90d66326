"""Chains of responses: what came before, in the order it was said."""

from __future__ import annotations

from exporter.sandbox import raw
from exporter.sandbox.series import Series
from exporter.sandbox.state import Holder, State


def chain(state: State, name: str, project: str) -> list[Holder]:
    """Return a response and those before it, oldest first, as far back as they are still there."""
    found: dict[str, Holder] = {}
    before: str | None = name
    while before is not None and before not in found:
        holder = state.holder("responses", before, project)
        if holder is None:
            break
        found[before] = holder
        before = raw.value(state.body("responses", before), "previous_response_id")
    return list(found.values())[::-1]


def whole_chain(state: State, holder: Holder) -> Series:
    """Return all that a response was told: each earlier turn's input and output, then its own input."""
    told = Series()
    for turn in chain(state, holder.id, holder.project):
        for entry in turn.series("input_items"):
            told.add(entry.raw, entry.at)
        if turn.id != holder.id:
            for item in state.output_items(turn.id):
                told.add(item, turn.created)
    return told
