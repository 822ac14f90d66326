"""Agents: sessions, what was said in them, and what their agents left behind.

No public description has them; the fields are those that the SDK's types (3.52) require.
"""

from __future__ import annotations

from typing import Any

USAGE = {
    "input_tokens": 40,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 12,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 52,
}

TEMPLATES: dict[str, dict[str, Any]] = {
    "session": {
        "id": "",
        "object": "agent.session",
        "created_at": 0,
        "agent": {
            "id": "agent_sandbox",
            "instructions": "You answer in one sentence.",
            "model": "gpt-5.4",
            "multi_agent": {"enabled": True, "max_concurrent_subagents": 6},
            "name": "Helper",
            "reasoning": {"effort": None, "summary": "auto"},
            "service_tier": "auto",
            "text": {"format": {"type": "text"}, "verbosity": "medium"},
            "tools": [],
            "compaction": {"async": False},
            "experimental": {"time_awareness": False},
        },
        "environment": {"type": "none"},
        "error": None,
        "last_active_at": 0,
        "metadata": {},
        "required_actions": [],
        "status": "idle",
        "usage": USAGE,
        "vault_ids": [],
    },
    "session_item": {"id": "", "type": "message", "status": "completed", "turn_id": ""},
    "turn": {
        "id": "",
        "object": "agent.session.turn",
        "session_id": "",
        "agent_id": "agent_sandbox",
        "subagent_id": None,
        "created_at": 0,
        "started_at": None,
        "completed_at": None,
        "status": "completed",
        "error": None,
        "usage": USAGE,
        "prompt_cache_options": None,
    },
    "subagent": {
        "id": "",
        "object": "agent.session.subagent",
        "session_id": "",
        "parent_agent_id": "agent_sandbox",
        "name": None,
        "instructions": None,
        "status": "active",
        "opened_at": 0,
        "closed_at": None,
    },
    "artifact": {
        "id": "",
        "object": "agent.session.artifact",
        "session_id": "",
        "turn_id": "",
        "environment_id": "aenv_sandbox",
        "path": "/workspace/report.txt",
        "size_bytes": 0,
        "created_at": 0,
    },
    "trace": {
        "id": "",
        "object": "agent.session.trace",
        "session_id": "",
        "created_at": 0,
        "otlp": {"resourceSpans": []},
    },
}

TYPED: dict[str, dict[str, dict[str, Any]]] = {
    "session_item": {
        "message": {"role": "user", "phase": None, "content": []},
        "reasoning": {"summary": []},
        "function_call": {"name": "find", "call_id": "call_1", "arguments": {}},
        "function_call_output": {"call_id": "call_1", "output": None, "error": None},
        "mcp_call": {"server_label": "docs", "name": "find", "arguments": {}, "output": None, "error": None},
        "web_search_call": {"action": None},
        "command_execution": {
            "command": "true",
            "cwd": "/workspace",
            "duration_ms": 1,
            "exit_code": 0,
            "output": "",
        },
        "create_subagent_call": {
            "agent_id": "agent_sandbox",
            "content": [],
            "model": None,
            "reasoning_effort": None,
        },
    },
}

PREFIXES = {
    "session": "asess_",
    "session_item": "item_",
    "turn": "aturn_",
    "subagent": "asub_",
    "artifact": "artifact_",
    "trace": "aturn_",
}
"""`asess_` and `aturn_` were seen in public code; the others are inferred."""

ITEM_PREFIXES = {
    "session_item": {
        "message": "msg_",
        "reasoning": "rs_",
        "function_call": "fc_",
        "function_call_output": "fco_",
        "web_search_call": "ws_",
        "mcp_call": "mcp_",
    }
}
