"""The frozen shape of every table: its columns, their types, their order, and the order of its rows.

The idea: a schema is written down and never inferred, so that a file of today and one of next year are one table.
Changing anything here is a new version in `exporter.schema`, and a line in docs/format.md.
"""

from __future__ import annotations

import pyarrow as pa

_WHOSE = "source! endpoint! profile! thread_id!"
_ORIGIN = "first_seen_at@! ts@! ts_source!"

_COLUMNS = {
    "messages": f"""{_WHOSE} message_id seq#! type role status created_at@ {_ORIGIN} text content_json
        attachments_json model agent_id run_id parent_id user customer title metadata_json revision#! observed_at@!
        deleted_at@ deleted_reason extra_json""",
    "threads": f"""{_WHOSE} state created_at@ {_ORIGIN} user customer title tags_json metadata_json
        messages#! revision#! observed_at@! deleted_at@ deleted_reason extra_json""",
    "runs": f"""{_WHOSE} run_id parent_id seq#! type status created_at@ started_at@ completed_at@ {_ORIGIN} model
        agent_id usage_json error_json metadata_json revision#! observed_at@! deleted_at@ deleted_reason extra_json""",
    "steps": f"""{_WHOSE} run_id step_id seq#! type status created_at@ completed_at@ {_ORIGIN} agent_id
        details_json usage_json error_json metadata_json revision#! observed_at@! deleted_at@ deleted_reason
        extra_json""",
    "files": f"""{_WHOSE} file_id type container_id message_id name mime_type purpose bytes# sha256 blob form reason
        detail created_at@ {_ORIGIN} seq#! revision#! observed_at@! extra_json""",
    "revisions": f"{_WHOSE} kind! parent_id object_id seq#! revision#! observed_at@! ts@! body_json!",
    "gaps": f"{_WHOSE} list! after code! detail observed_at@! ts@! closed_at@",
}
"`#` is an integer, `@` a time, the others are strings; `!` is never null."


def _field(word: str) -> pa.Field[pa.DataType]:
    name = word.rstrip("!@#")
    kind = pa.timestamp("us", "UTC") if "@" in word else pa.int64() if "#" in word else pa.string()
    return pa.field(name, kind, nullable="!" not in word)


SCHEMAS: dict[str, pa.Schema] = {
    table: pa.schema([_field(word) for word in columns.split()]) for table, columns in _COLUMNS.items()
}

_VERSION = dict.fromkeys(SCHEMAS, 1) | dict.fromkeys(("messages", "steps", "revisions"), 2) | {"runs": 3}
VERSIONS = {table: f"{table}/{number}" for table, number in _VERSION.items()}
"What `exporter.schema` in the footer of each file says; tables with files of another version are made again."

SORT: dict[str, tuple[str, ...]] = {
    "messages": ("source", "endpoint", "thread_id", "seq", "parent_id", "message_id"),
    "threads": ("source", "endpoint", "thread_id"),
    "runs": ("source", "endpoint", "thread_id", "seq", "parent_id", "run_id"),
    "steps": ("source", "endpoint", "thread_id", "run_id", "seq", "step_id"),
    "files": ("source", "endpoint", "thread_id", "seq", "file_id", "container_id"),
    "revisions": ("source", "endpoint", "thread_id", "kind", "seq", "parent_id", "object_id", "revision", "body_json"),
    "gaps": ("source", "endpoint", "thread_id", "list", "code", "after"),
}
"The order of a table's rows; what stands after the position only decides between equals."
