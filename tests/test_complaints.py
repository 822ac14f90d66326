"""One reader for what servers say when they refuse: sources, files and the doctor name the same things."""

from __future__ import annotations

import json

import pytest

from exporter.complaints import complaint

AZURE = "The principal `x` lacks the required data action `Microsoft.C/accounts/AIServices/agents/read` to `GET`"


@pytest.mark.parametrize(("body", "message"), [
    (b'{"error":{"message":"a","code":"b","param":"c"}}', "a"), (b'{"error":"a"}', "a"), (b'{"detail":"a"}', "a"),
    (b'{"detail":[{"msg":"a"}]}', '[{"msg": "a"}]'), (b"<p>a</p>", "a"), (b"", ""), (b"[1]", "[1]"),
    (b"\xff", "\ufffd"), (b'{"error":null}', '{"error":null}'), (b"[" * 100_000, "[" * 299 + "\u2026"),
    (b'{"error":{"message":"a\\u001b[31m\\nb"}}', "a\\x1b[31m b"),
])  # fmt: skip
def test_complaints_come_in_many_envelopes(body: bytes, message: str) -> None:
    assert complaint(body).message == message


@pytest.mark.parametrize(("text", "scopes"), [
    ("Missing scopes: api.threads.read", ("api.threads.read",)),
    ("Missing scopes: api.agents.read, api.responses.write. Check", ("api.agents.read", "api.responses.write")),
    ("missing scope: x.y", ("x.y",)),
    (AZURE, ("Microsoft.C/accounts/AIServices/agents/read",)),
    ("nothing is missing", ()),
    ("Missing scopes: \x1b[31m", ()),
])  # fmt: skip
@pytest.mark.parametrize("envelope", ["error", "detail", "none"])
def test_scopes_are_named_whatever_they_come_in(envelope: str, text: str, scopes: tuple[str, ...]) -> None:
    told = {"error": {"error": {"message": text}}, "detail": {"detail": text}}.get(envelope)
    body = text if told is None else json.dumps(told)

    assert complaint(body.encode()).scopes == scopes


def test_codes_are_printable_and_names_are_looked_for_in_all_that_was_said() -> None:
    found = complaint(b'{"error":{"message":"No.","code":"\\u0007","param":"limit","where":"thread_1"}}')

    assert (found.code, found.param) == ("\\x07", "limit")
    assert found.names("thread_1")
    assert not found.names(None)
