"""The sandbox's own endpoints, under /_sandbox: clock, switches, retention, request log, and what it can do wrong."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.errors import UsageError
from exporter.sandbox import raw
from exporter.sandbox.clock import Retention
from exporter.sandbox.state import State
from exporter.sandbox.switches import FAULTS, LIES


def control_routes(state: State) -> list[Route]:
    """Return the routes; they need no key and are in no log."""

    async def clock(request: Request) -> Response:
        body = await _body(request)
        return _json({"now": state.clock.advance(float(body.get("advance", 0)))})

    async def switches(request: Request) -> Response:
        try:
            state.switches = state.switches.with_changes(await _body(request))
        except (UsageError, TypeError) as error:
            return _json({"error": {"message": str(error)}}, 400)
        return _json(state.switches.as_json())

    async def retention(request: Request) -> Response:
        for shelf, rule in (await _body(request)).items():
            state.retention[shelf] = Retention(float(rule["ttl"]), str(rule.get("anchor", "activity")))
        return _json({shelf: rule._asdict() for shelf, rule in state.retention.items()})

    async def requests(_: Request) -> Response:
        return _json([request._asdict() for request in state.requests])

    async def about(_: Request) -> Response:
        counts = {name: len(shelf.holders) for name, shelf in state.shelves.items()}
        return _json({"dialect": state.dialect, "holds": counts, "faults": FAULTS, "lies": LIES})

    return [
        Route("/_sandbox", about),
        Route("/_sandbox/clock", clock, methods=["GET", "POST"]),
        Route("/_sandbox/switches", switches, methods=["GET", "POST"]),
        Route("/_sandbox/retention", retention, methods=["GET", "POST"]),
        Route("/_sandbox/requests", requests),
    ]


async def _body(request: Request) -> dict[str, Any]:
    content = await request.body()
    body = json.loads(content) if content else {}
    return body if isinstance(body, dict) else {}


def _json(value: Any, status: int = 200) -> Response:
    return Response(raw.text(value), status, media_type="application/json")
