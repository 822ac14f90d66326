"""Azure's doors to the same APIs: two of a Foundry project, two of a resource.

Which credential goes where: a project takes tokens of Entra ID and no key; a resource takes its key in the header
`api-key`, or a token. Refusals have Azure's own bodies. Their texts were seen in public reports, except those marked
"inferred".
"""

from __future__ import annotations

import json
import re

from exporter.sandbox import raw
from exporter.sandbox.answers import JSON_TYPE, Answer, Ask, Face, Refusal
from exporter.sandbox.keys import COGNITIVE_AUDIENCE, FOUNDRY_AUDIENCE, Key

BAD_KEY = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)
ACTIONS = {"files": "assets", "vector_stores": "assets", "containers": "assets"}
"""What a principal's role may lack, where it is not `agents`."""

DATED = re.compile(r"20\d\d-\d\d-\d\d(-preview)?")
UNDATED = frozenset({"v1", "preview", "latest"})
FOUNDRY_VERSIONS = ("v1", "2025-05-01", "2025-05-15-preview", "2025-11-15-preview")


def fault(status: int, code: str, message: str) -> Answer:
    """Return an error as Azure says it: code and message, nothing else."""
    return Answer(status, raw.text({"error": {"code": code, "message": message}}), dict(JSON_TYPE))


def not_here() -> Answer:
    """HTTP 404 for what is no route, or no version of one."""
    return fault(404, "404", "Resource not found")


def admit_to_project(ask: Ask) -> Key:
    """Let a token in that may read this project; a key is none."""
    key = _token(ask, FOUNDRY_AUDIENCE)
    project = ask.ids["project"]
    if project not in {one.project for one in ask.state.keys.values()}:
        raise Refusal(fault(404, "NotFound", "The project does not exist."))  # the code is inferred
    action = f"Microsoft.CognitiveServices/accounts/AIServices/{ACTIONS.get(ask.api, 'agents')}/" + (
        "read" if ask.method == "GET" else "write"
    )
    if key.project != project or (key.scopes is not None and action not in key.scopes):
        rest = ask.path.removeprefix(f"/api/projects/{project}")
        rest = "/openai/*" if rest.startswith("/openai/") else "/" + rest.split("/")[1]
        message = (
            f"The principal `sandbox` lacks the required data action `{action}` to perform "
            f"`{ask.method} /api/projects/{{projectName}}{rest}` operation. For instructions on granting the "
            "necessary permissions, see https://aka.ms/FoundryPermissions."
        )
        raise Refusal(fault(401, "PermissionDenied", message))
    return key


def admit_to_classic_project(ask: Ask) -> Key:
    """Foundry classic: the same, and the version must be asked for."""
    version = ask.param("api-version")
    if not version:
        raise Refusal(fault(400, "BadRequest", "Missing required query parameter: api-version"))
    if version not in FOUNDRY_VERSIONS:
        names = ", ".join(f"'{one}'" for one in FOUNDRY_VERSIONS)
        message = f"Unsupported api version '{version}'. The supported versions are {names}."
        raise Refusal(fault(400, "BadRequest", message))
    return admit_to_project(ask)


def admit_to_new_project(ask: Ask) -> Key:
    """New Foundry: the version is in the path, and nowhere else."""
    if ask.param("api-version"):
        raise Refusal(fault(400, "BadRequest", "api-version query parameter is not allowed when using /v1 path"))
    return admit_to_project(ask)


def admit_to_resource(ask: Ask) -> Key:
    """Azure OpenAI v1: a resource's key or a token; no dated version."""
    if (ask.param("api-version") or "v1") not in UNDATED:
        raise Refusal(fault(400, "BadRequest", "api-version query parameter is not allowed when using /v1 path"))
    return _key_or_token(ask)


def admit_to_classic_resource(ask: Ask) -> Key:
    """Azure OpenAI before v1: a dated version must be asked for."""
    key = _key_or_token(ask)
    if not DATED.fullmatch(ask.param("api-version") or ""):
        raise Refusal(not_here())
    return key


def polish(ask: Ask, answer: Answer) -> Answer:
    """Give a refusal of the common handlers Azure's form, where that is known to differ."""
    told = json.loads(answer.body)["error"] if isinstance(answer.body, bytes) and b'"param"' in answer.body else {}
    text = str(told.get("message", ""))
    if text.startswith("Invalid URL") or "session key" in text:
        return not_here()
    if ask.api == "conversations" and answer.status == 404 and text.startswith("Conversation"):
        known = {"code": "invalid_request_error", "param": "conversation_id"}
        return Answer(404, raw.text({"error": {**told, **known}}), answer.headers)
    return answer


def _key_or_token(ask: Ask) -> Key:
    if ask.headers.get("authorization"):
        return _token(ask, COGNITIVE_AUDIENCE, FOUNDRY_AUDIENCE)
    key = ask.state.keys.get(ask.headers.get("api-key", ""))
    if key is None or key.kind != "secret":
        raise Refusal(fault(401, "401", BAD_KEY))
    return key


def _token(ask: Ask, *audiences: str) -> Key:
    """Return what a token allows; a wrong one, an old one and one for others get the same answer."""
    scheme, _, token = ask.headers.get("authorization", "").partition(" ")
    if not token and ask.headers.get("api-key"):
        raise Refusal(fault(401, "401", BAD_KEY))
    key = ask.state.keys.get(token.strip()) if scheme.lower() == "bearer" else None
    clock = ask.state.clock
    old = key is not None and key.lasts is not None and clock.now() - clock.began > key.lasts
    if key is None or key.kind != "entra" or key.audience not in audiences or old:
        message = (
            f"Unauthorized. Access token is missing, invalid, audience is incorrect ({audiences[0]}), or have expired."
        )
        raise Refusal(Answer(401, raw.text({"statusCode": 401, "message": message}), dict(JSON_TYPE)))
    return key


THREADS = frozenset({"threads", "assistants", "files", "vector_stores"})
V1 = frozenset({"conversations", "responses", "completions", "files", "vector_stores", "containers"})
PROJECT = "/api/projects/{project}"

FACES = (
    Face("foundry", f"{PROJECT}/openai/v1", V1, admit_to_new_project, True, True, polish),
    Face("foundry_classic", PROJECT, THREADS, admit_to_classic_project, True, True, polish),
    Face("azure", "/openai/v1", V1 | THREADS, admit_to_resource, True, True, polish),
    Face(
        "azure_classic",
        "/openai",
        THREADS | {"responses", "completions"},
        admit_to_classic_resource,
        True,
        True,
        polish,
    ),
)
"""Where Azure offers what; every list is open there and takes `before`."""
