"""Whose server a base URL names, and in which region it is, as far as the name of its host tells. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from exporter.endpoint import is_local

Owner = Literal["openai", "azure", "foundry", "local", "other"]

OPENAI = re.compile(r"(?:mtls[.-])?(?:([a-z]{2})\.)?api\.openai\.com")
NAMED = re.compile(r"\b(?:[a-z]{2}\.)?api\.openai\.com\b")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a profile's requests go."""

    owner: Owner
    region: str | None
    "What the host says: `eu`, or `global` for OpenAI's main host; None where it says nothing."
    text: str


def place_of(endpoint: str) -> Place:
    """Tell from the name of the host whose server this is."""
    host = (urlsplit(endpoint).hostname or "").rstrip(".")
    if found := OPENAI.fullmatch(host):
        region = found[1] or "global"
        return Place("openai", region, f"OpenAI, region {region}" if found[1] else "OpenAI, no region of its own")
    if host.endswith((".openai.azure.com", ".openai.azure.us", ".cognitiveservices.azure.com")):
        return Place("azure", None, "Azure OpenAI")
    if host.endswith((".services.ai.azure.com", ".services.ai.azure.us")):
        return Place("foundry", None, "Microsoft Foundry")
    if is_local(endpoint):
        return Place("local", None, "this machine")
    return Place("other", None, "a compatible server")


def other_host(endpoint: str, said: str) -> str:
    """Say which base URL to try after `incorrect_hostname`: the host that the refusal names, else all there are."""
    named = next((host for host in NAMED.findall(said) if host != urlsplit(endpoint).hostname), None)
    if named:
        return f'set base_url = "https://{named}/v1"'
    return f"set base_url to the host of the project's region: {', '.join(_hosts())}"


def _hosts() -> tuple[str, ...]:
    """The regional addresses that the SDK knows."""
    from typing import get_args

    from openai import DataResidency

    return tuple(f"https://{name}.api.openai.com/v1" for name in get_args(DataResidency) if name != "global")
