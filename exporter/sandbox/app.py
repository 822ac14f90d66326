"""The Starlette application: every request is delayed, limited, admitted, answered, spoiled and logged, in this order.

Handlers know nothing of HTTP; here a request becomes an `Ask` and an `Answer` becomes a response.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.sandbox import state as known
from exporter.sandbox.answers import Answer, Ask, Refusal, unknown_url
from exporter.sandbox.control import control_routes
from exporter.sandbox.door import Meter, admit
from exporter.sandbox.faults import INSTEAD, TRANSPORT, Trouble, response
from exporter.sandbox.raw import indented
from exporter.sandbox.reads import Handler
from exporter.sandbox.routes import rules
from exporter.sandbox.state import State

ROOT = "/v1"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def build(state: State) -> ASGIApp:
    """Return the application that answers for a state."""
    meter, trouble = Meter(), Trouble()

    def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            return await _respond(state, meter, trouble, handler, request)

        return answered

    routes = [Route(ROOT + rule.path, endpoint(rule.handler), methods=[rule.method]) for rule in rules()]
    catch_all = Route("/{rest:path}", endpoint(_no_route), methods=METHODS)
    return _with_transport(Starlette(routes=[*control_routes(state), *routes, catch_all]))


def _no_route(ask: Ask) -> Answer:
    return unknown_url(ask.method, ask.path)


async def _respond(state: State, meter: Meter, trouble: Trouble, handler: Handler, request: Request) -> Response:
    """Answer one request, and log it."""
    switches, path = state.switches, request.url.path
    if switches.latency:
        await asyncio.sleep(switches.latency)
    try:
        content = await request.body()
    except ClientDisconnect:
        return Response()
    token = request.headers.get("authorization", "").partition(" ")[2].strip()
    project = state.keys[token].project if token in state.keys else None
    fault = trouble.strikes(switches, path)
    limited, extra = meter.count(state, project or "", time.monotonic())
    if limited is not None:
        fault = ""
        answer = limited
    elif fault in INSTEAD:
        answer = INSTEAD[fault](request.method, path)
    elif fault == "reset":
        answer = Answer(0, b"")
    else:
        answer = _answer(state, handler, request, content)
    state.requests.append(
        known.Request(request.method, path, list(request.query_params.multi_items()), answer.status, project)
    )
    if switches.pretty and answer.headers.get("content-type") == "application/json":
        answer = Answer(answer.status, indented(answer.body), answer.headers)
    number = f"req_{len(state.requests):032x}"
    return response(Answer(answer.status, answer.body, answer.headers | extra | {"x-request-id": number}), fault)


def _answer(state: State, handler: Handler, request: Request, content: bytes) -> Answer:
    path = request.url.path
    try:
        if handler is _no_route:
            return unknown_url(request.method, path)
        key = admit(state, path.removeprefix(ROOT), request.headers)
        ask = Ask(
            state=state,
            switches=state.switches,
            key=key,
            method=request.method,
            path=path,
            ids=request.path_params,
            params=list(request.query_params.multi_items()),
            headers=request.headers,
            content=content,
        )
        return handler(ask)
    except Refusal as refusal:
        return refusal.answer


def _with_transport(app: ASGIApp) -> ASGIApp:
    """Let faults reach the connection: uvicorn's `send` is a method of the cycle that knows it."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        scope[TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await app(scope, receive, send)

    return wrapped
