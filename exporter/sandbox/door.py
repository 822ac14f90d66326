"""Who may come in: keys, projects, scopes, beta headers, rate limits.

Each check refuses with the body of the real API; the order is theirs too: the key first, then the project, then
what the key may do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.sandbox.answers import Answer, Refusal, error
from exporter.sandbox.keys import ORGANIZATION, Key
from exporter.sandbox.state import State

BETAS = {"threads": "assistants=v2", "assistants": "assistants=v2", "chatkit": "chatkit_beta=v1"}
"""The header OpenAI-Beta that an API demands."""

SCOPES = {
    "threads": "api.threads.read",
    "conversations": "api.responses.read",
    "responses": "api.responses.read",
    "files": "api.files.read",
    "assistants": "api.assistants.read",
    "chatkit": "api.chatkit.read",
    "chat": "api.model.read",
}
"""What a key may lack, by the first word of the path."""


def admit(state: State, path: str, headers: Mapping[str, str]) -> Key:
    """Return the key's rights, or refuse; `path` is the part behind /v1."""
    key = _key(state, headers)
    for name, own in (("Organization", ORGANIZATION), ("Project", key.project)):
        if headers.get(f"openai-{name.lower()}", own) != own:
            message = f"OpenAI-{name} header should match {name.lower()} for API key"
            raise Refusal(error(401, message, code=f"mismatched_{name.lower()}"))
    api = path.strip("/").split("/", maxsplit=1)[0]
    if key.restricted and api in SCOPES:
        message = (
            f"You have insufficient permissions for this operation. Missing scopes: {SCOPES[api]}. "
            "Check that you have the correct role in your organization (Reader, Writer, Owner) and project "
            "(Member, Owner), and if you're using a restricted API key, that it has the necessary scopes."
        )
        raise Refusal(error(403, message, code="missing_scope"))
    beta = BETAS.get(api)
    if beta and beta not in headers.get("openai-beta", ""):
        name = "ChatKit" if api == "chatkit" else "Assistants"
        message = (
            f"You must provide the 'OpenAI-Beta' header to access the {name} API. "
            f"Please try again by setting the header 'OpenAI-Beta: {beta}'."
        )
        raise Refusal(error(400, message, code="invalid_beta"))
    return key


def _key(state: State, headers: Mapping[str, str]) -> Key:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    given = given.strip() or headers.get("api-key", "")
    if not given or scheme.lower() not in ("bearer", ""):
        raise Refusal(error(401, "You didn't provide an API key. You need to provide your API key as a Bearer token."))
    if given not in state.keys:
        hidden = f"{given[:3]}{'*' * 8}{given[-4:]}"
        message = f"Incorrect API key provided: {hidden}. You can find your API key in your project's settings."
        raise Refusal(error(401, message, code="invalid_api_key"))
    return state.keys[given]


@dataclass(slots=True)
class Bucket:
    """What one project may still send: `burst` at once, `rate` a second."""

    left: float
    at: float


@dataclass(slots=True)
class Meter:
    """The rate limit of every project, by real time."""

    buckets: dict[str, Bucket] = field(default_factory=dict)

    def count(self, state: State, project: str, now: float) -> tuple[Answer | None, dict[str, str]]:
        """Take one request into account: the 429 it gets, if any, and the headers that go with its answer."""
        rate, burst = state.switches.rate, max(1, state.switches.burst)
        if not rate:
            return None, {}
        bucket = self.buckets.setdefault(project, Bucket(burst, now))
        bucket.left = min(burst, bucket.left + (now - bucket.at) * rate)
        bucket.at = now
        allowed = bucket.left >= 1
        bucket.left -= allowed
        wait = 0.0 if allowed else (1 - bucket.left) / rate
        headers = {
            "x-ratelimit-limit-requests": str(burst),
            "x-ratelimit-remaining-requests": str(int(bucket.left)),
            "x-ratelimit-reset-requests": f"{int((burst - bucket.left) / rate * 1000)}ms",
        }
        headers = headers if state.switches.rate_headers else {}
        if allowed:
            return None, headers
        told = state.switches.retry_after or math.ceil(wait)
        wait = state.switches.retry_after or wait
        message = "Rate limit reached for requests. Please slow down and try again."
        answer = error(429, message, kind="rate_limit_error", code="slow_down", retry_after=f"{told:g}")
        return answer, headers | {"retry-after-ms": str(int(wait * 1000) + 1)}
