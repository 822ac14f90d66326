"""What to do about a key, token or identity that was refused. Pure."""

from __future__ import annotations

from exporter.doctor._places import other_host, place_of
from exporter.doctor._probe import Refused
from exporter.model import Profile, printable


def advice(profile: Profile, endpoint: str, no: Refused | None) -> str:
    """Say what to do about a refusal; None where only that much is known."""
    code = no.code if no else ""
    if no and code == "incorrect_hostname":
        where = other_host(endpoint, no.message)
        return f"the project lives in another region: {where} in profile {printable(profile.name)}"
    if code in ("mismatched_project", "mismatched_organization"):
        return _mismatch(profile, code.removeprefix("mismatched_"))
    if code == "insufficient_quota":
        return "raise the account's limit, then look again"
    if profile.auth != "bearer" or place_of(endpoint).owner in ("azure", "foundry"):
        return _azure(profile, endpoint, no)
    if no and (no.scopes or no.status == 403):
        return f"the key lacks {', '.join(no.scopes) or 'a permission'}: add it to the key, or use another one"
    return "the key is unknown, expired or revoked: make a new one in the project that made the threads"


def _mismatch(profile: Profile, what: str) -> str:
    sent = getattr(profile, what)
    variable = "OPENAI_PROJECT_ID" if what == "project" else "OPENAI_ORG_ID"
    says = f"says {what} {printable(sent)}" if sent else f"says no {what}"
    return f"profile {printable(profile.name)} {says}, its key is of another: mend `{what}` (or {variable})"


def _azure(profile: Profile, endpoint: str, no: Refused | None) -> str:
    said = f"{no.code} {no.message}".lower() if no else ""
    if profile.auth != "entra" and place_of(endpoint).owner == "foundry":
        return 'a Foundry project takes no keys: set auth = "entra" in the profile; see docs/azure.md'
    if profile.auth != "entra":
        return "the key is another resource's, or was made anew: copy it from this resource; see docs/azure.md"
    if "audience" in said:
        return "the token is for somebody else: set entra_scope in the profile; see docs/azure.md"
    if no and (no.allowed or "permission" in said):
        return "give the identity a role that may read: Foundry User on the project; see docs/azure.md"
    return "the token is not accepted: log in again, or get a new one; see docs/azure.md"
