"""A small real API in memory: one thread, its messages, runs and steps, told honestly or not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from exporter.model import ThreadRef
from exporter.sources import Answer

ENDPOINT = "http://127.0.0.1:1/v1"
THREAD = ThreadRef("assistants", ENDPOINT, "thread_1")
LIES = (
    "",
    "no_envelope_ids",
    "ignores_parameters",
    "descending",
    "inclusive",
    "inclusive_forever",
    "more_false",
    "more_true",
    "more_forever_same_page",
    "last_id_constant",
    "by_second",
    "unknown_restarts",
    "limit_400",
    "limit_422",
    "limit_unnamed",
    "capped",
    "null_last",
    "null_last_and_cursor",
    "position_ids",
    "duplicate_ids",
    "negative_times",
    "no_times",
    "more_when_full",
    "tokens",
)


def ok(value: Any) -> Answer:
    return Answer(200, {"content-type": "application/json"}, json.dumps(value).encode())


def error(status: int, message: str, param: str | None = None, code: str | None = None) -> Answer:
    told = {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}
    return Answer(status, {"content-type": "application/json"}, json.dumps(told).encode())


def item(number: int, at: int, prefix: str = "msg", **fields: Any) -> dict[str, Any]:
    return {"id": f"{prefix}_{number:04d}", "n": number, "created_at": at, "thread_id": "thread_1", **fields}


class FakeApi:
    """A transport: `lists` maps paths to objects, `lie` is what it does wrong with them."""

    endpoint = ENDPOINT

    def __init__(self, messages: Sequence[dict[str, Any]] = (), lie: str = "", most: int = 100) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {"/threads/thread_1/messages": list(messages)}
        self.lists["/threads/thread_1/runs"] = []
        self.lie, self.most = lie, most
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.canned: dict[str, list[Answer]] = {}

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.lists["/threads/thread_1/messages"]

    def asked(self, ending: str, *, probes: bool = False) -> int:
        return sum(p.endswith(ending) and (probes or q.get("limit") != "1") for p, q in self.calls)

    async def get(
        self,
        path: str,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,  # noqa: ARG002 - the protocol has them
    ) -> Answer:
        self.calls.append((path, dict(params)))
        if self.canned.get(path):
            return self.canned[path].pop(0)
        if path == "/threads/thread_1":
            return ok({"id": "thread_1", "object": "thread", "created_at": 1})
        if path in self.lists:
            return self._list(self.lists[path], dict(params))
        if "/threads/" in path:
            return error(404, f"No thread found with id '{path.split('/')[2]}'.")
        return error(404, f"Invalid URL (GET {path})")

    def _list(self, given: list[dict[str, Any]], asked: dict[str, str]) -> Answer:
        objects = [self._bent(given, n) for n in range(len(given))]
        limit, order, after = int(asked.get("limit", 20)), asked.get("order", "desc"), asked.get("after")
        if limit > self.most and self.lie.startswith("limit_"):
            return self._too_much(limit)
        limit = min(limit, self.most)
        if self.lie == "ignores_parameters":
            limit, order, after = min(20, self.most), "desc", None
        if order == "desc" or self.lie == "descending":
            objects.reverse()
        start = 0
        if after is not None and self.lie == "tokens":
            after = after.removeprefix("token:") if after.startswith("token:") else "unknown"
        if after is not None:
            known = next((n for n, o in enumerate(objects) if o["id"] == after), None)
            if known is None and self.lie != "unknown_restarts":
                return error(400, f"No message found with id '{after}'.", "after")
            start = 0 if known is None else known + (0 if self.lie.startswith("inclusive") else 1)
            if self.lie == "by_second" and known is not None:
                second = objects[known]["created_at"]
                later = [n for n, o in enumerate(objects) if (o["created_at"] > second) is (order == "asc")]
                later = [n for n in later if objects[n]["created_at"] != second]
                start = later[0] if later else len(objects)
        return self._page(objects[start : start + limit], start + limit < len(objects), limit, objects)

    def _page(self, data: list[dict[str, Any]], more: bool, limit: int, objects: list[dict[str, Any]]) -> Answer:
        lie = self.lie
        if lie == "more_forever_same_page" and not data:
            data = objects[-limit:]
        more = more or lie in ("more_true", "more_forever_same_page", "inclusive_forever", "last_id_constant")
        more = more and lie != "more_false"
        more = len(data) == limit if lie == "more_when_full" else more
        last = data[-1]["id"] if data else None
        if lie == "last_id_constant":
            last = objects[0]["id"] if objects else None
        if lie == "tokens" and last is not None:
            last = f"token:{last}"
        if data and lie.startswith("null_last"):
            data = [*data[:-1], {**data[-1], "id": None}]
            last = None if lie == "null_last_and_cursor" else last
        told: dict[str, Any] = {"object": "list", "data": data, "has_more": more}
        return ok(told if lie == "no_envelope_ids" else told | {"first_id": None, "last_id": last})

    def _bent(self, given: list[dict[str, Any]], n: int) -> dict[str, Any]:
        found = given[n]
        if self.lie == "position_ids":
            return {**found, "id": f"item_{n}"}
        if self.lie == "duplicate_ids" and n % 7 == 6:
            return {**found, "id": given[n - 1]["id"]}
        if self.lie == "negative_times":
            return {**found, "created_at": -found["created_at"]}
        if self.lie == "no_times":
            return {name: value for name, value in found.items() if name != "created_at"}
        return found

    def _too_much(self, limit: int) -> Answer:
        if self.lie == "limit_400":
            message = f"Invalid 'limit': integer above maximum value. Expected a value <= {self.most}, but got {limit}"
            return error(400, message, "limit", "integer_above_max_value")
        if self.lie == "limit_422":
            told = [{"loc": ["query", "limit"], "msg": f"Input should be less than or equal to {self.most}"}]
            return Answer(422, {}, json.dumps({"detail": told}).encode())
        return error(400, "limit is too large")
