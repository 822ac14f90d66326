"""`exporter.toml`, whoever wrote it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from exporter.config import profiles
from exporter.config._settings import SETTINGS
from tests.archive.making import in_memory
from tests.fuzz._inputs import mutated

SAMPLE = b"""[profiles.default]
base_url = "https://api.openai.com/v1"
api_key_env = "KEY"
[profiles.default.retention.responses]
ttl_days = 30
anchor = "created"
ends = 2027-03-31
[rhythm]
margin_days = 5
warmth = 0.25
"""
scalars = (
    st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=True) | st.text(max_size=8)
    | st.sampled_from(["https://x.example/v1", "bearer", "entra", "api-key", "created", "http://[::1", "é", "\0"])
)  # fmt: skip
names = st.sampled_from([*SETTINGS, "retention", "ttl_days", "anchor", "ends", "responses"]) | st.text(max_size=4)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


tables = st.recursive(
    scalars | st.lists(scalars, max_size=2), lambda v: st.dictionaries(names, v, max_size=4), max_leaves=9
)
written = st.dictionaries(st.sampled_from(["profiles", "rhythm", "x"]), tables, max_size=2).map(
    lambda said: "\n".join(f"{name} = {_toml(value)}" for name, value in said.items()).encode("utf-8", "replace")
)
INPUT = mutated(SAMPLE) | written | st.binary(max_size=40)


def parse(data: bytes) -> None:
    with in_memory() as folder:
        file = folder / "exporter.toml"
        file.write_bytes(data)
        for one in profiles(str(file), {}).values():
            one.key.reveal()
