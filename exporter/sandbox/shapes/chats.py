"""Conversations, responses, stored chat completions, ChatKit."""

from __future__ import annotations

from typing import Any

TEMPLATES: dict[str, dict[str, Any]] = {
    "conversation": {"id": "", "object": "conversation", "created_at": 0, "metadata": {}},
    "item": {"id": "", "type": "message", "status": "completed"},
    "response": {
        "id": "",
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "background": False,
        "conversation": None,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": "gpt-4o-mini",
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 26,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 11,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 37,
        },
        "user": None,
        "metadata": {},
    },
    "completion": {
        "id": "",
        "object": "chat.completion",
        "created": 0,
        "model": "gpt-4o-mini",
        "choices": [],
        "usage": {"prompt_tokens": 20, "completion_tokens": 11, "total_tokens": 31},
        "metadata": {},
        "service_tier": "default",
        "system_fingerprint": "fp_sandbox",
        "request_id": "req_sandbox",
        "tool_choice": None,
        "tools": None,
        "seed": 4944116822809979520,
        "top_p": 1.0,
        "temperature": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "input_user": None,
        "response_format": None,
    },
    "completion_message": {
        "id": "",
        "role": "user",
        "content": "",
        "name": None,
        "refusal": None,
        "content_parts": None,
    },
    "chatkit": {
        "id": "",
        "object": "chatkit.thread",
        "created_at": 0,
        "title": None,
        "status": {"type": "active"},
        "user": "user_sandbox",
    },
    "chatkit_item": {
        "id": "",
        "object": "chatkit.thread_item",
        "created_at": 0,
        "thread_id": "",
        "type": "chatkit.user_message",
    },
}

TYPED: dict[str, dict[str, dict[str, Any]]] = {
    "chatkit_item": {
        "chatkit.user_message": {"content": [], "attachments": [], "inference_options": None},
        "chatkit.assistant_message": {"content": []},
        "chatkit.widget": {"widget": "{}"},
        "chatkit.client_tool_call": {
            "status": "completed",
            "call_id": "call_1",
            "name": "find",
            "arguments": "{}",
            "output": None,
        },
        "chatkit.task": {"task_type": "custom", "heading": None, "summary": None},
        "chatkit.task_group": {"tasks": []},
    },
}

PREFIXES = {
    "conversation": "conv_",
    "item": "item_",
    "response": "resp_",
    "completion": "chatcmpl-",
    "completion_message": "chatcmpl-",
    "chatkit": "cthr_",
    "chatkit_item": "cthi_",
}

ITEM_PREFIXES = {
    "item": {
        "message": "msg_",
        "function_call": "fc_",
        "function_call_output": "fco_",
        "reasoning": "rs_",
        "file_search_call": "fs_",
        "web_search_call": "ws_",
        "code_interpreter_call": "ci_",
        "computer_call": "cu_",
        "computer_call_output": "cuo_",
        "image_generation_call": "ig_",
        "mcp_call": "mcp_",
        "custom_tool_call": "ctc_",
    }
}
