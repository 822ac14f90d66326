"""Who may come in at OpenAI's door: keys, organizations, projects, scopes, beta headers.

Each check refuses with the body of the real API; the order is theirs too: the key first, then the project, then
what the key may do.
"""

from __future__ import annotations

from exporter.sandbox.answers import Ask, Refusal, error
from exporter.sandbox.keys import ORGANIZATION, Key

BETAS = {
    "threads": ("assistants=v2", "Assistants"),
    "assistants": ("assistants=v2", "Assistants"),
    "chatkit": ("chatkit_beta=v1", "ChatKit"),
    "agents": ("agents=v1", "Agents"),
}
"""The header OpenAI-Beta that an API demands, and the API's name."""

SCOPES = {
    "threads": "api.threads",
    "conversations": "api.responses",
    "responses": "api.responses",
    "completions": "api.model",
    "files": "api.files",
    "assistants": "api.assistants",
    "chatkit": "api.chatkit",
    "agents": "api.agents",
    "containers": "api.containers",
    "vector_stores": "api.vector_stores",
}
"""What a key may lack, without its `.read` or `.write`; those of threads, responses, files, assistants and agents were
seen, the others are inferred."""

TRACES = "api.traces"
"""Traces of a session have a scope of their own."""

REQUEST = "model.request"
"""What it takes to ask a model through chat completions."""


def admit(ask: Ask) -> Key:
    """Return the key's rights, or refuse."""
    key = _key(ask)
    key = _of_project(ask, key)
    scope = _scope(ask)
    if key.scopes is not None and scope not in key.scopes:
        message = (
            f"You have insufficient permissions for this operation. Missing scopes: {scope}. "
            "Check that you have the correct role in your organization (Reader, Writer, Owner) and project "
            "(Member, Owner), and if you're using a restricted API key, that it has the necessary scopes."
        )
        raise Refusal(error(403, message, code="missing_scope"))
    beta, name = BETAS.get(ask.api, ("", ""))
    if beta not in ask.headers.get("openai-beta", ""):
        message = (
            f"You must provide the 'OpenAI-Beta' header to access the {name} API. "
            f"Please try again by setting the header 'OpenAI-Beta: {beta}'."
        )
        raise Refusal(error(400, message, code="invalid_beta"))
    return key


def _scope(ask: Ask) -> str:
    """Return the scope that a request needs."""
    if ask.api == "completions" and ask.method == "POST":
        return REQUEST
    api = TRACES if ask.path.endswith("/traces") else SCOPES[ask.api]
    return f"{api}.{'read' if ask.method == 'GET' else 'write'}"


def _key(ask: Ask) -> Key:
    scheme, _, given = ask.headers.get("authorization", "").partition(" ")
    given = given.strip()
    if not given or scheme.lower() != "bearer":
        raise Refusal(error(401, "You didn't provide an API key. You need to provide your API key as a Bearer token."))
    found = ask.state.keys.get(given)
    if found is None or found.kind == "entra":
        hidden = f"{given[:3]}{'*' * 8}{given[-4:]}"
        message = f"Incorrect API key provided: {hidden}. You can find your API key in your project's settings."
        raise Refusal(error(401, message, code="invalid_api_key"))
    return found


def _of_project(ask: Ask, key: Key) -> Key:
    """Return the key as one of the project that the headers name: a session may choose, a key may not."""
    project = ask.headers.get("openai-project", key.project)
    choice = {one.project for one in ask.state.keys.values()} if key.kind == "session" else {key.project}
    for name, good in (
        ("Organization", ask.headers.get("openai-organization", ORGANIZATION) == ORGANIZATION),
        ("Project", project in choice),
    ):
        if not good:
            message = f"OpenAI-{name} header should match {name.lower()} for API key"
            raise Refusal(error(401, message, code=f"mismatched_{name.lower()}"))
    return key._replace(project=project)
