"""Which fields of an object are columns, by what it is: one table of words, and the names that fields have elsewhere.

The idea: every API has its own names for one thing. A field moves into its column; where it has another name it only
fills a column that is empty, and stays in `extra_json`, which tells so which of the names was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """Which fields of an object its columns hold: `{field: column}`."""

    id: str
    "The column of the record's id."
    texts: Mapping[str, str]
    times: Mapping[str, str]
    jsons: Mapping[str, str]
    parent: str | None = None
    "The column of what the object hangs on."


_TIMES = {"created_at": "created_at"}
_METADATA = {"metadata": "metadata_json"}
_FAILURE = {"usage": "usage_json", "last_error": "error_json"} | _METADATA
_STEP = Shape(
    "step_id",
    {"status": "status", "assistant_id": "agent_id"},
    _TIMES | {"completed_at": "completed_at"},
    {"step_details": "details_json"} | _FAILURE,
    parent="run_id",
)
SHAPES = {
    "message": Shape(
        "message_id",
        {"role": "role", "status": "status", "model": "model", "assistant_id": "agent_id", "run_id": "run_id"},
        _TIMES,
        {"content": "content_json", "attachments": "attachments_json"} | _METADATA,
        parent="parent_id",
    ),
    "thread": Shape("thread_id", {}, _TIMES, _METADATA),
    "run": Shape(
        "run_id",
        {"object": "type", "status": "status", "model": "model", "assistant_id": "agent_id"},
        _TIMES | {"started_at": "started_at", "completed_at": "completed_at"},
        _FAILURE,
        parent="parent_id",
    ),
    "step": _STEP,
}
"By the kind of a record; `file` records are ours and have rules of their own."

TRACE = b'"agent.session.trace"'
"What a trace says that it is: a step whose details are called `otlp`, too large to stand in two columns."
TRACE_SHAPE = Shape(_STEP.id, {}, _TIMES, {"otlp": "details_json"}, _STEP.parent)

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "created_at": ("created", "opened_at"),
    "completed_at": ("closed_at",),
    "run_id": ("turn_id",),
    "assistant_id": ("agent_id", "agent"),
    "last_error": ("error",),
}
"Of a field, what other APIs call it: stored completions, subagents, items of a session, agents."

ROLES = {"chatkit.user_message": "user", "chatkit.assistant_message": "assistant"}
"Who speaks, where the type says it."
