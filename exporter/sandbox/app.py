"""The Starlette application: every request is delayed, limited, admitted, answered, spoiled and logged, in this order.

Handlers know nothing of HTTP; here a request becomes an `Ask` and an `Answer` becomes a response.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.sandbox import state as known
from exporter.sandbox.answers import Answer, Ask, Face, Refusal, incorrect_hostname
from exporter.sandbox.control import control_routes
from exporter.sandbox.faces import FACES, NOWHERE, nowhere
from exporter.sandbox.faults import INSTEAD, Trouble, redirected, response
from exporter.sandbox.keys import ORGANIZATION
from exporter.sandbox.meter import Meter
from exporter.sandbox.raw import indented
from exporter.sandbox.routes import Rule, rules
from exporter.sandbox.sending import TRANSPORT
from exporter.sandbox.state import State

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def build(state: State) -> ASGIApp:
    """Return the application that answers for a state."""
    counter = _Counter(state)
    routes = [counter.route(face, rule) for face in FACES for rule in rules() if rule.api in face.apis]
    return _with_transport(Starlette(routes=[*control_routes(state), *routes, counter.nowhere()]))


@dataclass(frozen=True, slots=True)
class _Counter:
    """Where all requests to one state are answered."""

    state: State
    meter: Meter = field(default_factory=Meter)
    trouble: Trouble = field(default_factory=Trouble)

    def route(self, face: Face, rule: Rule) -> Route:
        """Return the route of a rule at a face."""

        async def answered(request: Request) -> Response:
            return await self.respond(face, rule, request)

        return Route(face.root + rule.path, answered, methods=[rule.method] if rule.method else METHODS)

    def nowhere(self) -> Route:
        """Return the route of everything else."""
        return self.route(NOWHERE, Rule("", "", "/{rest:path}", lambda ask: nowhere(ask.method, ask.path)))

    async def respond(self, face: Face, rule: Rule, request: Request) -> Response:
        """Answer one request, and log it."""
        state, switches, path = self.state, self.state.switches, request.url.path
        if switches.latency:
            await asyncio.sleep(switches.latency)
        try:
            content = await request.body()
        except ClientDisconnect:
            return Response()
        project = _project(state, request)
        fault = self.trouble.strikes(switches, path, request.method)
        limited, extra = self.meter.count(state, project or "", time.monotonic())
        if limited is not None:
            fault, answer = "", limited
        elif fault in INSTEAD:
            answer = INSTEAD[fault](request.method, path)
        elif fault == "redirect":
            answer = redirected(switches.elsewhere, path)
        elif fault == "reset":
            answer = Answer(0, b"")
        else:
            answer = _answer(_ask(state, face, rule, request, content), rule)
        params = list(request.query_params.multi_items())
        state.requests.append(known.Request(request.method, path, params, answer.status, project))
        number = f"req_{len(state.requests):032x}"
        if project and face.name == "openai":
            extra |= {"openai-organization": ORGANIZATION, "openai-project": project}
        body = answer.body
        if switches.pretty and isinstance(body, bytes) and answer.headers.get("content-type") == "application/json":
            body = indented(body)
        return response(Answer(answer.status, body, answer.headers | extra | {"x-request-id": number}), fault)


def _ask(state: State, face: Face, rule: Rule, request: Request, content: bytes) -> Ask:
    return Ask(
        state=state,
        switches=state.switches,
        face=face,
        api=rule.api,
        method=request.method,
        path=request.url.path,
        ids=request.path_params,
        params=list(request.query_params.multi_items()),
        headers=request.headers,
        content=content,
    )


def _answer(ask: Ask, rule: Rule) -> Answer:
    """Admit and answer; that there is no such URL is said to anybody."""
    try:
        if ask.switches.hostname not in ("", ask.headers.get("host", "").rpartition(":")[0]):
            return incorrect_hostname(ask.switches.hostname)
        if rule.api in ask.switches.removed:
            return nowhere(ask.method, ask.path)
        return rule.handler(replace(ask, key=ask.face.admit(ask)))
    except Refusal as refusal:
        return ask.face.polish(ask, refusal.answer)


def _project(state: State, request: Request) -> str | None:
    """Return whose request it is, for the log and the limits."""
    token = request.headers.get("authorization", "").partition(" ")[2].strip() or request.headers.get("api-key", "")
    return state.keys[token].project if token in state.keys else None


def _with_transport(app: ASGIApp) -> ASGIApp:
    """Let faults reach the connection: uvicorn's `send` is a method of the cycle that knows it."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        scope[TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await app(scope, receive, send)

    return wrapped
