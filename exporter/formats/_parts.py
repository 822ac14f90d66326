"""The content of a message, part by part, in the words of chat completions, whatever API it is of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

TEXTS = ("text", "input_text", "output_text", "summary_text")
AS_THEY_ARE = ("input_audio", "file", "image_url")
"Parts that chat completions have themselves."


def content_of(body: Mapping[str, Any], dropped: Counter[str]) -> tuple[Any, str | None]:
    """Return the content of a message, None where it has none, and its refusal."""
    content = body.get("content")
    refusal = body["refusal"] if isinstance(body.get("refusal"), str) else None
    if content is None and isinstance(body.get("content_parts"), list):  # a stored completion's other place for it
        content = body["content_parts"]
    if isinstance(content, str) or content is None:
        return content, refusal
    parts = []
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, dict) and part.get("type") == "refusal":
            refusal = str(part.get("refusal"))
        elif (told := _part(part)) is not None:
            parts.append(told)
        else:
            dropped[str(part.get("type")) if isinstance(part, dict) else "content of an unknown form"] += 1
    if not parts:
        return None, refusal
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts), refusal
    return parts, refusal


def text_of(value: Any) -> str:
    """Return what a tool answered as one text."""
    if isinstance(value, str):
        return value
    parts = [_part(part) for part in value] if isinstance(value, list) else [None]
    texts = [part["text"] for part in parts if part is not None and part["type"] == "text"]
    return "\n".join(texts) if parts and len(texts) == len(parts) else json.dumps(value, ensure_ascii=False)


def _part(part: Any) -> dict[str, Any] | None:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if not isinstance(part, dict):
        return None
    kind = part.get("type")
    if kind in TEXTS:
        text = part.get("text")
        text = text.get("value") if isinstance(text, dict) else text
        return {"type": "text", "text": text} if isinstance(text, str) else None
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        return {"type": "image_url", "image_url": {"url": part["image_url"]}}
    return part if kind in AS_THEY_ARE and isinstance(part.get(kind), dict) else None
