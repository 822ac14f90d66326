"""Files, and what holds files: containers, vector stores, attachments."""

from __future__ import annotations

from typing import Any

TEMPLATES: dict[str, dict[str, Any]] = {
    "file": {
        "id": "",
        "object": "file",
        "purpose": "assistants_output",
        "filename": "file.bin",
        "bytes": 0,
        "created_at": 0,
        "expires_at": None,
        "status": "processed",
        "status_details": None,
    },
    "container": {
        "id": "",
        "object": "container",
        "created_at": 0,
        "status": "running",
        "expires_after": {"anchor": "last_active_at", "minutes": 20},
        "last_active_at": 0,
        "memory_limit": "1g",
        "name": "Auto-created container",
        "network_policy": {"type": "disabled"},
    },
    "container_file": {
        "id": "",
        "object": "container.file",
        "created_at": 0,
        "bytes": 0,
        "container_id": "",
        "path": "/mnt/data/file.bin",
        "source": "assistant",
    },
    "vector_store": {
        "id": "",
        "object": "vector_store",
        "created_at": 0,
        "name": "Prices",
        "usage_bytes": 0,
        "file_counts": {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0},
        "status": "completed",
        "expires_after": None,
        "expires_at": None,
        "last_active_at": 0,
        "metadata": {},
    },
    "vector_file": {
        "id": "",
        "object": "vector_store.file",
        "created_at": 0,
        "vector_store_id": "",
        "usage_bytes": 0,
        "status": "completed",
        "last_error": None,
        "attributes": {},
        "chunking_strategy": {
            "type": "static",
            "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
        },
    },
    "attachment": {"id": "", "type": "file", "name": "file.bin", "mime_type": "application/octet-stream"},
}

PREFIXES = {
    "file": "file-",
    "container": "cntr_",
    "container_file": "cfile_",
    "vector_store": "vs_",
    "vector_file": "file-",
    "attachment": "atc_",
}
